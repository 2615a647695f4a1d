// The review screen: what is decided about the product on the desk, and which key and button does what. The next product
// is there at once; what was decided is sent in the background by the send queue.

import { chipsOf, decide, facetOf, focused, rest, step, stepFacet, unsaid } from "./chips.js";
import { chooseWords } from "./choosing.js";
import { numberWithShift } from "./corrections.js";
import { Desk, idOf } from "./desk.js";
import { Facets } from "./facets.js";
import { say } from "./house.js";
import { listen } from "./keys.js";
import { goRound, help, nextPicture, showPicture } from "./looking.js";
import { SendQueue, newId, post } from "./queue.js";
import { Reasons } from "./reasons.js";
import { Report } from "./report.js";
import { askComment, askFamily, askWhy, showComment } from "./sheets.js";
import { swipes } from "./swipe.js";
import { Taxonomy } from "./taxonomy.js";

const config = JSON.parse(document.getElementById("review-config").textContent);
const words = (name, values = {}) => config.words[name].replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
const queue = new SendQueue(`${config.catalogue}:${config.user}`);
const report = new Report(queue, words, config);

const desk = new Desk({ config, words, queue, notice, signedOut: () => report.signedOut(), leave: () => reasons.close() });
const current = () => desk.current();
const sent = new Map(); // queue entry -> its form, to take back what never left
let lastTouch = Date.now();
let undoing = false;

const facets = new Facets({ taxonomy: new Taxonomy(config.urls.tags), letters: config.shortcuts, words, current, notice, ask: request, save });
const reasons = new Reasons({ words, missing: (facet) => facets.addTo(facet, null, words("missing", { facet: facet.dataset.label })) });

// -- deciding ----------------------------------------------------------------------------------------------------

function save(how) {
  const form = current();
  if (!form) return;
  if (!chipsOf(form).length && !form.dataset.sure) { // nothing suggested, nothing added: most likely a slip
    form.dataset.sure = "asked";
    notice(words("nothingChosen"));
    say(words("nothingChosen"));
    return;
  }
  send(form, how, config.urls.save, [], "next");
}

/** The card goes to the server in the background, and the next one is there at once. */
function send(form, how, url, extra, spoken) {
  const began = performance.now();
  form.elements.input.value = how;
  const fields = new URLSearchParams(new FormData(form));
  fields.delete("csrfmiddlewaretoken");
  for (const [name, value] of extra) fields.append(name, value);
  const entry = queue.push({ kind: "save", url, body: fields.toString(), about: idOf(form), title: form.dataset.title, mine: mineOf(form) });
  sent.set(entry.id, form);
  desk.trail.push({ product: idOf(form), form: null });
  report.count(1 + extra.length);
  desk.advance(spoken);
  requestAnimationFrame(() => setTimeout(() => performance.measure("save-to-next", { start: began })));
}

/** What the card says, for the other variants too. */
async function family(button, how) {
  const form = current();
  if (!form?.querySelector("[data-does=family]")) { notice(words("noFamily")); return; }
  const body = new URLSearchParams(new FormData(form));
  let html = "";
  try {
    const response = await fetch(config.urls.family, { method: "POST", body, credentials: "same-origin", headers: { "Accept": "text/html", "X-Fragment": "1" } });
    if (response.ok && !response.redirected) html = await response.text();
  } catch { /* said below */ }
  if (form !== current()) return;
  const chosen = html && await askFamily(html);
  if (form !== current()) return;
  if (!html) notice(words("failed"));
  if (!chosen) { rest(form, focused(form)); return; }
  const reached = chosen.map((value) => Number(value.split(":")[0]));
  for (const product of reached) desk.passed.add(product);
  desk.forget(reached);
  send(form, how, config.urls.saveFamily, chosen.map((value) => ["variant", value]), "applied");
}

async function comment() {
  const form = current();
  const text = form && await askComment(config.people);
  if (!form || form !== current()) return;
  if (text) {
    queue.push({ kind: "comment", url: config.urls.comment, body: new URLSearchParams({ product: idOf(form), comment: text }).toString(), about: `comment:${idOf(form)}`, title: text });
    showComment(form, config.name, text);
  }
  rest(form, focused(form));
}

