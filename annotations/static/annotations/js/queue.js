// The send queue: what was decided goes to the server in the background, and nothing is lost on the way.
//
// Entries are sent in order, at most four at a time. Two about the same product follow one another; a barrier (undo)
// waits for all before it. Each body names itself (the card's nonce, from which the ids of its decisions are made), so
// a repeated send is one decision. Unsent entries are kept in localStorage and survive a reload, a crash, an evening
// without connection.

const IN_FLIGHT = 4;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
const ADOPT_AFTER = 30000; // an entry of another tab that has not moved for this long belongs to nobody

export class SendQueue extends EventTarget {
  /**
   * @param {string} name of the store: one per catalogue and user
   * Events: "change" (counts), "done" (detail: entry, answer), "conflict" and "refused" (detail: entry)
   */
  constructor(name) {
    super();
    this.key = `tagstudio:${name}`;
    this.tab = sessionStorage.getItem("tagstudio:tab") || newId();
    sessionStorage.setItem("tagstudio:tab", this.tab);
    this.entries = [];
    this.flying = new Set();
    this.wait = FIRST_WAIT;
    this.timer = null;
    this.trouble = ""; // "", "offline", "signed-out"
    this.adopt();
    addEventListener("online", () => this.retry());
    addEventListener("storage", (event) => { if (event.key === this.key) this.changed(); });
  }

  /** Entry: {id, kind, url, body, about, title, mine}; kinds other than "save" may not be repeated by hand. */
  push(entry) {
    this.entries.push({ id: newId(), tries: 0, state: "waiting", tab: this.tab, at: Date.now(), ...entry });
    this.keep();
    this.pump();
    return this.entries.at(-1);
  }

  /** Unsaved: whatever the server has not acknowledged. Late: those that already failed once, or were refused. */
  get counts() {
    const open = this.entries.length;
    return { open, late: this.entries.filter((e) => e.tries > 0 && !this.flying.has(e.id) || e.state !== "waiting").length };
  }

  about(product) { return this.entries.filter((e) => e.about === product); }

  /** Resolves when nothing waits any more (conflicts and refusals apart, which wait for the reviewer). */
  settled() {
    return new Promise((resolve) => {
      const look = () => {
        if (this.entries.some((e) => e.state === "waiting")) return;
        this.removeEventListener("change", look);
        resolve();
      };
      this.addEventListener("change", look);
      look();
    });
  }

  /** The last entry, if it has never left this browser: taken out again, for an undo without the server. */
  takeBack() {
    const last = this.entries.at(-1);
    if (!last || last.kind !== "save" || last.tries || this.flying.has(last.id) || last.state !== "waiting") return null;
    this.drop(last.id);
    return last;
  }

  drop(id) {
    this.entries = this.entries.filter((e) => e.id !== id);
    this.keep();
    this.pump();
  }

  /** Send it again with changes (keep mine: a new version, a new nonce). */
  change(id, changes) {
    const entry = this.entries.find((e) => e.id === id);
    if (!entry) return;
    Object.assign(entry, { state: "waiting", tries: 0, details: null }, changes);
    this.keep();
    this.pump();
  }

  retry() {
    clearTimeout(this.timer);
    this.timer = null;
    this.wait = FIRST_WAIT;
    this.trouble = "";
    for (const entry of this.entries) if (entry.state === "refused") entry.state = "waiting";
    this.pump();
  }

  pump() {
    if (!this.timer) {
      const busy = new Set([...this.flying].map((id) => this.entries.find((e) => e.id === id)?.about));
      for (const entry of this.entries) {
        if (this.flying.size >= IN_FLIGHT) break;
        if (this.flying.has(entry.id)) continue;
        if (entry.state === "waiting" && !busy.has(entry.about)) this.send(entry);
        busy.add(entry.about); // a later entry about the same product waits for this one, whatever its state
      }
    }
    this.changed();
  }

