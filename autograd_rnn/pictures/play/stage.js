// The stage: what each box and arrow shows, to the eye and to a screen reader.
let reached = null; // the box that is reached with Tab
const drawn = id => picture.querySelector(`#${CSS.escape(id)}`);

const boxes = film.boxes.map(box => ({ ...box }));
const boxOf = new Map(boxes.map(box => [box.id, box]));
const arrows = film.arrows.map(arrow => ({ ...arrow }));

// Find what is drawn of each box and arrow in the picture that there is: cards have no arrows.
function bind() {
  for (const box of boxes) {
    box.element = drawn(box.id);
    box.gradient = box.element.querySelector(".grad");
    box.number = box.element.querySelector(".data");
    box.element.setAttribute("role", "button");
    box.element.setAttribute("tabindex", "-1");
  }
  for (const arrow of arrows) {
    arrow.element = drawn(arrow.id);
    if (!arrow.element || arrow.title) continue;
    const tail = boxOf.get(arrow.tail), head = boxOf.get(arrow.head);
    arrow.title = arrow.element.querySelector("title");
    arrow.whole = arrow.title.textContent;
    arrow.words = arrow.role === "fan" ? `${head.name} is a copy of ${tail.name}`
      : arrow.role === "cut" ? arrow.whole : `${tail.name} → ${head.name}`;
    arrow.chipElement = arrow.element.querySelector(".chip");
    arrow.noteElement = arrow.element.querySelector(".note");
  }
}
bind();

function name(element, words) {
  const title = element.querySelector("title");
  if (title) title.textContent = words;
  else {
    element.title = words;
    element.setAttribute("aria-label", words);
  }
}

// `view` says of each box whether its number is known, and what its gradient reads, null where it
// is not known; of each arrow, whether its chip and its note are there; which box and arrows are
// live, which box is asked for, and whether the sweep goes back.
let painted = null;
function paint(view) {
  painted = view;
  for (const box of boxes) {
    const known = view.known(box), gradient = view.gradient(box);
    const classes = box.element.classList;
    classes.toggle("waiting", !known);
    classes.toggle("now", box.id === view.node);
    classes.toggle("asked", box.id === view.asked);
    box.number.classList.toggle("hidden", !known);
    if (box.gradient) {
      box.gradient.classList.toggle("hidden", gradient === null);
      box.gradient.textContent = gradient ?? "";
    }
    const words = [known ? `data ${box.data}` : "not computed yet"];
    if (gradient !== null) words.push(`grad ${gradient}`);
    name(box.element, `${box.words}: ${words.join(", ")}`);
  }
  for (const arrow of arrows.filter(arrow => arrow.element)) {
    const chip = view.chip(arrow), note = view.note(arrow);
    arrow.element.classList.toggle("live", view.live.includes(arrow.id));
    arrow.chipElement?.classList.toggle("hidden", !chip);
    arrow.noteElement?.classList.toggle("hidden", !note);
    arrow.title.textContent = chip || note ? arrow.whole : arrow.words;
  }
  stage.classList.toggle("backward", view.back);
  focusable(view.asked ?? view.node ?? boxes[boxes.length - 1].id);
  if (picture !== drawing) unfold(view.asked ?? view.node);
  follow(view.asked ?? view.node);
}

// --- size -------------------------------------------------------------------------------------

const PIXELS = 96 / 72; // of a point
const LEAST = 0.27; // of the full size: three steps are whole in a page of 600 pixels
const PHONE = 480; // pixels: no part of a picture is read there, and there are cards
let full = false;

// The whole picture where its words can be read then; else a part of it, which is scrolled.
function fit() {
  if (!drawing) return;
  const { width, height } = drawing.viewBox.baseVal;
  const room = stage.clientWidth / (width * PIXELS);
  const small = slim && stage.clientWidth < PHONE && room < LEAST;
  put(small && !full ? slim : drawing);
  find("zoom").hidden = false;
  if (picture === slim) return;
  const high = 0.66 * innerHeight / (height * PIXELS);
  const fitted = Math.min(room, high, 1);
  const scale = full ? 1 : Math.max(fitted, LEAST);
  drawing.style.setProperty("--wide", `${Math.floor(scale * width * PIXELS)}px`);
  find("zoom").hidden = fitted > 0.9 && !small;
  follow(lookedAt);
}

function put(other) {
  if (other === picture) return;
  picture.replaceWith(other);
  picture = other;
  reached = null;
  bind();
  if (painted) paint(painted);
}

function zoom(to) {
  full = to;
  find("zoom").setAttribute("aria-pressed", full);
  fit();
}

// What is larger than the screen is scrolled to where something happens.
let lookedAt = null;
function follow(id) {
  lookedAt = id;
  const current = id && drawn(id);
  if (!current) return;
  const ledger = current.closest(".ledger");
  if (ledger) centre(current, ledger);
  centre(current, stage);
}

function centre(current, scrolled) {
  const box = current.getBoundingClientRect(), frame = scrolled.getBoundingClientRect();
  const inside = box.left >= frame.left && box.right <= frame.right
    && box.top >= frame.top && box.bottom <= frame.bottom;
  if (inside && !full) return;
  scrolled.scrollLeft += (box.left + box.right - frame.left - frame.right) / 2;
  scrolled.scrollTop += (box.top + box.bottom - frame.top - frame.bottom) / 2;
}

// --- cards ------------------------------------------------------------------------------------

const steps = [...(slim ?? stage).querySelectorAll(".step")];
const opened = new Set(); // by the reader
let allOpen = false;

function unfold(id) {
  // A copy stands in the ledger, and belongs to the step that uses it.
  const current = id && drawn(`step${boxOf.get(id).step}`)?.closest(".step");
  for (const step of steps) {
    const open = allOpen || step === current || opened.has(step);
    step.classList.toggle("open", open);
    step.querySelector("h2 button").setAttribute("aria-expanded", open);
  }
}

for (const step of steps)
  step.querySelector("h2 button").onclick = () => {
    if (step.classList.contains("open")) opened.delete(step);
    else opened.add(step);
    step.classList.toggle("open");
    step.querySelector("h2 button").setAttribute("aria-expanded", step.classList.contains("open"));
  };

// --- boxes by the keyboard --------------------------------------------------------------------

// One box at a time is reached with Tab; arrow up and down go to others.
function focusable(id) {
  const inside = stage.contains(document.activeElement);
  if (inside && document.activeElement.id) return;
  if (reached) boxOf.get(reached).element.setAttribute("tabindex", "-1");
  reached = id;
  boxOf.get(id).element.setAttribute("tabindex", "0");
}

function walk(by) {
  const at = boxes.findIndex(box => box.element === document.activeElement);
  let place = at < 0 ? boxes.findIndex(box => box.id === reached) : at + by;
  while (boxes[place] && boxes[place].element.getClientRects().length === 0) place += by;
  const box = boxes[place];
  if (!box) return;
  boxOf.get(reached).element.setAttribute("tabindex", "-1");
  reached = box.id;
  box.element.setAttribute("tabindex", "0");
  box.element.focus({ preventScroll: true });
  follow(box.id);
}
