// The desk: the product on screen, those that come next, fetched and leased ahead, and those that one came from.

import { focused, rest } from "./chips.js";
import { say } from "./house.js";
import { post } from "./queue.js";
import { Tabs } from "./tabs.js";

export const idOf = (form) => Number(form.dataset.product);

export class Desk {
  /** @param {{config: object, words: Function, queue: SendQueue, notice: Function, signedOut: Function, leave: Function}} door ``leave``: the product on screen is about to go */
  constructor({ config, words, queue, notice, signedOut, leave }) {
    Object.assign(this, { config, words, queue, notice, signedOut, leave });
    this.room = document.getElementById("desk");
    this.ahead = []; // forms of products that are ours and come next
    this.trail = []; // products we came from, latest last: {product, form}; the form only where nothing was saved
    this.passed = new Set(); // products skipped or flagged in this session
    this.filling = null;
    this.twin = false;
    const twin = () => { this.twin = true; queue.partWays(); };
    this.tabs = new Tabs(`${config.catalogue}:${config.user}`, { session: queue.tab, shown: () => [this.current()].filter(Boolean).map(idOf), mine: () => this.mine().map(idOf), twin, yields: (products) => this.yields(products) });
  }

  current() { return this.room.querySelector("form.stage"); }
  mine() { return [this.current(), ...this.ahead].filter(Boolean); }

  /** Begin with what the page came with, or with the next where another tab has that and nobody asked for it. */
  async open() {
    const asked = new URLSearchParams(location.search).has("product");
    if (this.current()) rest(this.current(), focused(this.current()), { scroll: false });
    else if (!document.querySelector("#conflicts .conflict")) this.nothingLeft();
    await this.tabs.meet();
    const here = this.current();
    const elsewhere = here && this.tabs.taken.has(idOf(here));
    if (elsewhere && asked && !this.twin) this.notice(this.words("alsoInTab"));
    if (!elsewhere || asked && !this.twin) { this.fill(); return; }
    await this.advance("shown");
    if (this.current()) this.notice(this.words("otherTab"));
  }

  /** What is on screen goes, and what was said beside it. What is said while the next one is fetched stays. */
  put(content) {
    if (this.current()) {
      this.leave();
      this.notice("");
    }
    this.room.replaceChildren(content);
  }

  show(form, spoken) {
    this.put(form);
    form.elements.shown_at.value = new Date().toISOString();
    this.address({ product: idOf(form) });
    scrollTo(0, 0);
    rest(form, focused(form), { scroll: false });
    if (spoken) say(this.words(spoken, { title: form.dataset.title }));
    this.tabs.tell();
  }

  address(more = {}) {
    history.replaceState(null, "", `${this.config.urls.page}?${new URLSearchParams({ ...this.config.filters, ...more })}`);
  }

  /** The next product, at once where one is ahead. */
  async advance(spoken) {
    for (;;) {
      const form = this.ahead.shift();
      if (!form) break;
      if (new Date(form.dataset.leaseUntil) > Date.now()) {
        this.show(form, spoken);
        this.fill();
        return;
      }
    }
    this.put(document.getElementById("loading").content.cloneNode(true));
    say(this.words("loading"));
    await this.fill();
    if (!this.ahead.length) {
      await this.queue.settled();
      await this.fill();
    }
    if (this.current()) return;
    if (this.ahead.length) this.show(this.ahead.shift(), spoken);
    else this.nothingLeft();
  }

  nothingLeft() {
    this.put(document.getElementById("empty").content.cloneNode(true));
    this.address();
    this.tabs.tell();
    if (this.tabs.taken.size) this.notice(this.words("restInTab"));
    setTimeout(async () => {
      if (this.current()) return;
      await this.fill();
      if (!this.current() && this.ahead.length) {
        this.notice(""); // what was said beside an empty desk is true no more
        this.show(this.ahead.shift(), "shown");
      } else if (!this.current()) this.nothingLeft();
    }, 15000);
  }

