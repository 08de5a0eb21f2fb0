// The page: what is changed goes to Python, and what comes back is shown everywhere.
import { explore } from "./explore.js";
import { complain, showControls } from "./controls.js";
import { fit, onChoose, put } from "./picture.js";
import { ask, askLatest, ready } from "./python.js";
import { inOrder, lightAgain, rove } from "./quantities.js";
import { say } from "./say.js";
import { change, onChange, spec, state } from "./state.js";
import "./share.js";
import { predict } from "../games/predict.js";
import { separate } from "../games/separate.js";
import { sweep } from "../games/sweep.js";
import { vanish } from "../games/vanish.js";

const find = id => document.getElementById(id);
const MODES = [explore, predict, sweep, separate, vanish];
const REST = 140; // milliseconds without a change, before what takes longer follows

const modeOf = name => MODES.find(mode => mode.name === name) ?? explore;
let mode = explore;
let resting = null;
let turn = 0;
let there = false;
let showing = false; // a picture or what follows it is under way
let judging = 0; // what a game does under way

// --- modes ------------------------------------------------------------------------------------

const tabs = MODES.map(one => {
  const tab = document.createElement("button");
  Object.assign(tab, { id: `tab-${one.name}`, type: "button", textContent: one.label });
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", "panel");
  tab.onclick = () => change({ mode: one.name });
  return tab;
});
find("modes").replaceChildren(...tabs);
find("modes").onkeydown = event => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const to = tabs[(tabs.indexOf(document.activeElement) + by + tabs.length) % tabs.length];
  to.focus();
  to.click();
};

function enter(next) {
  mode.leave?.();
  mode = next;
  for (const [place, tab] of tabs.entries()) {
    const mine = MODES[place] === mode;
    tab.setAttribute("aria-selected", mine);
    tab.tabIndex = mine ? 0 : -1;
    if (mine) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  const panel = find("panel");
  panel.setAttribute("aria-labelledby", `tab-${mode.name}`);
  panel.replaceChildren(find(`panel-${mode.name}`).content.cloneNode(true));
  document.body.dataset.mode = mode.name;
  mode.enter?.(panel);
}

onChoose(id => mode.choose?.(id));

// --- showing ----------------------------------------------------------------------------------

const question = () => ({ spec: spec(mode.wants?.() ?? {}) });

async function refresh() {
  if (!there) return;
  clearTimeout(resting);
  const mine = turn += 1;
  busy(true);
  const from = performance.now();
  const shown = await askLatest("show", question);
  if (!shown) return;
  if (shown.error) {
    busy(mine !== turn);
    return refuse(shown.error);
  }
  accept();
  mode.before?.();
  put(shown.svg);
  showResult(shown);
  lightAgain();
  showControls(shown);
  judge(() => mode.shown?.(shown));
  performance.mark("picture");
  requestAnimationFrame(() => setTimeout(() => performance.measure("slider to picture", { start: from })));
  clearTimeout(resting);
  if (mine === turn) resting = setTimeout(rest, REST);
}

function showResult(shown) {
  find("result").innerHTML = shown.result;
  find("table").innerHTML = shown.table;
  find("table").classList.toggle("with-terms", !question().spec.hide);
  reachTable();
}
const reachTable = rove(find("table"), "td[data-node]", inOrder);

// What is wrong is said, and nothing is lost: the picture and all fields stay as they are.
function refuse(message) {
  const trouble = find("trouble");
  trouble.hidden = false;
  trouble.textContent = message;
  document.body.classList.add("stale");
  complain(message);
}

function accept() {
  find("trouble").hidden = true;
  document.body.classList.remove("stale");
  complain("");
}

async function rest() {
  const mine = turn;
  try {
    await follow(mine);
  } finally {
    if (mine === turn) busy(false);
  }
}

async function follow(mine) {
  // Where a verdict speaks of the same, that is enough.
  if (!mode.speaks) say(find("aloud"), find("result").innerText);
  const working = find("derivation");
  const asked = question();
  const hidden = asked.spec.hide;
  find("working").classList.toggle("hidden-for-now", hidden);
  if (hidden) working.replaceChildren();
  else if (mode.works) await mode.works(working);
  else if (find("working").open) {
    const found = await askLatest("derivation", question);
    if (found && !question().spec.hide)
      working.innerHTML = found.html ?? `<p>${escaped(found.error)}</p>`;
  }
  if (mine === turn) await mode.rested?.();
}

function busy(is = showing) {
  showing = is;
  document.querySelector("main").setAttribute("aria-busy", showing || judging > 0);
}

async function judge(verdict) {
  judging += 1;
  busy();
  try {
    await verdict();
  } finally {
    judging -= 1;
    busy();
  }
}

find("working").ontoggle = () => there && rest();

function escaped(text) {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML;
}

// --- what happens -----------------------------------------------------------------------------

onChange(values => {
  if (modeOf(state.mode) !== mode) enter(modeOf(state.mode));
  showControls();
  if (Object.keys(values).some(name => !["set", "attempt", "steps"].includes(name))) refresh();
  else judge(() => mode.changed?.());
});

find("another").onclick = async () => {
  const found = await ask("another", { seed: Math.floor(Math.random() * 1e9) });
  change(found);
};

const first = JSON.parse(find("first").textContent);
enter(modeOf(state.mode));
showControls(state.net === "one" ? first.shown : null);
const { hide, ...exercise } = spec();
const same = Object.entries(exercise).every(([name, value]) =>
  name === "file" || JSON.stringify(value) === JSON.stringify(first.spec[name]));
if (same && !(mode.wants?.().hide ?? hide)) {
  put(find("stage").innerHTML);
} else {
  for (const id of ["stage", "table", "derivation"]) find(id).replaceChildren();
  find("result").textContent = "Python is on its way …";
}
fit();

try {
  const version = await ready;
  there = true;
  find("python").textContent = `Python ${version}`;
  document.body.classList.add("ready");
  refresh();
} catch (error) {
  refuse(`Python could not start here: ${error.message}`);
}
