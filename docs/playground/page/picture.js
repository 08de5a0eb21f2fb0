// The one picture: its size, its boxes for the keyboard, what a mode marks in it, and the sweep
// that is played on it.
import { player } from "./player.js";
import { about, inSpace, keysOf, rove } from "./quantities.js";

const stage = document.getElementById("stage");
const zoom = document.getElementById("zoom");
const PIXELS = 96 / 72; // of a point
const LEAST = 0.5; // of the full size: smaller, its words cannot be read
let full = false;
let boxes = [];
let chosen = () => {};
let playing = null;
const refresh = rove(stage, ".node[data-node]", inSpace);

export function put(svg) {
  halt();
  const { scrollLeft } = stage, inside = stage.contains(document.activeElement);
  const had = inside ? document.activeElement.id : "";
  stage.innerHTML = svg;
  boxes = [...stage.querySelectorAll(".node[data-node]")];
  for (const box of boxes) {
    box.setAttribute("role", "button");
    box.setAttribute("aria-label", words(box));
  }
  refresh();
  fit();
  stage.scrollLeft = scrollLeft;
  if (had) document.getElementById(had)?.focus({ preventScroll: true });
}

export function play(svg, film, step) {
  put(svg);
  zoom.hidden = true;
  stage.querySelector("svg")?.style.removeProperty("width");
  playing = player(stage, film);
  playing.show(step);
}

// The step at which the sweep stands, once its controls are gone.
export function halt() {
  if (!playing) return null;
  const step = Number(stage.querySelector("[data-part=slider]").value);
  playing.stop();
  playing = null;
  return step;
}

const words = box =>
  box.querySelector("title")?.textContent ?? box.textContent.trim().replace(/\s+/g, " ");

export const boxAt = id => about(stage, id)[0];

// `name` is the class of the boxes of these quantities, and of no others.
export function mark(ids, name) {
  for (const box of boxes) box.classList.toggle(name, keysOf(box).some(key => ids.includes(key)));
}

// What a box says of its gradient.
export function tell(id, text) {
  const gradient = boxAt(id)?.querySelector(".grad");
  if (gradient) gradient.textContent = text;
}

export function onChoose(listener) {
  chosen = listener;
}

function choose(target) {
  const box = target.closest?.(".node[data-node]");
  if (box && !playing) chosen(keysOf(box)[0]);
}
stage.addEventListener("click", event => choose(event.target));
stage.addEventListener("keydown", event => {
  if (playing || !event.target.closest(".node") || ![" ", "Enter"].includes(event.key)) return;
  event.preventDefault();
  choose(event.target);
});

// The whole picture where its words can be read then; else a part of it, which is scrolled.
export function fit() {
  const svg = stage.querySelector("svg");
  if (!svg || playing) return;
  const { width, height } = svg.viewBox.baseVal;
  const wide = stage.clientWidth / (width * PIXELS);
  const high = Math.max(380, 0.54 * innerHeight) / (height * PIXELS);
  const fitted = Math.min(wide, high, 1.15);
  const scale = full ? 1 : Math.max(fitted, LEAST);
  svg.style.width = `${Math.floor(scale * width * PIXELS)}px`;
  zoom.hidden = !full && fitted > 0.9;
  stage.tabIndex = scale > wide ? 0 : -1;
}

zoom.onclick = () => {
  full = !full;
  zoom.setAttribute("aria-pressed", full);
  fit();
};
// In the next frame, since it changes the size of the stage.
new ResizeObserver(() => requestAnimationFrame(fit)).observe(stage);
