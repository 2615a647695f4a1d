// Which tag a typed text may mean. Pure functions: tags in, hits out.

const SHOWN = 8;
const SHOWN_BY_LETTER = 40;
const NAMED = 3; // ranks below: a name, its beginning, or the tag's own letters

/** Case, width and accents make no difference; joins neither. */
export function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[\s_\-‐-―]+/gu, " ").trim();
}

/**
 * Tags that the text may mean, best first: whole name, the tag's letters (``tag.letters``), beginning, beginning of a
 * later word, anywhere; among equals those that the model holds likely (``ranks``: tag to place).
 */
export function search(tags, text, ranks = new Map()) {
  const wanted = fold(text);
  const likely = (a, b) => (ranks.get(a.tag.id) ?? Infinity) < (ranks.get(b.tag.id) ?? Infinity) ? -1 : (ranks.get(a.tag.id) ?? Infinity) > (ranks.get(b.tag.id) ?? Infinity) ? 1 : 0;
  if (!wanted) return tags.map((tag) => ({ tag, rank: 0 })).sort(likely);
  const found = [];
  for (const [order, tag] of tags.entries()) {
    let best = null;
    const better = (rank, via = "") => { if (!best || rank < best.rank) best = { tag, rank, order, via }; };
    for (const [place, word] of [tag.label, ...tag.words].entries()) {
      const name = fold(word);
      const at = name.indexOf(wanted);
      if (at >= 0) better((name === wanted ? 0 : at === 0 ? 2 : name.includes(` ${wanted}`) ? 4 : 6) + (place ? 0.5 : 0), place ? word : "");
    }
    if (tag.letters === wanted) better(1);
    else if (tag.letters?.startsWith(wanted)) better(2.7);
    else if (tag.letters && wanted.length === 1 && best?.rank < NAMED) best.rank = 2.9; // a second letter does not lead there
    if (!best && tag.path && fold(tag.path).includes(wanted)) better(8, tag.path);
    if (best) found.push(best);
  }
  return found.sort((a, b) => a.rank - b.rank || likely(a, b) || a.order - b.order);
}

/** As many hits as help: a handful; after one letter all that a second one tells apart. */
export function shown(hits, text) {
  const named = fold(text).length === 1 ? hits.filter((hit) => hit.rank < NAMED).length : 0;
  return hits.slice(0, Math.min(SHOWN_BY_LETTER, Math.max(SHOWN, named)));
}

/** The tag whose letters are complete with this key, which comes with Shift after a small letter; else nothing. */
export function completed(tags, text, event) {
  if (!event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return null;
  const first = fold(text);
  if ([...first].length !== 1 || text !== text.toLowerCase()) return null;
  // a digit counts by its key, which with Shift says something else; where Shift is what makes it a digit, it is typed
  const digit = /^Digit\d$/.test(event.code);
  if (digit && /\d/.test(event.key)) return null;
  const last = digit ? event.code.at(-1) : [...event.key].length === 1 ? fold(event.key) : "";
  return last ? tags.find((tag) => tag.letters === first + last) ?? null : null;
}
