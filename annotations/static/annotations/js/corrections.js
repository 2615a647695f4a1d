// While Shift is held the checked tags of the card wear numbers: Shift with one corrects that tag, wherever the focus is.

import { chipsOf } from "./chips.js";
import { TEXT } from "./keys.js";

const MOST = 9;

/** @param {() => HTMLFormElement | null} current */
export function numberWithShift(current) {
  const away = () => { for (const old of document.querySelectorAll(".nth")) old.remove(); };
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Shift" || event.repeat) return;
    away();
    const form = current();
    if (!form || document.querySelector("dialog[open]") || event.target.closest?.(TEXT)) return;
    for (const [place, chip] of chipsOf(form).filter((one) => one.checked).slice(0, MOST).entries()) {
      const number = Object.assign(document.createElement("span"), { className: "nth", textContent: place + 1 });
      number.setAttribute("aria-hidden", "true");
      Object.assign(number.dataset, { key: `Shift+${place + 1}`, does: "correct-this", anywhere: "" });
      chip.parentElement.append(number);
    }
  });
  document.addEventListener("keyup", (event) => { if (event.key === "Shift") away(); });
  addEventListener("blur", away);
}
