// Watching: one step after the other, by hand or by the clock.
const BEAT = 1200; // milliseconds of a step
let mode = "watch", at = -1, timer = null;

// What a box's gradient is at a step: the last of its changes up to there.
function gradientAt(box, step) {
  let shown = null;
  for (const [from, text] of box.grads) if (from <= step) shown = text;
  return shown;
}

// The stage as it is after a step; `asked` is the next frame, where its number is asked for.
function stageAt(step, asked = null) {
  const frame = asked ?? film.steps[step];
  paint({
    known: box => box.from <= step,
    gradient: box => gradientAt(box, step),
    chip: arrow => arrow.chip !== null && arrow.chip <= step,
    note: arrow => arrow.note !== null && arrow.note <= step,
    node: asked ? null : frame.node,
    asked: asked ? frame.node : null,
    live: frame.live,
    back: frame.sweep === "Backward",
  });
}

function show(step) {
  step = Math.max(0, Math.min(last, step));
  if (step === at) return;
  at = step;
  const { say, sweep, node } = film.steps[step];
  stageAt(step);
  find("where").textContent = `${sweep}, step ${step} of ${last}`;
  find("say").textContent = say;
  tie(find("say"), node);
  arrive();
  if (step === last) pause();
}

// Words have the marks of the box that they are about, as symbols and rows of other parts have.
function tie(element, id) {
  const marks = id && boxOf.get(id).element.dataset.node;
  if (marks) element.dataset.node = marks;
  else delete element.dataset.node;
}

// What goes with a step in every mode.
function arrive() {
  find("slider").value = at;
  // In a notebook the page is a frame without an address, which refuses to be given one.
  if (alone && location.protocol !== "about:") history.replaceState(null, "", `#step=${at}`);
  if (find("table").open) tell();
  refresh();
}

function pause() {
  clearInterval(timer);
  timer = null;
  find("play").textContent = "▶";
  find("play").setAttribute("aria-label", "Play");
}

function start() {
  clearInterval(timer);
  timer = setInterval(() => show(at + 1), BEAT / Number(find("speed").value));
  find("play").textContent = "❚❚";
  find("play").setAttribute("aria-label", "Pause");
}

function toggle() {
  if (timer) return pause();
  if (at === last) show(0);
  start();
}

function move(step) {
  pause();
  show(step);
}

// The table of the steps so far: what is to come is not there, for nobody.
function tell() {
  const body = find("table").querySelector("tbody");
  while (body.rows.length > at + 1) body.deleteRow(-1);
  for (let step = body.rows.length; step <= at; step++) {
    const row = body.insertRow();
    tie(row, film.steps[step].node);
    row.insertCell().append(linkTo(step, step));
    row.insertCell().textContent = film.steps[step].sweep;
    row.insertCell().textContent = film.steps[step].say;
  }
  [...body.rows].forEach((row, step) => {
    if (step === at) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
  });
}
find("table").ontoggle = () => find("table").open && tell();

find("back").onclick = () => move(at - 1);
find("next").onclick = () => move(at + 1);
find("play").onclick = toggle;
find("zoom").onclick = () => zoom(!full);
find("speed").onchange = () => timer && start();
find("slider").oninput = event => move(Number(event.target.value));

// --- a box that was clicked on: how it is computed, and what has happened to it so far ---------
let chosen = null;

// The frames so far that are about a box, forward and back.
function toldOf(box) {
  return box.told.filter(step => step <= at);
}

function about(box) {
  chosen = box;
  refresh();
  find("about").scrollIntoView({ block: "nearest" });
}

function refresh() {
  const panel = find("about");
  panel.hidden = chosen === null || mode === "sweep";
  if (panel.hidden) return;
  const told = toldOf(chosen);
  const made = film.steps[chosen.from], isGiven = chosen.from === 0;
  panel.querySelector("span").textContent = chosen.words;
  panel.querySelector("p").textContent = isGiven ? `${chosen.name} = ${chosen.number.textContent.trim()}, given`
    : chosen.from <= at ? made.say : made.ask;
  const items = told.filter(step => step !== chosen.from).map(step => {
    const item = document.createElement("li");
    item.append(linkTo(step, `step ${step}`), `: ${film.steps[step].say}`);
    return item;
  });
  panel.querySelector("ol").replaceChildren(...items);
}

find("about").querySelector("button").onclick = () => {
  boxOf.get(chosen.id).element.focus({ preventScroll: true });
  about(null);
};
