// Proposals for the taxonomy, and drafts of texts: j and k move the focus, the other keys press the focused one's buttons.
import { listen } from "./keys.js";

const rows = [...document.querySelectorAll("[data-facet]")];

function focus(row) {
  for (const other of rows) other.classList.toggle("at", other === row);
  row?.scrollIntoView({ block: "nearest" });
}

document.querySelector("[data-moves]")?.addEventListener("click", (event) => {
  const step = Number(event.target.closest("[data-step]")?.dataset.step ?? 0);
  if (step) focus(rows[Math.max(0, Math.min(rows.length - 1, rows.findIndex((row) => row.matches(".at")) + step))]);
});
document.querySelector("main")?.addEventListener("click", (event) => event.target.closest("[data-edit]")?.form.querySelector("textarea")?.focus());
for (const row of rows) row.addEventListener("focusin", () => focus(row));
const begin = rows.find((row) => row.matches(".at"));
if (begin && begin !== rows[0]) focus(begin);

listen();