const mineOf = (form) =>
  chipsOf(form)
    .filter((chip) => chip.name === "on" || chip.checked)
    .map((chip) => ({ label: chip.dataset.label, verdict: chip.checked ? (chip.name === "add" ? "add" : "accept") : "reject" }));

function speak(chip, yes) {
  const form = chip.form;
  const facet = facetOf(chip).dataset.label;
  say(words(yes ? "accepted" : "rejected", { facet, tag: chip.dataset.label, n: unsaid(form) }));
}

function sayToChip(yes) {
  const form = current();
  const chip = form && focused(form);
  if (!chip) return;
  if (!chip.dataset.tag) { // a facet without chips: the focus rests on its "add"
    if (yes === undefined) facets.addTo(facetOf(chip));
    else step(form, 1);
    return;
  }
  const wasYes = chip.checked;
  decide(chip, yes ?? !chip.checked);
  speak(chip, chip.checked);
  if (yes !== undefined) step(form, 1);
  if (yes === false || wasYes && !chip.checked) reasons.offer(chip, yes === false);
  else reasons.close();
}

/** A value that the taxonomy lacks, for its owner to decide on. */
function request(facet, text) {
  const body = new URLSearchParams({ facet: facet.dataset.facet, product: idOf(current()), text }).toString();
  queue.push({ kind: "request", url: config.urls.request, body, about: `request:${text}`, title: text });
}

// -- back and forth ----------------------------------------------------------------------------------------------

function pass(kind, url, extra, spoken) {
  const form = current();
  if (!form) return;
  desk.passed.add(idOf(form));
  desk.trail.push({ product: idOf(form), form: null });
  queue.push({ kind, url, body: new URLSearchParams({ product: idOf(form), ...extra }).toString(), about: idOf(form), title: form.dataset.title });
  desk.advance(spoken);
}

async function flag() {
  const form = current();
  const reason = form && await askWhy();
  if (!form || form !== current()) return;
  if (reason) pass("flag", config.urls.flag, { reason }, "flagged");
  else rest(form, focused(form));
}

async function unflag(button) {
  const answer = await post(config.urls.unflag, new URLSearchParams({ product: idOf(current()) }).toString());
  notice(answer.body.message ?? words("failed"));
  if (answer.ok) button.remove();
}

/** The focused tag on many products at once. */
function toGrid() {
  const chip = current() && focused(current());
  const about = chip ? { facet: facetOf(chip).dataset.slug, ...(chip.dataset.slug ? { tag: chip.dataset.slug } : {}) } : {};
  location.assign(`${config.urls.grid}?${new URLSearchParams(about)}`);
}

async function takeBack() {
  if (undoing) return;
  const unsent = queue.takeBack();
  if (unsent && sent.has(unsent.id)) {
    desk.trail.pop();
    report.count(-1);
    desk.again(sent.get(unsent.id));
    return;
  }
  await reverse(config.urls.undo, -1);
}

async function reverse(url, count) {
  undoing = true;
  try {
    if (queue.counts.open) notice(words("undoWaits"));
    await queue.settled();
    const answer = await post(url, "input=key");
    if (!answer.ok) {
      if (answer.status === 401) report.signedOut();
      notice(answer.body.message ?? words("failed"));
      return;
    }
    const [product] = answer.body.products;
    if (product !== undefined && count < 0) {
      report.count(-1);
      await desk.bringBack(product);
    } else if (product !== undefined) {
      report.count(1);
      if (current() && idOf(current()) === product) await desk.advance();
    }
    notice(answer.body.message);
    say(answer.body.message);
  } finally {
    undoing = false;
  }
}

function notice(text, held = []) {
  const room = document.getElementById("notice");
  room.replaceChildren();
  if (text) room.append(Object.assign(document.createElement("p"), { className: "note plain", textContent: text }));
  for (const { title, why } of held) room.append(Object.assign(document.createElement("p"), { className: "note", textContent: `${words("heldBack")}: ${title} – ${why}` }));
}

// -- doors: clicks, keys, the queue's news -----------------------------------------------------------------------

