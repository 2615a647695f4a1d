// Looking closer: evidence, pictures, and which key does what.

import { focused, marksOf } from "./chips.js";
import { say } from "./house.js";
import { legend } from "./keys.js";

/** The focused chip's words, one after the other. */
export function goRound(form, words) {
  const marks = form ? marksOf(form, focused(form)) : [];
  if (!marks.length) {
    say(words("noEvidence"));
    return;
  }
  const at = (marks.findIndex((m) => m.classList.contains("here")) + 1) % marks.length;
  for (const mark of marks) mark.classList.toggle("here", mark === marks[at]);
  marks[at].scrollIntoView({ block: "center" });
  say(words("evidence", { n: at + 1, all: marks.length, words: marks[at].textContent }));
}

/** A small picture in the large frame. */
export function showPicture(form, link) {
  const big = form.querySelector(".pic");
  big.href = link.href;
  big.firstElementChild.src = link.href;
  for (const other of form.querySelectorAll("[data-picture]")) other.toggleAttribute("aria-current", other === link);
}

export function nextPicture(form) {
  const links = [...form.querySelectorAll("[data-picture]")];
  if (links.length) showPicture(form, links[(links.findIndex((l) => l.hasAttribute("aria-current")) + 1) % links.length]);
}

/** All keys, as the buttons on the page have them; pressed again it closes. */
export function help() {
  const dialog = document.getElementById("help");
  if (dialog.open) {
    dialog.close();
    return;
  }
  const list = document.getElementById("help-list");
  list.replaceChildren(...legend(list.dataset.digits, list.dataset.shifted).flatMap(({ keys, text }) => {
    const term = document.createElement("dt");
    term.append(...keys.map((key) => Object.assign(document.createElement(key === "…" ? "span" : "kbd"), { textContent: key })));
    return [term, Object.assign(document.createElement("dd"), { textContent: text })];
  }));
  dialog.showModal();
}
