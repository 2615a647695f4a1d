// The tags of each facet, as they come from the server: all at once where there are few, else the first ones of a
// facet, its whole for type-ahead, and what a typed text finds beyond.

export class Taxonomy {
  constructor(url) {
    Object.assign(this, { url, all: null, wholes: new Map() });
  }

  /** Every tag by facet, fetched once; tried again by the next who asks when it failed. */
  async every() {
    this.all ??= fetched(this.url);
    try {
      return await this.all;
    } catch {
      this.all = null;
      return {};
    }
  }

  /** The facet's tags (its first ones, where it has many) and how many more there are: {tags, more}. */
  async offered(facet) {
    const all = await this.every();
    if (!all[facet]) { // a taxonomy too big to travel whole comes by facet
      const rest = await this.ask({ facet }).catch(() => ({}));
      all[facet] = rest[facet] ?? { tags: [], more: 0 };
    }
    return all[facet];
  }

  /** As many of the facet's tags as have letters of their own, which is all of them but in the largest facets. */
  async whole(facet) {
    const offered = await this.offered(facet);
    if (!offered.more) return offered;
    if (!this.wholes.has(facet)) {
      this.wholes.set(facet, this.ask({ facet, whole: 1 }).then((found) => found[facet] ?? offered).catch(() => { this.wholes.delete(facet); return offered; }));
    }
    return this.wholes.get(facet);
  }

  /** What the server finds for a text where the facet has more tags than came here. */
  async find(facet, q) {
    if (!(await this.whole(facet)).more) return [];
    return (await this.ask({ facet, q }).catch(() => ({ tags: [] }))).tags;
  }

  /** A tag that was made just now. */
  async learn(facet, tag) {
    for (const place of [await this.offered(facet), await this.wholes.get(facet)]) {
      if (place && !place.tags.some((known) => known.id === tag.id)) place.tags.push(tag);
    }
  }

  ask(query) { return fetched(`${this.url}&${new URLSearchParams(query)}`); }
}

async function fetched(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}
