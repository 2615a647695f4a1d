// The tags that are not on the card: type-ahead, the quiet numbers of the focused facet, and asking for a new value.

import { askForTag } from "./add.js";
import { add, chipsOf, decide, facetOf, focused, rest } from "./chips.js";
import { say } from "./house.js";

export class Facets {
  /** @param {{url: string, words: Function, current: () => HTMLFormElement, notice: Function, ask: Function, save: Function}} door */
  constructor({ url, words, current, notice, ask, save }) {
    Object.assign(this, { url, words, current, notice, ask, save, tagsOf: null });
    this.taxonomy();
  }

  /** Every tag by facet, fetched once; tried again by the next who asks when it failed. */
  async taxonomy() {
    const headers = { Accept: "application/json" };
    this.tagsOf ??= fetch(this.url, { headers, credentials: "same-origin" }).then((r) => (r.ok ? r.json() : Promise.reject(r)));
    try {
      return await this.tagsOf;
    } catch {
      this.tagsOf = null;
      return {};
    }
  }

  /** The facet's tags (its first ones, where it has thousands) and how many more there are. */
  async offered(facet) {
    const pk = facet.dataset.facet;
    const all = await this.taxonomy();
    if (!all[pk]) { // a taxonomy too big to travel whole comes by facet
      const rest = await this.fetched({ facet: pk }).catch(() => ({}));
      all[pk] = rest[pk] ?? { tags: [], more: 0 };
    }
    return all[pk];
  }

  async fetched(query) {
    const headers = { Accept: "application/json" };
    const answer = await fetch(`${this.url}&${new URLSearchParams(query)}`, { headers, credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  }

  async tagsIn(facet) { return (await this.offered(facet)).tags; }

  /** What type-ahead asks the server for where a facet has more tags than travel with the page. */
  async find(facet, text) {
    if (!(await this.offered(facet)).more) return [];
    return (await this.fetched({ facet: facet.dataset.facet, q: text }).catch(() => ({ tags: [] }))).tags;
  }

  /** Type-ahead for a facet; with ``instead`` the found tag takes that chip's place. */
  async addTo(facet, instead, title) {
    const form = this.current();
    const name = facet.dataset.label;
    const answer = await askForTag({
      title: title ? title : instead ? this.words("correct", { tag: instead.dataset.label }) : this.words("addTo", { facet: name }),
      tags: this.tagsIn(facet),
      find: (text) => this.find(facet, text),
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
    const offer = (await this.taxonomy())[pk];
    if (offer && !offer.tags.some((known) => known.id === tag.id)) offer.tags.push(tag);
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
    const tags = await this.tagsIn(facet);
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
    const tag = (await this.tagsIn(facet)).find((t) => t.id === Number(button.dataset.tag));
    if (tag) this.put(facet, tag);
  }
}
