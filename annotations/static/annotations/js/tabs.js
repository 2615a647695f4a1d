// Tabs of one person: each tells the others which products it has on screen and ahead, so that another one takes others.
// The server cannot tell them apart (a lease is a person's). A browser without BroadcastChannel, and a tab that was put
// to sleep, share products; then the version of a save tells, and nothing is decided twice.

import { newId } from "./queue.js";

const PATIENCE = 100; // ms in which the others answer a tab that is new
const FRESH = 150000; // ms after which a tab that says nothing more has let go

export class Tabs {
  /**
   * @param {string} name one per catalogue and user
   * @param {{session: string, shown: () => number[], mine: () => number[], twin: () => void, yields: (products: number[]) => void}} door
   *   ``shown``: products on screen, ``mine``: those ahead too; ``twin``: another tab has this very session, as after "duplicate this tab"; ``yields``: both asked at the same
   *   moment and were given the same, and this tab is the one to let go
   */
  constructor(name, { session, shown, mine, twin, yields }) {
    Object.assign(this, { session, shown, mine, id: newId(), others: new Map(), channel: null });
    if (!("BroadcastChannel" in window)) return;
    this.channel = new BroadcastChannel(`tagstudio:${name}`);
    this.channel.onmessage = ({ data }) => {
      if (data.gone) { this.others.delete(data.tab); return; }
      this.others.set(data.tab, { products: data.products, at: Date.now() });
      const here = this.shown();
      const gives = (product) => !here.includes(product) && (data.shown.includes(product) || data.tab < this.id);
      const both = this.mine().filter((product) => data.products.includes(product) && gives(product));
      if (both.length) yields(both);
      if (data.hello) this.tell({ answers: data.tab });
      else if (data.session === this.session && data.answers === this.id) twin();
    };
    addEventListener("pagehide", () => this.channel.postMessage({ tab: this.id, gone: true }));
    addEventListener("pageshow", (event) => { if (event.persisted) this.tell(); });
  }

  /** Say what is here. */
  tell(more = {}) { this.channel?.postMessage({ tab: this.id, session: this.session, shown: this.shown(), products: this.mine(), ...more }); }

  /** Ask the others what they have, and wait for their answers. */
  async meet() {
    if (!this.channel) return;
    this.tell({ hello: true });
    await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  }

  /** Products that other tabs have. */
  get taken() {
    const now = Date.now();
    return new Set([...this.others.values()].filter(({ at }) => now - at < FRESH).flatMap(({ products }) => products));
  }
}
