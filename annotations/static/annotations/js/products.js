// The product list: choosing a page at once, and a row by a click anywhere in its cell.

const form = document.querySelector("[data-bulk]");
if (form) {
  const boxes = () => [...form.querySelectorAll("input[name=pk]")];
  const all = form.querySelector("[data-all]");
  all?.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; });
  form.addEventListener("click", (event) => {
    const cell = event.target.closest("td.pick");
    if (cell && event.target === cell) cell.querySelector("input").click();
  });
  form.addEventListener("change", () => {
    if (all) all.checked = boxes().every((box) => box.checked);
  });
}
