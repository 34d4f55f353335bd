// What pages do beyond links and forms. Nothing here is needed: every page works without script.
"use strict";

const csrf = document.querySelector("meta[name=csrf]")?.content;

/** Whether somebody is writing, so that letters are letters and no commands. */
function isWriting(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** Ask the desk for something; what changes it carries the session's token. Returns the Response. */
function ask(address, { form, signal } = {}) {
  const options = form === undefined ? {} : { method: "POST", body: form, headers: { "x-csrf-token": csrf } };
  return fetch(address, { credentials: "same-origin", signal, ...options });
}

// A key that a page names: <a data-key="n" href=…>, <button data-key="a">; pressing it is as clicking there.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
  const found = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === event.key);
  if (found === undefined || found.disabled) return;
  event.preventDefault();
  if (found.matches("input, textarea, select")) found.focus();
  else found.click();
});

// Writing ends with Escape, so that keys are commands again.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isWriting(event.target)) event.target.blur();
});

// A link to a part that is folded up opens it.
function unfold() {
  const part = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (part instanceof HTMLDetailsElement) part.open = true;
}
addEventListener("hashchange", unfold);
unfold();
