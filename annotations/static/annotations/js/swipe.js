// A finger across a thing: to the right is yes, to the left is no. Buttons do the same for whoever cannot swipe.

const FAR = 56; // px sideways before it counts
const STEEP = 0.6; // more upright than that is scrolling

/** Call ``does(element, yes)`` when a finger or pen is drawn across an element that matches. */
export function swipes(room, selector, does) {
  let start = null;
  const end = () => {
    if (start) { start.on.style.removeProperty("translate"); start.on.classList.remove("pulled-yes", "pulled-no"); }
    start = null;
  };
  room.addEventListener("pointerdown", (event) => {
    const on = event.target.closest(selector);
    start = on && event.pointerType !== "mouse" ? { on, x: event.clientX, y: event.clientY } : null;
  });
  room.addEventListener("pointermove", (event) => {
    if (!start) return;
    const dx = event.clientX - start.x;
    if (Math.abs(event.clientY - start.y) > 24 && Math.abs(dx) < FAR) { end(); return; }
    if (Math.abs(dx) < 8) return;
    start.on.style.translate = `${Math.max(-80, Math.min(80, dx))}px`;
    start.on.classList.toggle("pulled-yes", dx > FAR);
    start.on.classList.toggle("pulled-no", dx < -FAR);
  });
  room.addEventListener("pointerup", (event) => {
    if (!start) return;
    const { on, x, y } = start;
    const dx = event.clientX - x;
    end();
    if (Math.abs(dx) < FAR || Math.abs(event.clientY - y) > Math.abs(dx) * STEEP) return;
    // the click that follows the finger would act a second time
    const swallow = (click) => { click.preventDefault(); click.stopPropagation(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 80);
    does(on, dx > 0);
  });
  room.addEventListener("pointercancel", end);
}
