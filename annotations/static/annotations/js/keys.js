// Keys. A key presses a visible button that names it (data-key), so keys, buttons and help come from one place.

/** Where keys are letters. */
export const TEXT = "input:not([type=checkbox], [type=radio], [type=hidden], [type=button], [type=submit]), textarea, select, [contenteditable=true]";

/** The name of a key as buttons write it. */
function nameOf(event) {
  return event.key === " " ? "Space" : event.key;
}

/** The other sign of a number key, whatever it is: Shift+3, also where it is Shift that makes the 3. */
function shiftedOf(event) {
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  return digit && event.key !== digit ? `Shift+${digit}` : "";
}

function pressable(button) {
  return !button.disabled && button.checkVisibility({ visibilityProperty: true });
}

/** Where keys count right now: the open dialog alone, else the page. */
function room() {
  return document.querySelector("dialog[open]") ?? document;
}

/** The button for a key; what asks for an answer right now (data-first) comes first. Inside facets only the focused one's keys count, so that numbers mean its tags (but for what says data-anywhere). */
export function buttonFor(key) {
  const all = [...room().querySelectorAll("[data-first] [data-key]"), ...room().querySelectorAll("[data-key]")];
  return all.find(
    (b) => b.dataset.key === key && pressable(b) && (!b.closest("[data-facet]") || b.closest("[data-facet].at, [data-first], [data-anywhere]")),
  );
}

/** Start listening. `before(key, button)` is told before the press. Returns a function that stops. */
export function listen(before = () => {}) {
  const onKey = (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TEXT)) return;
    const key = nameOf(event);
    // a focused link, button or menu keeps its own Enter and Space; what rests in a facet does not
    if ((key === "Enter" || key === "Space") && event.target.closest?.("a, button, summary") && !event.target.closest("[data-facet]")) return;
    const button = buttonFor(key) ?? buttonFor(shiftedOf(event));
    if (!button) return;
    event.preventDefault();
    if (event.repeat && !REPEATS.has(button.dataset.does)) return;
    before(key, button);
    button.click();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

const REPEATS = new Set(["next-chip", "last-chip", "next-facet", "last-facet", "evidence"]); // holding Enter must not wave ten products through

/** Every key on the page with the words of its button, the foot's first; numbers as one line, and so with Shift. */
export function legend(digits, shifted) {
  const rows = new Map();
  let numbers = false;
  const buttons = [...document.querySelectorAll("footer [data-key]"), ...document.querySelectorAll("main [data-key]")];
  for (const button of buttons) {
    const key = button.dataset.key;
    if (!pressable(button) || button.closest("dialog")) continue;
    if (/^[1-9]$/.test(key)) { numbers = true; continue; }
    if (!rows.has(key)) rows.set(key, button.dataset.help || button.getAttribute("aria-label") || words(button));
  }
  const list = [...rows].map(([key, text]) => ({ keys: /^\p{Lu}$/u.test(key) ? ["Shift", key] : [key], text }));
  if (numbers) list.push({ keys: ["1", "…", "9"], text: digits });
  if (shifted) list.push({ keys: ["Shift", "1", "…", "9"], text: shifted });
  return list;
}

function words(button) {
  const copy = button.cloneNode(true);
  for (const extra of copy.querySelectorAll("kbd, [aria-hidden=true]")) extra.remove();
  return copy.textContent.trim();
}
