// The grid: one facet, many products. All tiles come accepted; the reviewer marks the odd ones out, and Enter sends what
// has been on screen, and only that.

import { askForTag } from "./add.js";
import { say } from "./house.js";
import { listen } from "./keys.js";
import { help } from "./looking.js";
import { SendQueue, newId, post } from "./queue.js";
import { Report } from "./report.js";
import { swipes } from "./swipe.js";
import { Tabs } from "./tabs.js";
import { Taxonomy } from "./taxonomy.js";

const config = JSON.parse(document.getElementById("review-config").textContent);
const words = (name, values = {}) => config.words[name].replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
const form = document.getElementById("grid");
const list = form.querySelector(".tiles");
const queue = new SendQueue(`${config.catalogue}:${config.user}`);
const report = new Report(queue, words, config);
const taxonomy = new Taxonomy(config.urls.tags);
const tabs = new Tabs(`${config.catalogue}:${config.user}`, { session: queue.tab, shown: () => tiles().map(idOf), mine: () => [...tiles(), ...ahead].map(idOf), twin: () => queue.partWays(), yields });

const ahead = []; // tiles that are ours and come next
const seen = new Set(); // products whose tile has been on screen
let filling = null;
let undoing = false;
let lastTouch = Date.now();
let keys = 0; // pressed since the page came
let decided = 0;

const tiles = () => [...list.children];
const idOf = (tile) => Number(tile.dataset.product);
const current = () => list.querySelector(".at");
const radio = (tile, value) => tile.querySelector(`.say [value=${value}]`);
const stateOf = (tile) => tile.querySelector(".say :checked").value;

// -- what has been on screen -------------------------------------------------------------------------------------

/** A tile counts as seen once most of it has been in the window, above the bar at the bottom. */
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { seen.add(idOf(entry.target)); watcher.unobserve(entry.target); }
  count();
}, { threshold: 0.6, rootMargin: "-50px 0px -64px 0px" });

function place(fresh) {
  for (const tile of fresh) {
    tile.tabIndex = -1;
    tile.setAttribute("aria-label", words("gridTile", { title: tile.dataset.title, state: words("accept") }));
    watcher.observe(tile);
  }
}

function count() {
  const shown = tiles().filter((tile) => seen.has(idOf(tile)));
  const by = { accept: 0, reject: 0, out: 0 };
  for (const tile of shown) by[stateOf(tile)] += 1;
  document.getElementById("save-word").textContent = words("gridSave", { n: by.accept, m: by.reject });
  const rate = decided ? ` · ${words("gridKeys", { n: (keys / decided).toFixed(2) })}` : "";
  document.getElementById("seen").textContent = list.children.length ? words("gridSeen", { n: shown.length, all: list.children.length }) + rate : "";
  document.getElementById("nothing").hidden = list.children.length > 0;
}

// -- moving ------------------------------------------------------------------------------------------------------

function rest(tile) {
  if (!tile) return;
  for (const old of list.querySelectorAll(".at")) { old.classList.remove("at"); old.tabIndex = -1; }
  tile.classList.add("at");
  tile.tabIndex = 0;
  tile.focus({ preventScroll: true });
  tile.scrollIntoView({ block: "nearest" });
}

/** Rows and columns as they are laid out now; over an edge one comes in at the other side. */
function move(dx, dy) {
  const all = tiles();
  if (!all.length) return;
  const at = Math.max(0, all.indexOf(current()));
  const columns = all.filter((tile) => tile.offsetTop === all[0].offsetTop).length;
  if (dx) { rest(all[(at + dx + all.length) % all.length]); return; }
  const column = at % columns;
  const inColumn = all.filter((_tile, n) => n % columns === column);
  rest(inColumn[(Math.floor(at / columns) + dy + inColumn.length) % inColumn.length]);
}

// -- saying ------------------------------------------------------------------------------------------------------

function mark(tile, state) {
  radio(tile, state).checked = true;
  if (state !== "reject") setInstead(tile, null);
  spoken(tile);
}

function spoken(tile) {
  const state = { accept: words("accept"), reject: words("reject"), out: words("gridOut") }[stateOf(tile)];
  const text = words("gridTile", { title: tile.dataset.title, state });
  tile.setAttribute("aria-label", text);
  say(text);
  count();
}

const toggle = (tile, state) => mark(tile, stateOf(tile) === state ? "accept" : state);

