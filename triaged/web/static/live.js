// New mail without a reload: what a page marks `data-live` (with an id) is fetched anew when the log has moved on.
// Nothing is swapped under somebody: a region waits while they write or choose in it, while a dialog is open, and while
// the page is not looked at. A page that is not looked at keeps no connection open either.
"use strict";

const live = {
  mark: document.querySelector("meta[name=mark]")?.content ?? "",
  stream: null,
  mails: 0, // that came and are not shown yet
  isOwed: false, // something changed and is not shown yet
  isBusy: false,
};
const LIVE_PAUSE_MS = 2000; // between two looks, when much happens at once

function liveRegions() {
  return [...document.querySelectorAll("[data-live][id]")];
}

/** Whether somebody is at work in a region: writing, choosing, reading with the text marked. */
function isInUse(region) {
  const active = document.activeElement;
  if (active !== null && region.contains(active) && isWriting(active)) return true;
  const selection = document.getSelection();
  if (selection !== null && !selection.isCollapsed && region.contains(selection.anchorNode)) return true;
  return [...region.querySelectorAll("input, textarea, select")].some(isChanged);
}

function isChanged(field) {
  if (field.matches("select")) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((each) => each.defaultSelected));
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
}

/** How to find an element again after its region was replaced: by id, else by where it leads or what it is called. */
function selectorOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const given = ["href", "name", "value", "data-key"].filter((name) => element.hasAttribute(name));
  const parts = given.map((name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`);
  return parts.length > 0 ? element.localName + parts.join("") : "";
}

/** The first link or anything with an id that is in sight, so that the page does not move under a reader. */
function anchorIn(region) {
  if (window.scrollY < 80) return "";
  const found = [...region.querySelectorAll("[id], a[href]")].find((each) => each.getBoundingClientRect().bottom > 0);
  return found === undefined ? "" : selectorOf(found);
}

function swap(region, fresh) {
  const focused = region.contains(document.activeElement) ? selectorOf(document.activeElement) : "";
  const opened = [...region.querySelectorAll("details")].map((each) => each.open);
  const anchor = anchorIn(region);
  const top = anchor && region.querySelector(anchor).getBoundingClientRect().top;
  region.replaceChildren(...fresh.childNodes);
  region.querySelectorAll("details").forEach((each, number) => { each.open = each.open || opened[number] === true; });
  if (focused) region.querySelector(focused)?.focus({ preventScroll: true });
  const moved = anchor && region.querySelector(anchor);
  if (moved) window.scrollBy(0, moved.getBoundingClientRect().top - top);
}

/** Have a screen reader say it when it has nothing else to say; the same words twice are said twice. */
function tell(words) {
  const news = document.getElementById("news");
  news.textContent = "";
  setTimeout(() => { news.textContent = words; }, 100);
}

async function showNews() {
  const regions = liveRegions();
  if (live.isBusy || !live.isOwed || document.hidden || document.querySelector("dialog[open]") !== null) return;
  if (regions.some(isInUse)) return; // looked at again when they are done, see below
  live.isBusy = true;
  try {
    const response = await fetch(location.href, { credentials: "same-origin", headers: { "x-by-itself": "1" } });
    if (response.redirected || !response.ok) { // signed out: the next click leads to signing in
      live.isOwed = false;
      return stopListening();
    }
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    if (regions.some(isInUse) || document.querySelector("dialog[open]") !== null) return;
    for (const region of regions) {
      const found = fresh.getElementById(region.id);
      if (found !== null && found.innerHTML !== region.innerHTML) swap(region, found);
    }
    live.isOwed = false;
    if (live.mails > 0) tell(`${live.mails} new ${live.mails === 1 ? "mail" : "mails"}`);
    live.mails = 0;
  } catch {
    // The desk is away for a moment; the stream comes again by itself, and says then what was missed.
  } finally {
    setTimeout(() => { live.isBusy = false; void showNews(); }, LIVE_PAUSE_MS);
  }
}

function listen() {
  if (live.stream !== null || document.hidden || live.mark === "" || liveRegions().length === 0) return;
  live.stream = new EventSource(`/live?since=${encodeURIComponent(live.mark)}`);
  live.stream.addEventListener("changed", (event) => {
    live.mark = event.lastEventId;
    live.mails += Number(event.data);
    live.isOwed = true;
    void showNews();
  });
}

function stopListening() {
  live.stream?.close();
  live.stream = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return stopListening();
  listen();
  void showNews();
});
for (const name of ["focusout", "change", "selectionchange", "close"]) document.addEventListener(name, () => void showNews(), true);
window.addEventListener("pagehide", stopListening);
window.addEventListener("pageshow", listen);
listen();
