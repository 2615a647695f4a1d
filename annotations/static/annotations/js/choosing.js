// Words that a reviewer selects become the evidence of the focused tag.

import { facetOf, focused, rest } from "./chips.js";
import { say } from "./house.js";

/** Returns the sentence to show: what was chosen, or what to do first. */
export function chooseWords(form, words) {
  const chip = focused(form);
  const selection = getSelection();
  const range = selection.rangeCount && !selection.isCollapsed ? selection.getRangeAt(0) : null;
  const field = range && elementOf(range.commonAncestorContainer).closest("[data-field]");
  const text = range?.toString() ?? "";
  if (!chip?.dataset.tag || !field || !form.contains(field) || !text.trim()) return words("chooseFirst");
  const before = document.createRange();
  before.setStart(field, 0);
  before.setEnd(range.startContainer, range.startOffset);
  const start = [...before.toString()].length; // code points, as the server counts
  const end = start + [...text].length;
  form.querySelector(`[name=words][data-of="${chip.dataset.tag}"]`)?.remove();
  const input = Object.assign(document.createElement("input"), { type: "hidden", name: "words", value: [chip.dataset.tag, field.dataset.field, start, end].join(":") });
  input.dataset.of = chip.dataset.tag;
  form.append(input);
  mark(form, range, chip);
  selection.removeAllRanges();
  chip.dataset.why = words("chosenWhy", { tag: chip.dataset.label, words: text });
  rest(form, chip, { scroll: false });
  const said = words("chosen", { tag: chip.dataset.label, words: text });
  say(said);
  return said;
}

const elementOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement);

/** Lift the tag off the words it had, and lay it on the selected ones; a piece that is cut keeps what else it speaks for. */
function mark(form, range, chip) {
  const tag = chip.dataset.tag;
  for (const old of form.querySelectorAll("mark[data-tags]")) {
    old.dataset.tags = old.dataset.tags.split(" ").filter((t) => t !== tag).join(" ");
  }
  const walker = document.createTreeWalker(elementOf(range.commonAncestorContainer).closest("[data-field]"), NodeFilter.SHOW_TEXT);
  const inside = [];
  while (walker.nextNode()) if (range.intersectsNode(walker.currentNode)) inside.push(walker.currentNode);
  for (const node of inside) {
    const piece = document.createRange();
    piece.selectNodeContents(node);
    if (node === range.startContainer) piece.setStart(node, range.startOffset);
    if (node === range.endContainer) piece.setEnd(node, range.endOffset);
    if (piece.collapsed) continue;
    const words = Object.assign(document.createElement("mark"), { className: `m${facetOf(chip).dataset.hue}` });
    words.dataset.tags = tag;
    piece.surroundContents(words);
  }
}
