// Type-ahead over every tag of a facet: by label, path, synonym, in every language. Enter takes the top hit. What does
// not exist is sent to the taxonomy's owner; where the facet is open or counts something it comes back as a tag.

const SHOWN = 8;

/** Case, width and accents make no difference; joins neither. */
export function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[\s_\-‐-―]+/gu, " ").trim();
}

/**
 * Tags that the text may mean, best first: whole name, beginning, beginning of a later word, anywhere; among equals
 * those that the model holds likely (``ranks``: tag to place).
 */
export function search(tags, text, ranks = new Map()) {
  const wanted = fold(text);
  const likely = (tag) => ranks.get(tag.id) ?? Infinity;
  if (!wanted) return tags.map((tag) => ({ tag })).sort((a, b) => (likely(a.tag) < likely(b.tag) ? -1 : likely(a.tag) > likely(b.tag) ? 1 : 0));
  const found = [];
  for (const [order, tag] of tags.entries()) {
    let best = null;
    for (const [place, word] of [tag.label, ...tag.words].entries()) {
      const name = fold(word);
      const at = name.indexOf(wanted);
      if (at < 0) continue;
      const rank = (name === wanted ? 0 : at === 0 ? 2 : name.includes(` ${wanted}`) ? 4 : 6) + (place ? 1 : 0);
      if (!best || rank < best.rank) best = { tag, rank, order, via: place ? word : "" };
    }
    if (!best && tag.path && fold(tag.path).includes(wanted)) best = { tag, rank: 8, order, via: tag.path };
    if (best) found.push(best);
  }
  return found.sort((a, b) => a.rank - b.rank || (likely(a.tag) < likely(b.tag) ? -1 : likely(a.tag) > likely(b.tag) ? 1 : a.order - b.order));
}

/**
 * Ask for a tag. Resolves to {tag}, {request: text} or null (closed), with ``save`` when it was taken with Shift+Enter, in the same breath as the choice, so that the
 * next key already finds it done. The dialog opens at once, even while the tags are still on their way.
 * ``find`` asks for more tags as one types; what it brings joins those that are there.
 * @param {{title: string, tags: Promise<object[]>, find: (text: string) => Promise<object[]>, taken: Set<number>, ranks: Map<number, number>, ask: (text: string) => string, noHit: string}} wish
 */
export function askForTag(wish) {
  const dialog = document.getElementById("add");
  const input = document.getElementById("add-text");
  const list = document.getElementById("add-list");
  let tags = null; // those to choose from, once they are there
  let names = new Set(); // every name in use, those on the card included
  let options = [];
  let at = 0;
  let eager = false; // Enter was pressed before the tags came
  let save = false; // Shift+Enter: take it and save the card
  let asked = ""; // what the server was asked for last
  let answer = null; // its answer, while it is under way

  async function ask(text) {
    if (!wish.find || !text || text === asked) return;
    asked = text;
    const found = answer = wish.find(text);
    const more = await found;
    if (answer === found) answer = null;
    if (asked !== text || !tags) return;
    const there = new Set(tags.map((tag) => tag.id));
    tags = tags.concat(more.filter((tag) => !there.has(tag.id) && !wish.taken.has(tag.id)));
    for (const tag of more) for (const word of [tag.label, ...tag.words]) names.add(fold(word));
    if (more.length) draw();
  }

  function draw() {
    const text = input.value.trim();
    options = tags ? search(tags, text, wish.ranks).slice(0, SHOWN) : [];
    if (tags && text && !names.has(fold(text))) options.push({ request: text });
    at = Math.max(0, Math.min(at, options.length - 1));
    list.replaceChildren(...options.map((hit, place) => option(hit, place, wish)));
    if (tags && !options.length) list.append(Object.assign(document.createElement("li"), { className: "quiet", textContent: wish.noHit }));
    mark();
  }

  function mark() {
    for (const [place, item] of [...list.children].entries()) item.setAttribute("aria-selected", place === at);
    if (options.length) input.setAttribute("aria-activedescendant", `add-${at}`);
    else input.removeAttribute("aria-activedescendant");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  return new Promise((resolve) => {
    const over = new AbortController();
    const done = (chosen) => {
      over.abort();
      dialog.close();
      resolve(chosen?.request ? { request: chosen.request, save } : chosen?.tag ? { tag: chosen.tag, save } : null);
    };
    const on = (target, name, does) => target.addEventListener(name, does, { signal: over.signal });
    on(input, "input", () => { at = 0; draw(); ask(input.value.trim()); });
    on(input, "keydown", (event) => {
      if (event.isComposing) return; // Enter that ends the writing of a Chinese word chooses nothing
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        at = (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % Math.max(1, options.length);
        mark();
      } else if (event.key === "Enter") {
        event.preventDefault();
        eager = !tags;
        save = event.shiftKey;
        // what is seen is taken at once; but a name that the server is still looking for is not yet one to ask for
        if (answer && !options[at]?.tag) answer.then(() => setTimeout(() => { if (!over.signal.aborted && options.length) done(options[at]); }));
        else if (options.length) done(options[at]);
      }
    });
    on(list, "click", (event) => {
      const item = event.target.closest("[role=option]");
      if (item) done(options[[...list.children].indexOf(item)]);
    });
    on(dialog, "mousedown", (event) => { if (event.target === dialog) done(null); });
    on(dialog, "close", () => done(null));
    document.getElementById("add-title").textContent = wish.title;
    input.value = "";
    draw();
    dialog.showModal();
    input.focus();
    wish.tags.then((all) => {
      tags = all.filter((tag) => !wish.taken.has(tag.id));
      names = new Set(all.flatMap((tag) => [tag.label, ...tag.words].map(fold)));
      if (over.signal.aborted) return;
      draw();
      if (eager && options.length) done(options[at]);
    });
  });
}

function option(hit, place, wish) {
  const item = document.createElement("li");
  item.id = `add-${place}`;
  item.setAttribute("role", "option");
  if (hit.request) {
    item.className = "ask";
    item.textContent = wish.ask(hit.request);
    return item;
  }
  item.append(hit.tag.label);
  const aside = [hit.tag.path, hit.via].filter(Boolean).join(" · ");
  if (aside) item.append(" ", Object.assign(document.createElement("small"), { textContent: aside }));
  return item;
}
