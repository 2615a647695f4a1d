// The focused chip: which tag is being decided on, what it says for itself, and which words light up for it.

const HUES = ["l1", "l2", "l3", "l4", "l5", "l6"];
const CHIP = ".pick > input[type=checkbox]";

export const chipsOf = (room) => [...room.querySelectorAll(CHIP)];
export const facetOf = (thing) => thing.closest("[data-facet]");

/** Where focus can rest in a facet: its chips, or its "add" where it has none. */
const stopsOf = (facet) => {
  const chips = chipsOf(facet);
  return chips.length ? chips : [...facet.querySelectorAll("[data-does=add]")];
};

/** The chip (or "add") that keys act on; to begin with the one that the model doubts most, if it would be saved. */
export const focused = (form) => form.querySelector(".at-chip") ?? form.querySelector(`${CHIP}[data-doubt]:checked`) ?? stopsOf(form.querySelector("[data-facet]") ?? form)[0];

/** Rest on a chip: show its sentence, light its words up, and mark its facet as the one whose numbers count. */
export function rest(form, stop, { scroll = true } = {}) {
  if (!stop) return;
  for (const old of form.querySelectorAll(".at-chip")) old.classList.remove("at-chip");
  for (const old of form.querySelectorAll("[data-facet].at")) if (old !== facetOf(stop)) leave(old);
  for (const old of form.querySelectorAll("mark.lit")) old.classList.remove("lit", "here", "on", "off", ...HUES);
  stop.classList.add("at-chip");
  const facet = facetOf(stop);
  if (!facet.classList.contains("at")) {
    facet.classList.add("at");
    facet.dispatchEvent(new CustomEvent("facet:rest", { bubbles: true }));
  }
  const why = facet.querySelector(".why");
  why.textContent = stop.dataset.why ?? "";
  why.hidden = !stop.dataset.why;
  const marks = marksOf(form, stop);
  for (const [place, mark] of marks.entries()) {
    mark.classList.add("lit", `l${facet.dataset.hue}`);
    // pieces that touch are one stretch of words, with one frame around it
    mark.classList.toggle("on", mark.nextSibling === marks[place + 1]);
    mark.classList.toggle("off", place > 0 && mark.previousSibling === marks[place - 1]);
  }
  for (const other of chipsOf(form)) other.tabIndex = other === stop ? 0 : -1;
  if (document.activeElement !== stop) stop.focus({ preventScroll: true });
  if (scroll) (stop.nextElementSibling ?? stop).scrollIntoView({ block: "nearest" });
}

function leave(facet) {
  facet.classList.remove("at");
  facet.querySelector(".why").hidden = true;
  facet.dispatchEvent(new CustomEvent("facet:leave", { bubbles: true }));
}

export const marksOf = (form, stop) =>
  stop.dataset.tag ? [...form.querySelectorAll("mark[data-tags]")].filter((m) => m.dataset.tags.split(" ").includes(stop.dataset.tag)) : [];

/** The next (1) or previous (-1) stop over all facets; stays at either end. */
export function step(form, by) {
  const stops = [...form.querySelectorAll("[data-facet]")].flatMap(stopsOf);
  rest(form, stops[Math.max(0, Math.min(stops.length - 1, stops.indexOf(focused(form)) + by))]);
}

/** The first stop of the next or previous facet. */
export function stepFacet(form, by) {
  const facets = [...form.querySelectorAll("[data-facet]")];
  const at = facets.indexOf(facetOf(focused(form)));
  rest(form, stopsOf(facets[Math.max(0, Math.min(facets.length - 1, at + by))])[0]);
}

/** Say yes or no to a tag. A facet with one value lets go of the other. */
export function decide(chip, yes) {
  chip.checked = yes;
  chip.dataset.said = yes ? "yes" : "no";
  if (yes) setReason(chip, "");
  if (!yes || !("single" in facetOf(chip).dataset)) return;
  for (const other of chipsOf(facetOf(chip))) {
    if (other !== chip && other.checked) decide(other, false);
  }
}

/** How many tags of the card nobody has spoken about yet. */
export const unsaid = (form) => chipsOf(form).filter((chip) => !chip.dataset.said).length;

/** A tag that was not suggested, as a chip in taxonomy order. Where the chip is there already, it is checked. */
export function add(facet, tag) {
  const known = chipsOf(facet).find((chip) => Number(chip.dataset.tag) === tag.id);
  if (known) {
    decide(known, true);
    return known;
  }
  const pick = document.createElement("span");
  pick.className = "pick";
  const input = Object.assign(document.createElement("input"), { type: "checkbox", className: "sr", name: "add", value: tag.id, id: `t${tag.id}` });
  Object.assign(input.dataset, { tag: tag.id, label: tag.label, why: "", place: tag.place });
  input.setAttribute("aria-describedby", facet.querySelector(".why").id);
  const label = Object.assign(document.createElement("label"), { className: "chip added", htmlFor: input.id });
  label.append(Object.assign(document.createElement("span"), { className: "l", textContent: tag.label }));
  if (tag.number) {
    input.dataset.key = tag.number;
    const number = Object.assign(document.createElement("span"), { className: "k", textContent: tag.number });
    number.setAttribute("aria-hidden", "true");
    label.append(number);
  }
  pick.append(input, label);
  const after = [...facet.querySelectorAll(".pick")].find((other) => Number(other.firstElementChild.dataset.place) > tag.place);
  const chips = facet.querySelector(".chips");
  chips.insertBefore(pick, after ?? chips.querySelector("[data-does=add]"));
  decide(input, true);
  return input;
}

/** Why a tag was rejected, written on the chip and into the form; none takes it away. */
export function setReason(chip, reason, label) {
  chip.form.querySelector(`[name=why][data-of="${chip.dataset.tag}"]`)?.remove();
  const face = chip.nextElementSibling;
  face.querySelector(".r")?.remove();
  if (!reason) return;
  const field = Object.assign(document.createElement("input"), { type: "hidden", name: "why", value: `${chip.dataset.tag}:${reason}` });
  field.dataset.of = chip.dataset.tag;
  chip.form.append(field);
  face.append(Object.assign(document.createElement("small"), { className: "r", textContent: label }));
}
