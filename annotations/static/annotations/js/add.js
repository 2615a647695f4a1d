// Type-ahead over every tag of a facet: by label, path, synonym, in every language. Enter takes the top hit; the letters
// beside a tag lead to it, and with Shift on the last of them it is taken and the card saved. What does not exist is sent
// to the taxonomy's owner; where the facet is open or counts something it comes back as a tag.

import { completed, fold, search, shown } from "./search.js";

/**
 * Ask for a tag. Resolves to {tag}, {request: text} or null (closed), with ``save`` when it was taken with Shift, in the
 * same breath as the choice, so that the next key already finds it done. The dialog opens at once, even while the tags
 * are still on their way. ``find`` asks for more tags as one types; what it brings joins those that are there.
 * ``letters``: whether the letters of tags count (not for people who switched single keys off).
 * @param {{title: string, tags: Promise<object[]>, find: (text: string) => Promise<object[]>, taken: Set<number>, ranks: Map<number, number>, letters: boolean, ask: (text: string) => string, noHit: string}} wish
 */
export function askForTag(wish) {
  const dialog = document.getElementById("add");
  const input = document.getElementById("add-text");
  const list = document.getElementById("add-list");
  let tags = null; // those to choose from, once they are there
  let names = new Set(); // every name in use, those on the card included
  let options = [];
  let at = 0;
  let eager = null; // what was pressed before the tags came, and is done once they are there
  let save = false; // taken with Shift: save the card too
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
    options = tags ? shown(search(tags, text, wish.ranks), text) : [];
    if (tags && text && !names.has(fold(text))) options.push({ request: text });
    at = Math.max(0, Math.min(at, options.length - 1));
    list.replaceChildren(...options.map((hit, place) => option(hit, place, text, wish)));
    list.classList.toggle("many", options.length > 9);
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
      eager = null;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        at = (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % Math.max(1, options.length);
        mark();
      } else if (event.key === "Enter") {
        event.preventDefault();
        save = event.shiftKey;
        if (!tags) eager = () => { if (options.length) done(options[at]); };
        // what is seen is taken at once; but a name that the server is still looking for is not yet one to ask for
        if (answer && !options[at]?.tag) answer.then(() => setTimeout(() => { if (!over.signal.aborted && options.length) done(options[at]); }));
        else if (options.length) done(options[at]);
      } else if (wish.letters) {
        const text = input.value.trim();
        const take = () => {
          const tag = completed(tags, text, event);
          if (!tag) return;
          event.preventDefault();
          save = true;
          done({ tag });
        };
        if (tags) take();
        else eager = take;
      }
    });
    on(list, "click", (event) => {
      const item = event.target.closest("[role=option]");
      if (item) done(options[[...list.children].indexOf(item)]);
    });
    on(dialog, "mousedown", (event) => { if (event.target === dialog) done(null); });
    on(dialog, "close", () => { if (!dialog.open) done(null); }); // the news of an earlier closing may come after this opening
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
      eager?.();
    });
  });
}

function option(hit, place, text, wish) {
  const item = document.createElement("li");
  item.id = `add-${place}`;
  item.setAttribute("role", "option");
  if (hit.request) {
    item.className = "ask";
    item.textContent = wish.ask(hit.request);
    return item;
  }
  const aside = [hit.tag.path, hit.via].filter(Boolean).join(" · ");
  if (wish.letters && hit.tag.letters) {
    item.append(letters(hit.tag.letters, fold(text)));
    item.setAttribute("aria-label", [hit.tag.label, aside, [...hit.tag.letters].join(" ")].filter(Boolean).join(", "));
  }
  item.append(Object.assign(document.createElement("span"), { className: "l", textContent: hit.tag.label }));
  if (aside) item.append(" ", Object.assign(document.createElement("small"), { textContent: aside }));
  return item;
}

/** The letters that lead to a tag, those still to be pressed standing out. */
function letters(own, typed) {
  const cap = Object.assign(document.createElement("kbd"), { className: "letters" });
  const done = own.startsWith(typed) ? typed : "";
  if (done) cap.append(Object.assign(document.createElement("i"), { textContent: done }));
  cap.append(own.slice(done.length));
  return cap;
}