function setInstead(tile, tag) {
  tile.querySelector("[name^=instead-]")?.remove();
  const line = tile.querySelector(".instead");
  line.hidden = !tag;
  line.textContent = tag ? words("instead", { tag: tag.label }) : "";
  if (!tag) return;
  tile.append(Object.assign(document.createElement("input"), { type: "hidden", name: `instead-${idOf(tile)}`, value: tag.id }));
}

async function correct() {
  const tile = current();
  if (!tile) return;
  const answer = await askForTag({
    title: words("addTo", { facet: config.facet.label }), taken: new Set(), ranks: new Map(), letters: config.shortcuts,
    tags: taxonomy.whole(config.facet.id).then((whole) => whole.tags), find: (text) => taxonomy.find(config.facet.id, text),
    ask: (text) => words("ask", { text, facet: config.facet.label }), noHit: words("noHit"),
  });
  if (answer?.tag) {
    radio(tile, "reject").checked = true;
    setInstead(tile, answer.tag);
    spoken(tile);
  } else if (answer?.request) {
    const body = new URLSearchParams({ facet: config.facet.id, product: idOf(tile), text: answer.request }).toString();
    queue.push({ kind: "request", url: config.urls.request, body, about: `request:${answer.request}`, title: answer.request });
    mark(tile, "reject");
  }
  rest(tile);
  if (answer?.save) save();
}

// -- saving and what comes next ----------------------------------------------------------------------------------

function save() {
  const shown = tiles().filter((tile) => seen.has(idOf(tile)));
  const said = shown.filter((tile) => stateOf(tile) !== "out");
  if (!shown.length) { notice(words("gridNothingSeen")); return; }
  const began = performance.now();
  if (said.length) {
    const fields = new URLSearchParams();
    for (const name of ["facet", "tag", "size", "shown_at"]) if (form.elements[name]) fields.set(name, form.elements[name].value);
    fields.set("card", newId());
    for (const tile of said) for (const input of tile.querySelectorAll("input")) if (input.type !== "radio" || input.checked) fields.append(input.name, input.value);
    decided += said.length;
    queue.push({ kind: "grid", url: config.urls.saveGrid, body: fields.toString(), about: `grid:${fields.get("card")}`, title: `${config.facet.label} × ${said.length}` });
  }
  for (const tile of shown) { watcher.unobserve(tile); tile.remove(); }
  show(ahead.splice(0, config.size - list.children.length));
  form.elements.shown_at.value = new Date().toISOString();
  requestAnimationFrame(() => setTimeout(() => performance.measure("save-to-next", { start: began })));
  fill();
}

function show(fresh, first = false) {
  place(fresh);
  if (first) list.prepend(...fresh); else list.append(...fresh);
  scrollTo(0, 0);
  rest(list.firstElementChild);
  count();
}

function fill() {
  filling ??= fetchAhead().finally(() => { filling = null; });
  return filling;
}

async function fetchAhead() {
  const wanted = 2 * config.size - ahead.length - list.children.length;
  if (wanted <= 0) return;
  const sent = queue.entries.filter((e) => e.kind === "grid").flatMap((e) => new URLSearchParams(e.body).getAll("tile"));
  const here = [...tiles(), ...ahead].map(idOf);
  const query = new URLSearchParams({ ...config.ask, count: Math.min(wanted, config.size), exclude: [...new Set([...here, ...sent, ...leftOut, ...tabs.taken])].join(",") });
  const fresh = (await fragments(`${config.urls.tiles}?${query}`)).filter((tile) => !here.includes(idOf(tile)) && !tabs.taken.has(idOf(tile)));
  ahead.push(...fresh);
  tabs.tell();
  const room = config.size - list.children.length;
  if (room > 0 && ahead.length) {
    const empty = !list.children.length;
    const more = ahead.splice(0, room);
    place(more);
    list.append(...more);
    if (empty) rest(list.firstElementChild);
  }
  count();
}
const leftOut = new Set();

async function fragments(url) {
  try {
    const response = await fetch(url, { headers: { Accept: "application/json, text/html" }, credentials: "same-origin" });
    if (response.status === 401) report.signedOut();
    if (!response.ok) return [];
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    return [...parsed.querySelectorAll(".tile")].map((tile) => document.importNode(tile, true));
  } catch {
    return [];
  }
}

async function takeBack() {
  if (undoing) return;
  undoing = true;
  try {
    if (queue.counts.open) notice(words("undoWaits"));
    await queue.settled();
    const answer = await post(config.urls.undo, "input=key");
    if (!answer.ok) {
      if (answer.status === 401) report.signedOut();
      notice(answer.body.message ?? words("failed"));
      return;
    }
    if (answer.body.products.length) await bringBack(answer.body);
    else notice(answer.body.message);
    say(answer.body.message);
  } finally {
    undoing = false;
  }
}

