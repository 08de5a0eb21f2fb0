// Two ways to practise: to predict the next number, and to do the backward sweep oneself.
const CLOSE = 0.005; // of a number: as near as an answer has to be
let right = 0, tried = 0, slips = 0;
const found = new Set(); // boxes whose gradient the reader has given
let asked = null; // the box whose gradient is asked for

function parse(text) {
  text = text.trim().replace(/[−–]/g, "-").replace(",", ".").replace("∞", "inf");
  const fraction = /^([^/]+)\/([^/]+)$/.exec(text);
  if (fraction) return parse(fraction[1]) / parse(fraction[2]);
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (word) return word[2][0].toLowerCase() === "n" ? "nan" : word[1] === "-" ? -Infinity : Infinity;
  return text === "" ? NaN : Number(text);
}

function isRight(given, wanted) {
  wanted = parse(wanted);
  if (wanted === "nan" || given === "nan") return wanted === given;
  if (!Number.isFinite(wanted)) return given === wanted;
  return Math.abs(given - wanted) <= CLOSE * Math.abs(wanted);
}

function begin() {
  right = tried = slips = 0;
  found.clear();
  asked = null;
  find("marks").replaceChildren();
  find("told").textContent = "";
  count();
}

function count() {
  find("score").textContent = tried ? `Right at the first try: ${right} of ${tried}` : "";
}

// A step is done: it is marked, as right where nothing went wrong on the way.
function mark(words, shown = false) {
  const item = document.createElement("li"), good = slips === 0 && !shown;
  item.className = good ? "right" : "wrong";
  const how = good ? "✓" : shown ? "✗ shown" : `✗ at try ${slips + 1}`;
  item.textContent = `${how}: ${words}`;
  find("marks").append(item);
  tried += 1;
  right += good;
  slips = 0;
  count();
}

function ask(question) {
  find("say").textContent = question;
  find("number").value = "";
  find("number").focus({ preventScroll: true });
}

function open(isOpen) {
  for (const id of ["number", "reveal"]) find(id).hidden = !isOpen;
  find("answer").querySelector("button").hidden = !isOpen;
}

// --- predicting -------------------------------------------------------------------------------

function pose() {
  refresh();
  const next = film.steps[at + 1];
  open(Boolean(next));
  if (!next) {
    stageAt(at);
    find("where").textContent = `Done, step ${at} of ${last}`;
    find("say").textContent = film.steps[at].say;
    return;
  }
  stageAt(at, next);
  find("where").textContent = `${next.sweep}, step ${at + 1} of ${last}: what comes?`;
  ask(next.ask);
}

function predicted(shown = false) {
  const { say } = film.steps[at + 1];
  find("told").textContent = `${shown ? "It is" : "Right"}: ${say}`;
  mark(say, shown);
  at += 1;
  arrive();
  pose();
}

// --- doing the sweep --------------------------------------------------------------------------

const targets = boxes.filter(box => box.adjoint !== null);

function setTheSweep() {
  at = film.forward;
  open(asked !== null);
  const live = asked === null ? [] : arrows.filter(arrow =>
    arrow.tail === asked.id && arrow.role !== "cut" && found.has(arrow.head));
  paint({
    known: () => true,
    gradient: box => found.has(box.id) ? box.grads[box.grads.length - 1][1] : null,
    chip: arrow => arrow.role === "fan" && found.has(arrow.head),
    note: () => true,
    node: null,
    asked: asked?.id ?? null,
    live: live.map(arrow => arrow.id),
    back: true,
  });
  find("where").textContent = `${found.size} of ${targets.length} gradients`;
}

function choose(box) {
  if (box.adjoint === null)
    return find("told").textContent = `${box.name} gets no gradient: it is no variable on the way.`;
  if (found.has(box.id))
    return find("told").textContent = `${box.derivative} is there already.`;
  const missing = box.users.map(id => boxOf.get(id)).filter(user => !found.has(user.id));
  if (missing.length) {
    slips += 1;
    return find("told").textContent =
      `Not yet: ${missing[0].name} uses ${box.name}, and ${missing[0].derivative} is not there.`;
  }
  asked = box;
  find("told").textContent = "";
  setTheSweep();
  ask(`${box.derivative} = ?`);
}

