// What every page does: a menu that closes, messages spoken once, and a note when htmx was refused.

/** Say something to screen readers. The same words twice are said twice. */
export function say(words) {
  const region = document.getElementById("say");
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = words; });
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// htmx swaps are announced: an element in the new content may carry the words
document.addEventListener("htmx:afterSwap", (event) => {
  const spoken = event.detail.elt.querySelector?.("[data-say]") ?? event.detail.elt.closest?.("[data-say]");
  if (spoken) say(spoken.dataset.say);
});

// a fragment that asks for itself keeps open what the reader opened: <details id>
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  opened = [...event.detail.target.querySelectorAll("details[id][open]")].map((details) => details.id);
});
document.addEventListener("htmx:afterSettle", () => {
  for (const id of opened.splice(0)) document.getElementById(id)?.setAttribute("open", "");
});

// <button data-confirm="Really?"> asks first; works for plain forms too
document.addEventListener("submit", (event) => {
  const words = event.submitter?.dataset.confirm;
  if (words && !window.confirm(words)) event.preventDefault();
});
