// What opens above the card: a comment, a flag's reason, the variants of a family.

import { say } from "./house.js";

/** Open a dialog; resolves to whether it was closed with this value. */
export function opened(dialog, value) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === value), { once: true });
    dialog.showModal();
  });
}

/** A reason to flag the product for, or "". */
export async function askWhy() {
  const text = document.getElementById("flag-text");
  text.value = "";
  const asked = opened(document.getElementById("flag"), "flag");
  text.focus();
  return (await asked) ? text.value.trim() : "";
}

/** Words about the product, or "". Names of people are put in by a click. */
export async function askComment(people) {
  const dialog = document.getElementById("comment");
  const text = document.getElementById("comment-text");
  const room = dialog.querySelector(".people");
  text.value = "";
  room.replaceChildren(...people.map((name) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "ghost", textContent: `@${name}` });
    button.addEventListener("click", () => { text.value = `${text.value.trimEnd()} @${name} `.trimStart(); text.focus(); });
    return button;
  }));
  const onKey = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); if (text.value.trim()) dialog.close("comment"); } };
  text.addEventListener("keydown", onKey);
  const asked = opened(dialog, "comment");
  text.focus();
  const yes = await asked;
  text.removeEventListener("keydown", onKey);
  return yes ? text.value.trim() : "";
}

/** A comment that was just written, on the card, before the server has it. */
export function showComment(form, name, text) {
  let list = form.querySelector(".talk");
  if (!list) {
    list = Object.assign(document.createElement("ul"), { className: "talk" });
    form.querySelector(".kin").before(list);
  }
  const row = document.createElement("li");
  row.append(Object.assign(document.createElement("b"), { textContent: name }), document.createElement("br"), text);
  list.append(row);
}

/** The variants to copy to, as ``pk:version``; null when it was closed or there is nothing to choose from. */
export async function askFamily(html) {
  const dialog = document.getElementById("family");
  const parsed = new DOMParser().parseFromString(html, "text/html");
  dialog.querySelector(".fill").replaceChildren(...[...parsed.body.childNodes].map((node) => document.importNode(node, true)));
  say(dialog.querySelector("h2").textContent);
  const asked = opened(dialog, "apply");
  dialog.querySelector("[value=apply]").focus();
  if (!(await asked)) return null;
  return [...dialog.querySelectorAll("[name=variant]:checked")].map((box) => box.value);
}
