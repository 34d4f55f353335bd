// The editor of a rule file or template: line numbers, problems while one types, the preview. All of it works without.
"use strict";

const draft = document.querySelector("form[data-check]");
const text = draft?.querySelector("textarea");
const PAUSE_MS = 400;

if (draft && text) {
  const [found, told] = [document.getElementById("found"), document.getElementById("told")];
  const preview = draft.querySelector("[data-preview]");
  const opened = draft.elements.was.value.replace(/\r\n/g, "\n");
  const lines = document.createElement("div");
  lines.className = "lines";
  lines.setAttribute("aria-hidden", "true");
  if (text.wrap === "off") text.before(lines);
  let timer, asked, leaving = false;

  /** One number a line; those that something is wrong with are marked. marks: kind by line. */
  function number(marks) {
    lines.replaceChildren(...Array.from({ length: text.value.split("\n").length }, (_, index) => {
      const one = document.createElement("b");
      one.textContent = index + 1;
      if (marks[index + 1]) one.className = marks[index + 1];
      return one;
    }));
    lines.scrollTop = text.scrollTop;
  }

  /** What stands in the list of problems now, by line. */
  function marked() {
    const marks = {};
    for (const link of [...told.querySelectorAll("[data-line]")].reverse()) marks[link.dataset.line] = link.closest("li").className;
    return marks;
  }

  function item(each) {
    const [one, badge, what] = [document.createElement("li"), document.createElement("span"), document.createElement("span")];
    one.className = each.kind;
    badge.className = each.kind === "error" ? "badge bad" : "badge warn";
    badge.textContent = each.kind === "error" ? "problem" : "hint";
    what.textContent = each.what;
    const place = document.createElement(each.address || (each.here && each.line) ? "a" : "b");
    if (each.here && each.line) {
      place.href = "#text";
      place.dataset.line = each.line;
      place.textContent = `line ${each.line}`;
    } else {
      if (each.address) place.href = each.address;
      place.textContent = each.here ? "" : each.where;
    }
    one.append(badge, " ", place, " ", what);
    return one;
  }

  async function check() {
    asked?.abort();
    asked = new AbortController();
    try {
      const response = await ask(draft.dataset.check, { form: new FormData(draft), signal: asked.signal });
      if (!response.ok) return;
      const answer = await response.json();
      told.replaceChildren(...answer.told.map(item));
      if (found.textContent !== answer.summary) found.textContent = answer.summary;
      const wrong = answer.told.some((each) => each.kind === "error");
      found.className = wrong ? "bad" : "good";
      text.setAttribute("aria-invalid", wrong);
      number(marked());
    } catch (error) {
      if (error.name !== "AbortError") found.textContent = "The desk does not answer; what you typed stays here. Press Check to try again.";
    }
  }

  /** A frame of its own each time, so that looking is no step back in the history. */
  function look() {
    if (!preview || draft.elements.mail.value.trim() !== "") return;
    const frame = document.querySelector("iframe[name=preview]");
    frame.replaceWith(frame.cloneNode());
    draft.requestSubmit(preview);
  }

  function go(line) {
    const before = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = text.value.indexOf("\n", before);
    text.setSelectionRange(before, end < 0 ? text.value.length : end);
    text.blur();
    text.focus();
    if (text.wrap === "off") text.scrollTop = Math.max(0, (line - 6) * (text.scrollHeight / text.value.split("\n").length));
  }

  text.addEventListener("input", () => {
    number(marked());
    clearTimeout(timer);
    timer = setTimeout(() => { check(); look(); }, PAUSE_MS);
  });
  text.addEventListener("scroll", () => { lines.scrollTop = text.scrollTop; });
  told.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (link === null) return;
    event.preventDefault();
    go(Number(link.dataset.line));
  });
  draft.addEventListener("submit", (event) => { if (!event.submitter?.formTarget) leaving = true; });
  addEventListener("beforeunload", (event) => { if (!leaving && !text.readOnly && text.value !== opened) event.preventDefault(); });
  addEventListener("keydown", (event) => {
    const save = draft.querySelector("[value=save]");
    if (save === null || event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    draft.requestSubmit(save);
  });
  number(marked());
  if (text.dataset.line) go(Number(text.dataset.line));
  look();
}

// Enter behind "Why" saves, whatever button comes first.
document.querySelector(".draft [name=why]")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  event.target.form.requestSubmit(event.target.form.querySelector("[value=save]"));
});

// A trial that goes on: look again by itself, and show the answer once it is there.
const running = document.querySelector("[data-running]");
if (running) {
  const timer = setInterval(async () => {
    const response = await ask(location.href).catch(() => null);
    if (response === null) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const now = page.querySelector("[data-running] [role=status]");
    if (now !== null) running.querySelector("[role=status]").textContent = now.textContent;
    else { clearInterval(timer); location.reload(); }
  }, 1500);
}
