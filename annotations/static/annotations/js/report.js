// What the send queue has to tell: counts in the header, the list of what is unsaved, and conflicts to settle.

import { say } from "./house.js";

const SIGNS = { accept: "✓", add: "+", reject: "✕", remove: "–", undo: "↶", complete: "·" };
const KIND = { accept: "yes", add: "yes", reject: "no", remove: "no" };

export class Report extends EventTarget {
  /** Events: "keep-mine", "take-theirs", "show" (detail: the entry). */
  constructor(queue, words, config) {
    super();
    Object.assign(this, { queue, words, config });
    this.line = document.getElementById("queue-state");
    this.badge = document.getElementById("unsaved-count");
    queue.addEventListener("change", () => this.draw());
    queue.addEventListener("conflict", ({ detail }) => this.conflict(detail.entry));
    queue.addEventListener("refused", ({ detail: { entry } }) => say(this.refusal(entry)));
    for (const entry of queue.entries) if (entry.state === "conflict") this.conflict(entry);
    this.draw();
  }

  refusal(entry) { return this.words("refused", { title: entry.title, message: entry.details?.message ?? "" }); }

  draw() {
    const { open, late } = this.queue.counts;
    const trouble = { "offline": "offline", "signed-out": "signedOut" }[this.queue.trouble] ?? "unsaved";
    if (this.line) {
      this.line.textContent = late ? this.words(trouble, { n: open }) : open ? this.words("sending", { n: open }) : this.words("saved");
      this.line.classList.toggle("down", late > 0);
    }
    this.badge.hidden = !late;
    this.badge.textContent = this.words("unsaved", { n: open });
    if (this.queue.trouble === "signed-out") this.signedOut();
    const dialog = document.getElementById("unsaved");
    if (dialog.open) this.fillList();
    if (dialog.open && !open) dialog.close();
  }

  // -- counts in the header ------------------------------------------------------------------------------------

  count(by) {
    const today = document.getElementById("today");
    today.textContent = Math.max(0, Number(today.textContent) + by);
    this.left(Math.max(0, Number(document.getElementById("left").textContent) - by));
  }

  left(n) {
    document.getElementById("left").textContent = n;
    const bar = document.getElementById("progress");
    const today = Number(document.getElementById("today").textContent);
    bar.max = Math.max(1, today + n);
    bar.value = today;
  }

  signedOut() {
    const room = document.getElementById("notice");
    if (room.querySelector("[data-signed-out]")) return;
    // this very page sends whoever is signed out to sign in, and back here
    const link = Object.assign(document.createElement("a"), { href: location.pathname + location.search, textContent: this.words("signIn") });
    const note = Object.assign(document.createElement("p"), { className: "note", textContent: `${this.words("signedOut", { n: this.queue.counts.open })} ` });
    note.dataset.signedOut = "";
    note.append(link);
    room.replaceChildren(note);
  }

  // -- what is unsaved -----------------------------------------------------------------------------------------

  list() {
    this.fillList();
    document.getElementById("unsaved").showModal();
  }

  fillList() {
    document.getElementById("unsaved-list").replaceChildren(...this.queue.entries.map((entry) => {
      const row = document.createElement("li");
      const title = Object.assign(document.createElement("b"), { textContent: entry.title });
      const why = Object.assign(document.createElement("small"), { textContent: entry.details?.message ?? "" });
      row.append(title, " ", why);
      if (entry.state === "refused") row.append(this.button("show", entry), this.button("drop", entry));
      return row;
    }));
  }

  button(does, entry) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn plain", textContent: this.words(does) });
    button.addEventListener("click", () => {
      if (does === "show") {
        document.getElementById("unsaved").close();
        this.tell("show", entry);
      } else if (window.confirm(this.words("dropSure", { title: entry.title }))) {
        this.queue.drop(entry.id);
      }
    });
    return button;
  }

  // -- conflicts -----------------------------------------------------------------------------------------------

  conflict(entry) {
    const panel = document.getElementById("conflict").content.firstElementChild.cloneNode(true);
    panel.querySelector("h2").textContent = this.words("conflict", { title: entry.title });
    const theirs = entry.details.decisions ?? [];
    this.side(panel, "theirs", this.words("theirs", { name: [...new Set(theirs.map((d) => d.by))].join(", ") }), theirs.filter((d) => d.tag));
    this.side(panel, "mine", this.words("mine"), entry.mine);
    for (const [does, word] of [["keep-mine", "keepMine"], ["take-theirs", "takeTheirs"]]) {
      const button = panel.querySelector(`[data-does=${does}]`);
      button.firstElementChild.textContent = this.words(word);
      button.addEventListener("click", () => {
        panel.remove();
        this.tell(does, entry);
      });
    }
    document.getElementById("conflicts").append(panel);
  }

  side(panel, name, title, decisions) {
    const head = panel.querySelector(`[data-side=${name}]`);
    head.textContent = title;
    const rows = decisions.length ? decisions : [{ verdict: "", label: this.words("nothing") }];
    head.nextElementSibling.append(...rows.map(({ verdict, label }) => {
      const row = document.createElement("li");
      const sign = Object.assign(document.createElement("span"), { className: `sign ${KIND[verdict] ?? ""}`, textContent: SIGNS[verdict] ?? "" });
      sign.setAttribute("aria-hidden", "true");
      row.append(sign, ` ${label} `);
      if (verdict) row.append(Object.assign(document.createElement("small"), { textContent: this.words(verdict) }));
      return row;
    }));
  }

  tell(name, entry) { this.dispatchEvent(new CustomEvent(name, { detail: entry })); }
}
