// The tree of tags under the keyboard: arrows go from row to row, Alt and an arrow presses that row's button, + goes to
// the form of a new tag, / to the search. Enter in a name is the form's own.

const list = document.querySelector("[data-nodes]");
const names = list ? [...list.querySelectorAll("input.name")] : [];

const at = new URLSearchParams(location.search).get("at");
const begin = () => setTimeout(() => document.querySelector(`#t${Number(at)} input.name`)?.focus()); // after the address's own mark
if (at && document.readyState === "complete") begin();
else if (at) addEventListener("load", begin);

list?.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const row = event.target.closest("li");
  if (event.altKey) {
    const button = row?.querySelector(`[data-step="${event.key}"]`);
    if (button) { event.preventDefault(); button.click(); }
    return;
  }
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey) return;
  const next = names[names.indexOf(row.querySelector("input.name")) + step];
  if (next) { event.preventDefault(); next.focus(); next.select(); }
});

// a name that was typed and not sent is put back by Escape
list?.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches("input.name")) event.target.value = event.target.defaultValue;
});

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") && !(event.key === "+" && event.target.matches("input.name") && event.ctrlKey)) return;
  const wanted = { "+": "[data-new] input:not([type=hidden])", "/": "[data-find]", ArrowDown: "[data-nodes] input.name" }[event.key];
  const field = wanted && document.querySelector(wanted);
  if (field) { event.preventDefault(); field.focus(); }
});
