// The controls of the exercise: each shows a part of the state, and changes it.
import { change, file, fixed, list, open, state } from "./state.js";

const find = id => document.getElementById(id);
const MOST_BITS = 12;
let names = []; // of the weights, as Python calls them
let texts = []; // what Python was given for them
let starts = [];

function make(tag, attributes = {}, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "disabled") element.disabled = value;
    else element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

// --- bits -------------------------------------------------------------------------------------

function showBits() {
  const bits = [...state.bits], box = find("bits");
  const had = document.activeElement?.dataset?.bit;
  box.replaceChildren(...bits.map((bit, place) => make("button", {
    type: "button", class: "bit", "data-bit": place, "aria-pressed": bit === "1",
    "aria-label": `Bit ${place + 1}`, disabled: fixed("bits"),
  }, bit)));
  if (had !== undefined) box.children[had]?.focus();
  find("longer").disabled = fixed("bits") || bits.length >= MOST_BITS;
  find("shorter").disabled = fixed("bits") || bits.length <= 1;
  const letters = state.net === "file";
  find("toggles").hidden = letters;
  find("letters").hidden = !letters;
  if (letters && document.activeElement !== find("read")) find("read").value = state.bits;
}

find("bits").onclick = ({ target }) => {
  if (!target.dataset.bit) return;
  const bits = [...state.bits], place = Number(target.dataset.bit);
  bits[place] = bits[place] === "1" ? "0" : "1";
  change({ bits: bits.join("") });
};
find("longer").onclick = () => change({ bits: `${state.bits}1` });
find("shorter").onclick = () => change({ bits: state.bits.slice(0, -1) });
find("read").oninput = event => change({ bits: event.target.value });

// --- weights ----------------------------------------------------------------------------------

function replaced(all, place, text) {
  return all.map((one, at) => at === place ? text : one).join(",");
}

const plain = text => text.replaceAll(",", "."); // a comma separates numbers in the link

function field(text, label, attributes, input) {
  const made = make("input", {
    type: "text", inputmode: "text", autocomplete: "off", "aria-label": label, ...attributes,
  });
  made.value = text;
  made.oninput = () => input(plain(made.value));
  return made;
}

function slider(text, label, attributes, input) {
  const made = make("input", {
    type: "range", min: -5, max: 5, step: 0.1, "aria-label": `${label}, slider`, ...attributes,
  });
  made.value = Number(text);
  made.oninput = () => input(String(Number(made.value)));
  return made;
}

const setWeight = place => text => change({ w: replaced(texts, place, text) });

// The fields are made anew only where there are others: one that is being typed in stays.
let form = "";
function showWeights(shown) {
  const { rows, columns } = shown;
  ({ names, weights: texts } = shown);
  const shape = JSON.stringify([state.net, names, rows, columns, fixed("w"), state.focus]);
  const box = find("weights");
  box.closest(".control").hidden = rows.length === 0;
  if (shape !== form) {
    form = shape;
    const off = { disabled: fixed("w") };
    if (columns.length === 1) {
      box.className = "sliders";
      box.replaceChildren(...names.map((name, place) => {
        const row = make("div");
        row.append(make("span", { class: "name" }, name),
          slider(texts[place], name, { ...off, "data-slide": place }, setWeight(place)),
          field(texts[place], name, { ...off, "data-weight": place }, setWeight(place)));
        return row;
      }));
    } else {
      box.className = "matrix";
      box.style.setProperty("--columns", columns.length);
      const place = Number(state.focus) - 1;
      box.replaceChildren(
        make("span"), ...columns.map(name => make("span", { class: "name" }, name)),
        ...rows.flatMap((row, i) => [
          make("span", { class: "name" }, row),
          ...columns.map((_, j) => {
            const at = i * columns.length + j;
            return field(texts[at], `${names[at]}, from ${row} to ${columns[j]}`,
              { ...off, "data-weight": at }, setWeight(at));
          }),
        ]),
        make("span", { class: "name" }, names[place] ?? ""),
        slider(texts[place] ?? "0", names[place] ?? "", { ...off, "data-slide": place, class: "wide" },
          setWeight(place)),
      );
    }
  }
  follow(box, "weight", texts);
  follow(box, "slide", texts);
}