const DOES = {
  "save": (button, how) => save(how),
  "skip": () => pass("skip", config.urls.skip, {}, "skipped"),
  "flag": flag,
  "unflag": unflag,
  "family": family,
  "comment": comment,
  "grid": toGrid,
  "choose-words": () => current() && notice(chooseWords(current(), words)),
  "undo": takeBack,
  "redo": () => undoing || reverse(config.urls.redo, 1),
  "help": help,
  "accept": () => sayToChip(true),
  "reject": () => sayToChip(false),
  "toggle": () => sayToChip(),
  "correct": () => {
    const chip = current() && focused(current());
    if (chip) facets.addTo(facetOf(chip), chip.dataset.tag && chip.checked ? chip : null);
  },
  "correct-this": (number) => {
    const chip = number.closest(".pick").firstElementChild;
    rest(chip.form, chip);
    facets.addTo(facetOf(chip), chip);
  },
  "add": (button) => facets.addTo(facetOf(button)),
  "pick": (button) => facets.pick(button),
  "evidence": () => goRound(current(), words),
  "next-chip": () => current() && step(current(), 1),
  "last-chip": () => current() && step(current(), -1),
  "next-facet": () => current() && stepFacet(current(), 1),
  "last-facet": () => current() && stepFacet(current(), -1),
  "next-product": () => desk.next(),
  "last-product": () => desk.back(),
  "next-picture": () => nextPicture(current()),
  "unsaved": () => report.list(),
  "retry": () => queue.retry(),
};

document.addEventListener("click", (event) => {
  lastTouch = Date.now();
  const picture = event.target.closest("[data-picture]");
  if (picture) {
    event.preventDefault();
    showPicture(current(), picture);
    return;
  }
  const button = event.target.closest("[data-does]");
  const does = button && DOES[button.dataset.does];
  if (!does) return;
  event.preventDefault();
  does(button, event.detail ? "click" : "key");
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("form.stage")) {
    event.preventDefault();
    save("key");
  }
});
desk.room.addEventListener("change", (event) => {
  if (!event.target.matches(".pick > input")) return;
  decide(event.target, event.target.checked);
  rest(event.target.form, event.target);
  speak(event.target, event.target.checked);
  if (event.target.checked) reasons.close();
  else reasons.offer(event.target);
});
swipes(desk.room, ".pick", (pick, yes) => {
  rest(pick.closest("form"), pick.firstElementChild);
  sayToChip(yes);
});
swipes(desk.room, ".product", (_product, yes) => sayToChip(yes));
desk.room.addEventListener("focusin", (event) => {
  if (event.target.matches(".pick > input") && !event.target.classList.contains("at-chip")) rest(event.target.form, event.target);
});
desk.room.addEventListener("facet:rest", (event) => facets.numbers(event.target));
desk.room.addEventListener("facet:leave", (event) => { event.target.querySelector(".more").hidden = true; });
document.addEventListener("keydown", () => { lastTouch = Date.now(); });

queue.addEventListener("done", ({ detail: { entry, answer } }) => {
  sent.delete(entry.id);
  if (entry.kind === "request") {
    notice(answer.message);
    const asked = new URLSearchParams(entry.body);
    if (answer.tag) facets.came(asked.get("product"), asked.get("facet"), answer.tag);
  }
  else if (entry.kind === "save" && answer.message) { notice(answer.message, answer.held); say(answer.message); }
});
report.addEventListener("keep-mine", ({ detail: entry }) => {
  const fields = new URLSearchParams(entry.body);
  fields.set("version", entry.details.version);
  fields.set("card", newId());
  queue.change(entry.id, { body: fields.toString() });
});
report.addEventListener("take-theirs", ({ detail: entry }) => queue.drop(entry.id));
report.addEventListener("show", ({ detail: entry }) => desk.bringBack(entry.about));

addEventListener("beforeunload", (event) => {
  if (queue.counts.open) event.preventDefault();
});

setInterval(() => desk.renew(lastTouch), Math.min(60, config.leaseSeconds / 3) * 1000);

if (config.shortcuts) {
  listen();
  numberWithShift(current);
}
desk.open();
queue.pump();
