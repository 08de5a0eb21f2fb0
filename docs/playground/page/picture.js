// The one picture: its size, its boxes for the keyboard, and what a mode marks in it.
import { inSpace, rove } from "./quantities.js";

const stage = document.getElementById("stage");
const zoom = document.getElementById("zoom");
const PIXELS = 96 / 72; // of a point
const LEAST = 0.5; // of the full size: smaller, its words cannot be read
let full = false;
let boxes = [];
let chosen = () => {};
const refresh = rove(stage, inSpace);

export function put(shown) {
  const { scrollLeft } = stage;
  stage.innerHTML = shown.svg;
  boxes = shown.boxes;
  for (const box of boxes) {
    const element = boxAt(box.id);
    if (!element) continue;
    element.dataset.node = box.id;
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", box.words);
  }
  refresh();
  fit();
  stage.scrollLeft = scrollLeft;
}

export const boxAt = id => stage.querySelector(`[id="${CSS.escape(id)}"]`);

// `class` on these boxes, and on no other.
export function mark(ids, name) {
  for (const box of boxes) boxAt(box.id)?.classList.toggle(name, ids.includes(box.id));
}

// What a box says of its gradient.
export function tell(id, text) {
  const element = boxAt(id)?.querySelector(".grad");
  if (element) element.textContent = text;
}

export function onChoose(listener) {
  chosen = listener;
}

function choose(target) {
  const box = target.closest?.("[data-node]");
  if (box) chosen(box.dataset.node, box);
}
stage.addEventListener("click", event => choose(event.target));
stage.addEventListener("keydown", event => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  choose(event.target);
});

// The whole picture where its words can be read then; else a part of it, which is scrolled.
export function fit() {
  const svg = stage.querySelector("svg");
  if (!svg) return;
  const { width, height } = svg.viewBox.baseVal;
  const wide = stage.clientWidth / (width * PIXELS);
  const high = Math.max(360, 0.56 * innerHeight) / (height * PIXELS);
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
new ResizeObserver(fit).observe(stage);
