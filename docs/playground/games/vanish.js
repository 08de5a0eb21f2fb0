// Vanish and explode: what each copy adds, as bars, while the weight moves.
import { askLatest } from "../page/python.js";
import { say } from "../page/say.js";
import { change, spec, state } from "../page/state.js";

const HIGH = 340, LEFT = 82, RIGHT = 8, TOP = 24, BOTTOM = 30;
const SPREAD = 1e3; // of the terms, from which on the axis is logarithmic
const DECADES = 24; // that are shown at most
let panel, shown = null, span = 1200; // the width of the chart

const find = id => panel.querySelector(`#${id}`);
const svg = (tag, attributes, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};

async function draw() {
  find("count").textContent = state.steps;
  const found = await askLatest("terms", () => ({ spec: spec(), steps: Number(state.steps) || 0 }));
  if (!found || document.body.dataset.mode !== "vanish") return;
  say(find("verdict"), found.error ?? found.words);
  if (found.error) return;
  const all = found.bars.flatMap(({ term, arrives }) => [term, arrives]);
  const sizes = all.map(Math.abs).filter(size => size > 0);
  const most = Math.max(...sizes, 0), least = Math.min(...sizes, most);
  const scale = most / least > SPREAD ? logarithmic(least, most) : linear(all);
  const chart = find("chart");
  span = chart.clientWidth || span;
  chart.setAttribute("viewBox", `0 0 ${span} ${HIGH}`);
  chart.replaceChildren(...axis(scale), ...found.bars.flatMap((bar, place) =>
    drawn(bar, place, found.bars.length, scale)));
  find("axis").textContent = scale.words;
}

function linear(all) {
  const high = Math.max(...all, 0), low = Math.min(...all, 0), whole = high - low || 1;
  const at = value => TOP + (high - value) / whole * (HIGH - TOP - BOTTOM);
  const step = nice(whole / 4), ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1e6; tick += step) ticks.push(tick);
  return { at, zero: at(0), ticks: ticks.map(tick => [at(tick), brief(tick)]), words: "" };
}

function logarithmic(least, most) {
  const high = Math.ceil(Math.log10(most)), low = Math.max(Math.floor(Math.log10(least)), high - DECADES);
  const at = value => {
    const place = Math.max(Math.log10(Math.abs(value)), low);
    return TOP + (high - place) / (high - low || 1) * (HIGH - TOP - BOTTOM);
  };
  const by = Math.max(1, Math.ceil((high - low) / 6)), ticks = [];
  for (let tick = high; tick >= low; tick -= by) ticks.push([at(10 ** tick), `10${raised(tick)}`]);
  return {
    at, zero: HIGH - BOTTOM, ticks,
    words: "The axis is logarithmic.",
  };
}

const raised = number => [...String(number)].map(sign => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻").join("");
function brief(number) {
  if (number !== 0 && (Math.abs(number) >= 1e5 || Math.abs(number) < 1e-3)) {
    const [digits, power] = number.toExponential(1).split("e");
    return `${Number(digits)}×10${raised(Number(power))}`.replace("-", "−");
  }
  return String(Number(number.toPrecision(3))).replace("-", "−");
}
function nice(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map(one => one * power).find(one => one >= step);
}

function axis({ ticks, zero }) {
  const found = ticks.flatMap(([y, text]) => [
    svg("line", { x1: LEFT, x2: span - RIGHT, y1: y, y2: y, class: "grid" }),
    svg("text", { x: LEFT - 8, y: y + 4, class: "tick", "text-anchor": "end" }, text),
  ]);
  return [...found, svg("line", { x1: LEFT, x2: span - RIGHT, y1: zero, y2: zero, class: "zero" })];
}

function drawn({ term, step, name, text, arrives, arrived }, place, count, { at, zero }) {
  const wide = (span - LEFT - RIGHT) / count, x = LEFT + place * wide;
  const parts = [];
  if (term !== 0) {
    const y = at(term), top = Math.min(y, zero), high = Math.max(Math.abs(y - zero), 2);
    const bar = svg("rect", {
      x: x + wide * 0.14, width: wide * 0.72, y: top, height: high, rx: Math.min(4, wide / 6),
      class: term < 0 ? "bar negative" : "bar",
    });
    bar.append(svg("title", {}, `${name} in step ${step} adds ${text}; ${arrived} arrives`));
    parts.push(bar);
  }
  if (arrives !== 0)
    parts.push(svg("circle", {
      cx: x + wide / 2, cy: at(arrives), r: Math.min(6, wide / 4),
      class: arrives < 0 ? "dot negative" : "dot",
    }));
  const every = Math.ceil(30 / wide);
  const left = count - 1 - place;
  if (left === 0 || place % every === 0 && left > every / 2)
    parts.push(svg("text", {
      x: x + wide / 2, y: HIGH - BOTTOM + 20, class: "tick", "text-anchor": "middle",
    }, step));
  if (wide > 8 * text.length + 6)
    parts.push(svg("text", {
      x: x + wide / 2, y: term === 0 ? zero - 7 : Math.min(at(term), zero) - 7, class: "value",
      "text-anchor": "middle",
    }, text));
  return parts;
}

export const vanish = {
  name: "vanish",
  label: "Vanish and explode",
  speaks: true,
  enter(there) {
    panel = there;
    find("steps").value = state.steps;
    find("steps").oninput = ({ target }) => change({ steps: target.value });
    find("weight").oninput = ({ target }) => {
      const texts = [...shown.weights];
      texts[Number(state.focus) - 1] = String(Number(target.value));
      change({ w: texts.join(",") });
    };
  },
  shown(answer) {
    shown = answer;
    find("which").textContent = answer.focus;
    const text = answer.weights[Number(state.focus) - 1] ?? "";
    find("value").textContent = text.replace("-", "−");
    if (document.activeElement !== find("weight")) find("weight").value = Number(text);
    find("weight").disabled = answer.weights.length === 0;
    return draw();
  },
  changed: draw,
};