  /** Keep enough products ahead. One request at a time; whoever calls meanwhile waits for the same. */
  fill() {
    this.filling ??= this.fetchAhead().finally(() => { this.filling = null; });
    return this.filling;
  }

  async fetchAhead() {
    const wanted = this.config.ahead - this.ahead.length;
    if (wanted <= 0) return;
    const here = this.mine().map(idOf);
    const away = [...this.queue.entries.map((e) => e.about), ...this.trail.filter((t) => t.form).map((t) => t.product), ...this.passed, ...this.tabs.taken];
    const query = new URLSearchParams({ ...this.config.filters, count: wanted, exclude: [...new Set([...here, ...away])].join(",") });
    const forms = await this.fragments(`${this.config.urls.next}?${query}`);
    const known = new Set([...this.mine().map(idOf), ...this.tabs.taken]);
    this.ahead.push(...forms.filter((form) => !known.has(idOf(form))));
    this.tabs.tell();
  }

  /** Cards from the server, ready to be shown; their pictures begin to load now. */
  async fragments(url) {
    let response;
    try {
      response = await fetch(url, { headers: { Accept: "application/json, text/html" }, credentials: "same-origin" });
    } catch {
      return [];
    }
    if (!response.ok) {
      if (response.status === 401) this.signedOut();
      else if (response.headers.get("Content-Type")?.includes("json")) this.notice((await response.json()).message);
      return [];
    }
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    return [...parsed.querySelectorAll("form.stage")].map((form) => document.importNode(form, true));
  }

  /** A product by its id, as it stands now, on screen; what was on screen comes right after it. */
  async bringBack(product) {
    const [form] = await this.fragments(`${this.config.urls.card}?product=${product}`);
    if (!form) return false;
    const here = this.current();
    if (here && idOf(here) !== product) this.ahead.unshift(here);
    this.forget([product]);
    this.show(form, "shown");
    return true;
  }

  /** Another tab has these too: what is only ahead goes to it, what is on screen stays. */
  yields(products) {
    const before = this.ahead.length;
    this.forget(products);
    if (this.ahead.length < before) this.fill();
  }

  /** These come next no more. */
  forget(products) {
    this.ahead = this.ahead.filter((form) => !products.includes(idOf(form)));
  }

  /** On without saying anything; back brings this very form again. */
  next() {
    const form = this.current();
    if (!form) return;
    this.trail.push({ product: idOf(form), form });
    this.advance("shown");
  }

  /** Back to where one came from, as it stands now if it was saved. */
  async back() {
    const before = this.trail.pop();
    if (!before) { this.notice(this.words("first")); return; }
    if (before.form) { this.again(before.form); return; }
    while (this.queue.about(before.product).some((e) => e.state === "waiting")) await new Promise((r) => this.queue.addEventListener("change", r, { once: true }));
    if (!(await this.bringBack(before.product))) this.trail.push(before);
  }

  /** A form that was here before, on screen again before what is. */
  again(form) {
    if (this.current()) this.ahead.unshift(this.current());
    this.show(form, "shown");
  }

  /** While somebody works here, what is on screen and ahead stays theirs. */
  async renew(lastTouch) {
    const mine = this.mine();
    const seconds = this.config.leaseSeconds;
    if (!mine.length || Date.now() - lastTouch > seconds * 1000) return;
    this.tabs.tell();
    const answer = await post(this.config.urls.renew, new URLSearchParams(mine.map((form) => ["product", idOf(form)])).toString());
    if (!answer.ok) return;
    const kept = new Set(answer.body.products);
    const until = new Date(Date.now() + seconds * 1000).toISOString();
    for (const form of mine) {
      if (kept.has(idOf(form))) form.dataset.leaseUntil = until;
      else if (form === this.current()) this.notice(this.words("leaseLost"));
      else this.forget([idOf(form)]);
    }
  }
}
