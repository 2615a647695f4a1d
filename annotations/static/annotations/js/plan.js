// The sections of a plan: what differs from what base and preset say is seen although its section is closed.

const form = document.querySelector("form[data-plan]");

function tell(part) {
  const changed = [...part.querySelectorAll("input, select")].filter((el) => el.value.trim() !== "" && el.value !== el.dataset.usual);
  part.querySelector("[data-changed]").replaceChildren(...changed.map((el) => {
    const said = document.createElement("span"), value = document.createElement("b");
    value.textContent = el.selectedOptions?.[0].textContent ?? el.value;
    said.append(`${el.labels[0].firstChild.textContent.trim()}: `, value);
    return said;
  }));
}

const parts = [...(form?.querySelectorAll("details.part") ?? [])];
for (const part of parts) tell(part); // a page that is gone back to keeps what was typed
form?.addEventListener("change", (event) => {
  const part = event.target.closest("details.part");
  if (part) tell(part);
});

// a link to a field opens what it lies in
function open() {
  for (let around = document.getElementById(location.hash.slice(1)); around; around = around.parentElement) {
    if (around.matches("details")) around.open = true;
  }
}
addEventListener("hashchange", open);
open();