/** What was undone is on screen again, before what was there. */
async function bringBack({ message, products }) {
  const back = await fragments(`${config.urls.tiles}?${new URLSearchParams({ ...config.ask, products: products.join(",") })}`);
  const ids = new Set(back.map(idOf));
  for (const tile of tiles()) if (ids.has(idOf(tile))) tile.remove();
  for (const [n, tile] of [...ahead.entries()].reverse()) if (ids.has(idOf(tile))) ahead.splice(n, 1);
  for (const id of ids) seen.delete(id);
  decided = Math.max(0, decided - back.length);
  show(back, true);
  notice(back.length ? message : words("gridElsewhere", { message }));
}

function notice(text, more = []) {
  const room = document.getElementById("notice");
  room.replaceChildren();
  if (!text) return;
  const note = Object.assign(document.createElement("div"), { className: "note plain held" });
  note.append(Object.assign(document.createElement("span"), { textContent: text }));
  if (more.length) {
    const rows = document.createElement("ul");
    for (const { title, why, product } of more) {
      const row = document.createElement("li");
      row.append(Object.assign(document.createElement("a"), { href: `${config.urls.page}?product=${product}`, textContent: title }), ` – ${why}`);
      rows.append(row);
    }
    note.append(rows);
  }
  room.append(note);
}

// -- doors -------------------------------------------------------------------------------------------------------

const DOES = {
  "save": save,
  "reject": () => { const tile = current(); if (tile) { toggle(tile, "reject"); } },
  "out": () => { const tile = current(); if (tile) toggle(tile, "out"); },
  "correct": correct,
  "undo": takeBack,
  "help": help,
  "unsaved": () => report.list(),
  "retry": () => queue.retry(),
};

document.addEventListener("click", (event) => {
  lastTouch = Date.now();
  const button = event.target.closest("[data-does]");
  if (button) {
    const does = DOES[button.dataset.does];
    if (does) { event.preventDefault(); does(); }
    return;
  }
  const tile = event.target.closest(".tile");
  if (!tile || event.target.closest(".say")) return;
  toggle(tile, "reject");
  rest(tile);
});
form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
list.addEventListener("change", (event) => {
  const tile = event.target.closest(".tile");
  if (event.target.value !== "reject") setInstead(tile, null);
  spoken(tile);
  rest(tile);
});
document.addEventListener("change", (event) => { if (event.target.matches("[data-submits]")) event.target.form.requestSubmit(); });
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  lastTouch = Date.now();
  const by = ARROWS[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=radio]), select, dialog")) return;
  event.preventDefault();
  keys += 1;
  move(...by);
});
swipes(list, ".tile", (tile, yes) => { mark(tile, yes ? "accept" : "reject"); rest(tile); });

queue.addEventListener("done", ({ detail: { entry, answer } }) => {
  if (entry.kind === "request") {
    notice(answer.message);
    const tile = tiles().find((t) => idOf(t) === Number(new URLSearchParams(entry.body).get("product")));
    if (answer.tag && tile && stateOf(tile) === "reject") setInstead(tile, answer.tag);
  }
  if (entry.kind !== "grid") return;
  const key = document.querySelector("[data-does=undo] kbd")?.textContent ?? "";
  const text = answer.message ? words("gridSaved", { message: answer.message, key }) : "";
  notice(text, answer.held ?? []);
  say(text);
});

addEventListener("beforeunload", (event) => { if (queue.counts.open) event.preventDefault(); });

setInterval(async () => {
  const mine = [...tiles(), ...ahead];
  tabs.tell();
  if (!mine.length || Date.now() - lastTouch > config.leaseSeconds * 1000) return;
  await post(config.urls.renew, new URLSearchParams(mine.map((tile) => ["product", idOf(tile)])).toString());
}, Math.min(60, config.leaseSeconds / 3) * 1000);

if (config.shortcuts) listen(() => { keys += 1; });
place(tiles());
rest(list.firstElementChild);
count();
queue.pump();
open();

function yields(products) {
  for (const [n, tile] of [...ahead.entries()].reverse()) if (products.includes(idOf(tile))) ahead.splice(n, 1);
}

/** What another tab has is left to it. */
async function open() {
  await tabs.meet();
  for (const tile of tiles()) if (tabs.taken.has(idOf(tile))) tile.remove();
  if (!current()) rest(list.firstElementChild);
  fill();
}
