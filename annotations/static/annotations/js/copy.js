// <button data-copy="#list" data-done="Copied."> puts a list's lines on the clipboard, where the browser has one.
import { say } from "./house.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const lines = [...document.querySelector(button.dataset.copy).children].map((line) => line.textContent.trim());
    await navigator.clipboard.writeText(lines.join("\n"));
    button.textContent = button.dataset.done;
    say(button.dataset.done);
  });
}
