// Why not? After a tag was rejected, a number says the reason within a moment; the buttons stay for whoever wants longer.

import { facetOf, setReason } from "./chips.js";
import { say } from "./house.js";

const MOMENT = 1500; // ms in which 1 to 5 are reasons and not tags
const REASONS = ["wrong_value", "not_visible", "source_wrong", "value_missing", "ambiguous"];

export class Reasons {
  /** @param {{words: Function, missing: (facet: HTMLElement) => void}} door ``missing``: ask which value is missing */
  constructor({ words, missing }) {
    Object.assign(this, { words, missing, bar: null, timer: null });
    // any other key goes on with the work: from then on numbers are tags again
    document.addEventListener("keydown", (event) => { if (!/^[1-5]$/.test(event.key)) delete this.bar?.dataset.first; }, true);
  }

  /** Offer the reasons for a chip that was just rejected; with ``keys`` 1 to 5 choose one for a moment. */
  offer(chip, keys = false) {
    this.close();
    if (!chip.dataset.tag || chip.name !== "on") return;
    const bar = document.createElement("div");
    bar.className = "whynot";
    if (keys) bar.dataset.first = "";
    bar.setAttribute("role", "group");
    const title = this.words("why", { tag: chip.dataset.label });
    bar.setAttribute("aria-label", title);
    bar.append(Object.assign(document.createElement("span"), { textContent: title }));
    for (const [place, reason] of REASONS.entries()) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "ghost" });
      button.dataset.key = place + 1;
      const number = Object.assign(document.createElement("span"), { className: "k", textContent: place + 1 });
      number.setAttribute("aria-hidden", "true");
      button.append(number, this.words(`reason_${reason}`));
      button.addEventListener("click", (event) => { event.stopPropagation(); this.choose(chip, reason); });
      bar.append(button);
    }
    facetOf(chip).append(bar);
    this.bar = bar;
    this.timer = setTimeout(() => { delete bar.dataset.first; }, MOMENT);
  }

  close() {
    clearTimeout(this.timer);
    this.bar?.remove();
    this.bar = null;
  }

  choose(chip, reason) {
    setReason(chip, reason, this.words(`reason_${reason}`));
    say(this.words("because", { tag: chip.dataset.label, reason: this.words(`reason_${reason}`) }));
    this.close();
    if (reason === "value_missing") this.missing(facetOf(chip));
  }
}
