// The tags that are not on the card: type-ahead, the quiet numbers of the focused facet, and asking for a new value.

import { askForTag } from "./add.js";
import { add, chipsOf, decide, facetOf, focused, rest } from "./chips.js";
import { say } from "./house.js";

export class Facets {
  /** @param {{taxonomy: Taxonomy, letters: boolean, words: Function, current: () => HTMLFormElement, notice: Function, ask: Function, save: Function}} door */
  constructor({ taxonomy, letters, words, current, notice, ask, save }) {
    Object.assign(this, { taxonomy, letters, words, current, notice, ask, save });
    taxonomy.every();
  }

  /** Type-ahead for a facet; with ``instead`` the found tag takes that chip's place. */
  async addTo(facet, instead, title) {
    const form = this.current();
    const [name, pk] = [facet.dataset.label, facet.dataset.facet];
    const answer = await askForTag({
      title: title ? title : instead ? this.words("correct", { tag: instead.dataset.label }) : this.words("addTo", { facet: name }),
      tags: this.taxonomy.whole(pk).then((whole) => whole.tags),
      find: (text) => this.taxonomy.find(pk, text),
      letters: this.letters,
      taken: new Set(chipsOf(facet).filter((chip) => chip.checked).map((chip) => Number(chip.dataset.tag))),
      ranks: new Map(chipsOf(facet).filter((chip) => chip.dataset.rank).map((chip) => [Number(chip.dataset.tag), Number(chip.dataset.rank)])),
      ask: (text) => this.words("open" in facet.dataset ? "take" : "ask", { text, facet: name }),
      noHit: this.words("noHit"),
    });
    if (form !== this.current()) return;
    if (answer?.tag) {
      if (instead) decide(instead, false);
      this.put(facet, answer.tag);
      if (answer.save) this.save("key");
    } else {
      if (answer?.request) this.ask(facet, answer.request);
      rest(form, focused(form));
    }
  }

  /** A value that became a tag by being asked for: onto the card that it was asked on, if that is still here. */
  async came(product, pk, tag) {
    const form = this.current();
    const facet = form?.elements.product.value === product && form.querySelector(`[data-facet="${pk}"]`);
    await this.taxonomy.learn(pk, tag);
    if (facet && form === this.current()) this.put(facet, tag);
  }

  /** A tag onto the card. */
  put(facet, tag) {
    const chip = add(facet, tag);
    rest(chip.form, chip);
    this.numbers(facet);
    say(this.words("added", { facet: facet.dataset.label, tag: tag.label }));
  }

  /** The facet's other numbered tags, while it has the focus: a number always presses what one sees. */
  async numbers(facet) {
    const { tags } = await this.taxonomy.offered(facet.dataset.facet);
    this.taxonomy.whole(facet.dataset.facet); // on its way before it is asked for
    const room = facet.querySelector(".more");
    const there = new Set(chipsOf(facet).map((chip) => Number(chip.dataset.tag)));
    const missing = facet.classList.contains("at") ? tags.filter((tag) => tag.number && !there.has(tag.id)) : [];
    room.hidden = !missing.length;
    room.replaceChildren(...missing.map((tag) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "ghost" });
      Object.assign(button.dataset, { key: tag.number, does: "pick", tag: tag.id });
      button.append(Object.assign(document.createElement("span"), { className: "k", textContent: tag.number }), tag.label);
      return button;
    }));
  }

  async pick(button) {
    const facet = facetOf(button);
    const { tags } = await this.taxonomy.offered(facet.dataset.facet);
    const tag = tags.find((t) => t.id === Number(button.dataset.tag));
    if (tag) this.put(facet, tag);
  }
}
