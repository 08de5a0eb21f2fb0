// The state of the page is its link: what differs from the lecture's exercise, after the #.
const START = {
  net: "one", bits: "101", y: "15", w: "4,1", q: "0", a: "relu",
  focus: "1", through: "copies", detail: "auto", mode: "explore",
  hide: "", fix: "", steps: "12", set: "", attempt: "", play: "",
};
const listeners = [];

// A model that was opened: the link cannot hold it.
export let file = null;
export const state = { ...START, ...read() };
let writing = null;

function read() {
  const known = Object.entries(Object.fromEntries(new URLSearchParams(location.hash.slice(1))))
    .filter(([name]) => name in START);
  const found = Object.fromEntries(known);
  if (found.net === "file" && !file) delete found.net;
  // Another network has weights of its own, unless the link gives them.
  return (found.net ?? "one") === "one" ? found : { w: "", q: "", ...found };
}

export function link(more = {}) {
  const all = { ...state, ...more };
  const told = Object.entries(all).filter(([name, value]) => value !== START[name]);
  const address = new URL(location.href);
  address.hash = new URLSearchParams(told);
  return address.href;
}

// What a change of these is about makes what was done in a game obsolete.
const EXERCISE = ["net", "bits", "y", "w", "q", "a", "focus"];

export function change(values) {
  if (EXERCISE.some(name => name in values && values[name] !== state[name]))
    Object.assign(state, { set: "", attempt: "" });
  Object.assign(state, values);
  // While a slider moves, the address waits: browsers let it change only so often.
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", link()), 100);
  for (const listener of listeners) listener(values);
}

export function open(opened) {
  file = opened;
  change({ net: "file", w: "", q: "", focus: "1" });
}

export function onChange(listener) {
  listeners.push(listener);
}

addEventListener("hashchange", () => {
  clearTimeout(writing);
  Object.assign(state, START, read());
  for (const listener of listeners) listener(state);
});

export const list = text => text === "" ? [] : text.split(",");
export const fixed = part => list(state.fix).includes(part);

// The exercise as Python takes it.
export function spec(more = {}) {
  const { net, bits, y, a, through, detail } = state;
  return {
    net, bits, y, a, through, detail, file,
    w: list(state.w), q: list(state.q), focus: Number(state.focus) || 0,
    hide: state.hide !== "", ...more,
  };
}
