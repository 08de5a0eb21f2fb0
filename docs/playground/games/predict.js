// Predict first: what does each copy add, and what is their sum?
import { ask } from "../page/python.js";
import { say } from "../page/say.js";
import { change, onChange, spec, state } from "../page/state.js";
import { light } from "../page/quantities.js";

let panel, done = false, asked = [];

const inputs = () => [...panel.querySelectorAll("input")];
const answers = () => Object.fromEntries(inputs().map(input => [input.name, input.value]));

function field({ key, name, step, id }) {
  const row = document.createElement("li");
  row.innerHTML = `<label><span class="name"></span><span class="where"></span>
    <input autocomplete="off" spellcheck="false"></label><span class="mark" role="status"></span>`;
  row.querySelector(".name").textContent = name;
  row.querySelector(".where").textContent = step ? `step ${step}` : "the sum";
  row.dataset.node = id;
  const input = row.querySelector("input");
  Object.assign(input, { name: key, id: `answer-${key}` });
  input.onfocus = () => light(id);
  return row;
}

async function pose() {
  const found = await ask("predict", { spec: spec({ hide: true }), answers: {} });
  if (found.error || document.body.dataset.mode !== "predict") return;
  const keys = JSON.stringify(found.asked);
  if (keys === JSON.stringify(asked) && inputs().length) return;
  asked = found.asked;
  panel.querySelector("ol").replaceChildren(...asked.map(field));
}

async function check(event) {
  event.preventDefault();
  const posed = JSON.stringify(spec());
  const found = await ask("predict", { spec: spec({ hide: true }), answers: answers() });
  // The answers are those to the exercise of before, where it has changed or was left meanwhile.
  if (found.error || document.body.dataset.mode !== "predict" || posed !== JSON.stringify(spec())) return;
  for (const [place, { how, words }] of found.marks.entries()) {
    const row = panel.querySelectorAll("li")[place];
    row.className = how;
    const sign = { right: "✓ ", follows: "≈ ", wrong: "✗ " }[how] ?? "";
    say(row.querySelector(".mark"), sign + words);
  }
  const wrong = found.marks.findIndex(({ how }) => how !== "right");
  const told = panel.querySelector("#verdict");
  if (found.done) {
    done = true;
    told.textContent = "All of it is right. The picture and the working show it now.";
    change({ mode: "predict" });
  } else {
    const empty = found.marks.filter(({ how }) => how === "").length;
    told.textContent = empty === found.marks.length ? "Type your numbers first, such as 16 or −3/4."
      : empty ? `${empty} still to come.` : "Not all of it is right yet.";
    inputs()[wrong]?.focus();
    inputs()[wrong]?.select();
  }
}

function reset() {
  done = false;
  asked = [];
}

// Another exercise is another question.
onChange(values => {
  if (["net", "bits", "y", "w", "q", "a", "focus"].some(name => name in values)) {
    done = false;
    asked = [];
  }
});

export const predict = {
  name: "predict",
  label: "Predict first",
  wants: () => ({ hide: !done }),
  enter(there) {
    panel = there;
    reset();
    panel.querySelector("form").onsubmit = check;
    panel.querySelector("#reveal").hidden = state.hide !== "";
    panel.querySelector("#reveal").onclick = () => {
      done = true;
      change({ mode: state.mode });
    };
  },
  shown: () => done ? null : pose(),
};
