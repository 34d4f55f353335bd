// The queue: numbers choose categories, a dialog lists the keys, what was done is read out. It works without, too.
"use strict";

const judge = document.getElementById("judge");
let isTyping = false;

// The first number takes the place of what is shown; each further one is added or taken away; 0 is none of them.
document.addEventListener("keydown", (event) => {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  if (digit === undefined || judge === null || !isCommand(event)) return;
  const boxes = [...judge.querySelectorAll("[data-number]")];
  const box = boxes.find((each) => each.dataset.number === digit);
  if (box?.disabled || (box === undefined && digit !== "0")) return;
  event.preventDefault();
  if (!isTyping || digit === "0") boxes.forEach((each) => { if (each !== box) each.checked = false; });
  if (box !== undefined) box.checked = isTyping ? !box.checked : true;
  isTyping = true;
  (box ?? judge.querySelector("[data-key=s]")).focus();
});

// Ctrl+Enter saves a text that is being edited.
document.getElementById("rewording")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
});

// After each step the entry is where one is: its subject is read, then what was done.
const entry = document.getElementById("entry");
if (entry !== null && location.search.includes("at=") && document.activeElement === document.body) {
  entry.focus({ preventScroll: true });
}
const said = document.querySelector(".said");
if (said !== null) setTimeout(() => { document.getElementById("announce").textContent = said.textContent; }, 200);
document.querySelector(".list [aria-current]")?.scrollIntoView({ block: "nearest" });
