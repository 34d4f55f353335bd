// What pages do beyond links and forms. Nothing here is needed: every page works without script.
"use strict";

const csrf = document.querySelector("meta[name=csrf]")?.content;

/** Whether somebody is writing, so that letters are letters and no commands. */
function isWriting(target) {
  return target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
}

function areKeysOff() {
  return localStorage.getItem("keys") === "off";
}

/** Whether a key that was pressed is a command. */
function isCommand(event) {
  const withOthers = event.ctrlKey || event.metaKey || event.altKey;
  return !withOthers && !areKeysOff() && !isWriting(event.target) && document.querySelector("dialog[open]") === null;
}

/** Ask the desk for something; what changes it carries the session's token. Returns the Response. */
function ask(address, { form, signal } = {}) {
  const options = form === undefined ? {} : { method: "POST", body: form, headers: { "x-csrf-token": csrf } };
  return fetch(address, { credentials: "same-origin", signal, ...options });
}

// Keys that a page names: <a data-key="n j" href=…>, <button data-key="a">; pressing one is as clicking there.
document.addEventListener("keydown", (event) => {
  if (!isCommand(event)) return;
  const [own, all] = ["main [data-key]", "[data-key]"].map((which) => document.querySelectorAll(which));
  const named = [...own, ...all]; // a page's own before those of the bar
  const found = named.find((each) => each.dataset.key.split(" ").includes(event.key));
  if (found === undefined || found.disabled) return;
  event.preventDefault();
  if (found.matches("input, textarea, select")) found.focus();
  else found.click();
});

// Writing ends with Escape, so that keys are commands again.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isWriting(event.target)) event.target.blur();
});

// A dialog that a link or button names: <a href=… data-opens="keys">; without script the link leads to a page.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens], [data-closes], [data-switches]");
  if (opener === null) return;
  event.preventDefault();
  const { opens, closes } = opener.dataset;
  if (opens !== undefined) document.getElementById(opens).showModal();
  else if (closes !== undefined) document.getElementById(closes).close();
  else switchKeys(opener);
});

/** Letters are commands, or not, in this browser: who dictates switches them off (WCAG 2.1.4). */
function switchKeys(button) {
  localStorage.setItem("keys", areKeysOff() ? "on" : "off");
  showSwitch(button);
}

function showSwitch(button) {
  button.setAttribute("aria-pressed", String(areKeysOff()));
}
document.querySelectorAll("[data-switches]").forEach(showSwitch);

// A link to a part that is folded up opens it.
function unfold() {
  const part = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (part instanceof HTMLDetailsElement) part.open = true;
}
addEventListener("hashchange", unfold);
unfold();