// Fields show the state, but for the one that is being typed in.
function follow(box, name, all) {
  for (const element of box.querySelectorAll(`[data-${name}]`)) {
    const text = all[element.dataset[name]] ?? "";
    if (element !== document.activeElement && element.value !== text) element.value = text;
  }
}

// --- the start state --------------------------------------------------------------------------

let startForm = "";
function showStart(shown) {
  const box = find("start");
  box.closest(".control").hidden = shown.states.length === 0;
  starts = state.q ? list(state.q) : shown.states.map(() => "0");
  const shape = JSON.stringify([shown.states, fixed("q")]);
  if (shape !== startForm) {
    startForm = shape;
    box.replaceChildren(...shown.states.map((name, place) => {
      const label = make("label", {}, `${name} `);
      label.append(field(starts[place], `Start state ${name}`,
        { "data-start": place, disabled: fixed("q") },
        text => change({ q: replaced(starts, place, text) })));
      return label;
    }));
  }
  follow(box, "start", starts);
}

// --- the others -------------------------------------------------------------------------------

// A target that is near to what the network gives at first.
const TARGETS = { one: "15", two: "5", lstm: "1" };
const SELECTS = { net: "net", a: "activation", focus: "focus", through: "through", detail: "detail" };
for (const [name, id] of Object.entries(SELECTS))
  find(id).onchange = ({ target }) => {
    const y = fixed("y") ? state.y : TARGETS[target.value] ?? state.y;
    const other = name === "net" ? { w: "", q: "", focus: "1", y } : {};
    change({ ...other, [name]: target.value });
  };
find("y").oninput = ({ target }) => change({ y: plain(target.value) });

function showSelects() {
  const focus = find("focus");
  if (focus.options.length !== names.length || focus.options[0]?.text !== names[0])
    focus.replaceChildren(...names.map((name, place) => new Option(name, String(place + 1))));
  const opened = find("net").querySelector("[value=file]");
  opened.hidden = opened.disabled = !file;
  if (file) opened.textContent = file.name;
  for (const [name, id] of Object.entries(SELECTS)) {
    find(id).value = state[name];
    find(id).disabled = fixed(name);
  }
  find("activation").closest(".control").hidden = state.net !== "one" && state.net !== "two";
}

// `shown` is Python's answer, without one where the state is new and Python still at work.
export function showControls(shown) {
  showBits();
  if (shown) {
    showWeights(shown);
    showStart(shown);
  }
  showSelects();
  find("another").disabled = ["net", "bits", "y", "w", "q", "a"].some(fixed);
  const y = find("y");
  if (y !== document.activeElement) y.value = state.y;
  y.disabled = fixed("y");
}

// The fields that a message is about are marked; all keep what is in them.
export function complain(message) {
  const [, name] = /^(bits|target|w\d+|start state \S+):/.exec(message) ?? [];
  const wrong = {
    bits: [find("bits"), find("read")], target: [find("y")],
  }[name] ?? (name?.startsWith("w") ? [find("weights").querySelector(`[data-weight="${name.slice(1) - 1}"]`)]
    : name ? [...find("start").querySelectorAll("input")].filter(one => one.ariaLabel === `Start state ${name.slice(12)}`) : []);
  for (const element of document.querySelectorAll("#controls [aria-invalid]"))
    element.removeAttribute("aria-invalid");
  for (const element of wrong) element?.setAttribute("aria-invalid", "true");
}

// --- a model, or an attempt, from a file ------------------------------------------------------

find("open").onclick = () => find("file").click();
find("file").onchange = async ({ target }) => {
  const [chosen] = target.files;
  if (!chosen) return;
  const text = await chosen.text();
  target.value = "";
  if (chosen.name.endsWith(".link")) location.hash = text.slice(text.indexOf("#") + 1).trim();
  else open({ name: chosen.name, text });
};