  async send(entry) {
    this.flying.add(entry.id);
    const answer = await post(entry.url, entry.body);
    this.flying.delete(entry.id);
    entry.at = Date.now();
    if (answer.ok) {
      this.entries = this.entries.filter((e) => e.id !== entry.id);
      this.wait = FIRST_WAIT;
      this.trouble = "";
      this.keep();
      this.tell("done", { entry, answer: answer.body });
    } else if (answer.status === 409 && entry.kind === "save") {
      Object.assign(entry, { state: "conflict", details: answer.body, tries: entry.tries + 1 });
      this.keep();
      this.tell("conflict", { entry });
    } else if (answer.again) {
      entry.tries += 1;
      this.trouble = answer.status === 401 || answer.status === 403 ? "signed-out" : "offline";
      this.keep();
      this.later();
      this.tell("late", { entry });
    } else {
      Object.assign(entry, { state: "refused", details: answer.body, tries: entry.tries + 1 });
      this.keep();
      this.tell("refused", { entry });
    }
    this.pump();
  }

  later() {
    if (this.timer) return;
    this.timer = setTimeout(() => { this.timer = null; this.pump(); }, this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }

  // -- kept in this browser ------------------------------------------------------------------------------------

  stored() {
    try { return JSON.parse(localStorage.getItem(this.key)) ?? []; } catch { return []; }
  }

  /** Ours as they are now, beside those of other tabs. */
  keep() {
    const others = this.stored().filter((e) => e.tab !== this.tab);
    try {
      localStorage.setItem(this.key, JSON.stringify([...others, ...this.entries]));
    } catch { /* storage full or switched off: the guard on leaving still holds */ }
    this.changed();
  }

  /** Take over what an earlier page of this tab, or a tab that is gone, left unsent. */
  adopt() {
    const now = Date.now();
    const stored = this.stored();
    this.entries = stored.filter((e) => e.tab === this.tab || now - e.at > ADOPT_AFTER).map((e) => ({ ...e, tab: this.tab }));
    const ids = this.adopted = new Set(this.entries.map((e) => e.id));
    try {
      localStorage.setItem(this.key, JSON.stringify([...stored.filter((e) => !ids.has(e.id)), ...this.entries]));
    } catch { /* as above */ }
  }

  /** This tab was made as a copy of another, which still has what it had: from now on it is one of its own. */
  partWays() {
    this.entries = this.entries.filter((e) => !this.adopted.has(e.id));
    this.tab = newId();
    sessionStorage.setItem("tagstudio:tab", this.tab);
    for (const entry of this.entries) entry.tab = this.tab;
    this.keep();
  }

  changed() { this.tell("change", this.counts); }

  tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

/** POST a form body. {ok, status, body, again}: `again` when the same request may succeed later. */
export async function post(url, body) {
  const controller = new AbortController();
  const timeout = setTimeout(() => controller.abort(), 20000);
  try {
    const response = await fetch(url, {
      method: "POST", body, credentials: "same-origin", redirect: "manual", signal: controller.signal,
      headers: { "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": csrf() },
    });
    const said = response.headers.get("Content-Type")?.includes("json") ? await response.json() : {};
    // a 403 without our JSON is the CSRF check: another tab signed in anew, so the next try carries the new token
    const again = response.status >= 500 || [0, 401, 408, 425, 429].includes(response.status) || response.status === 403 && !said.code;
    return { ok: response.ok, status: response.status, body: said, again };
  } catch {
    return { ok: false, status: 0, body: {}, again: true };
  } finally {
    clearTimeout(timeout);
  }
}

/** The freshest token: the cookie, since a sign-in in another tab changes it; else the one of the page. */
function csrf() {
  const cookie = document.cookie.match(/(?:^|;\s*)(?:__Host-|__Secure-)?csrftoken=([^;]+)/);
  return cookie ? cookie[1] : document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** A random UUID; crypto.randomUUID is missing on plain http outside localhost. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