// How the gradient of a box comes about, in one line.
function reason(box) {
  const told = box.told.filter(step => film.steps[step].sweep === "Backward");
  const only = told.length === 1 && film.steps[told[0]].node === box.id;
  return only ? film.steps[told[0]].say.replace(/, ∂.* so far .*$/, "")
    : `${box.derivative} = ${box.grads[box.grads.length - 1][1]}`;
}

function swept(shown = false) {
  const box = asked, words = reason(box);
  found.add(box.id);
  asked = null;
  find("told").textContent = `${shown ? "It is" : "Right"}: ${words}`;
  mark(words, shown);
  invite();
  box.element.focus({ preventScroll: true });
}

function invite() {
  setTheSweep();
  find("say").textContent = found.size === targets.length ? "The sweep is done."
    : "Choose the next box of the sweep: click on it, or go there with ↑ ↓ and press Enter.";
}

// --- the form and the modes -------------------------------------------------------------------

find("answer").onsubmit = event => {
  event.preventDefault();
  const written = find("number").value, given = parse(written);
  const wanted = mode === "predict" ? film.steps[at + 1]?.answer : asked?.adjoint;
  if (wanted === undefined) return;
  if (Number.isNaN(given)) {
    find("told").textContent = "Type a number, such as −0.5 or 3/4.";
  } else if (isRight(given, wanted)) {
    if (mode === "predict") predicted();
    else swept();
  } else {
    slips += 1;
    find("told").textContent = `Not ${written.trim()}. Try again.`;
    find("number").select();
  }
};
find("reveal").onclick = () => mode === "predict" ? predicted(true) : swept(true);
find("again").onclick = () => turnTo(mode, 0);

const choices = [...controls.querySelectorAll("[data-mode]")];

function turnTo(next, from = at) {
  pause();
  mode = next;
  for (const choice of choices) choice.setAttribute("aria-pressed", choice.dataset.mode === mode);
  begin();
  allOpen = mode === "sweep";
  const practising = mode !== "watch";
  for (const id of ["answer", "score", "marks"]) find(id).hidden = !practising;
  for (const id of ["back", "play", "next", "speed", "slider"]) find(id).hidden = practising;
  find("table").hidden = mode === "sweep";
  at = -1;
  if (mode === "watch") show(from);
  else if (mode === "sweep") {
    invite();
    refresh();
    boxOf.get(reached).element.focus({ preventScroll: true });
  } else {
    at = from === last ? 0 : from;
    arrive();
    pose();
  }
}

for (const choice of choices) {
  choice.onclick = () => turnTo(choice.dataset.mode, mode === "sweep" ? 0 : at);
  choice.hidden = choice.dataset.mode === "sweep" && targets.length === 0;
}

function act(box) {
  if (mode === "sweep") choose(box);
  else about(box);
}

stage.addEventListener("click", event => {
  const box = boxOf.get(event.target.closest(".node")?.id);
  if (box) act(box);
}, { signal });

(alone ? document : controls).addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const { target, key } = event, box = boxOf.get(target.closest?.(".node")?.id);
  if (["INPUT", "SELECT"].includes(target.tagName)) return;
  const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last };
  if (key === "ArrowDown" || key === "ArrowUp") walk(key === "ArrowDown" ? 1 : -1);
  else if (box && (key === "Enter" || key === " ")) act(box);
  else if (key === "Escape" && chosen) about(null);
  else if (mode === "watch" && key in moves) move(moves[key]);
  else if (mode === "watch" && key === " " && !["BUTTON", "SUMMARY", "A"].includes(target.tagName))
    toggle();
  else return;
  event.preventDefault();
}, { signal });

function go(step) {
  step = Math.max(0, Math.min(last, step));
  if (mode === "watch") move(step);
  else turnTo("watch", step);
}

function fromHash() {
  const match = /^#step=(\d+)$/.exec(location.hash);
  go(match ? Number(match[1]) : 0);
}
if (alone) {
  addEventListener("hashchange", fromHash, { signal });
  fromHash();
} else go(0);
const resized = new ResizeObserver(fit);
resized.observe(stage);
signal.addEventListener("abort", () => resized.disconnect());
addEventListener("resize", fit, { signal });
fit();
