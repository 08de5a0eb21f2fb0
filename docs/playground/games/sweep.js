// Do the sweep: the next box is chosen, in any order in which a sweep could go, and its gradient
// is typed. Each is marked at once, with what follows from numbers before it.
import { boxAt, mark, tell } from "../page/picture.js";
import { ask, askLatest } from "../page/python.js";
import { say as speak } from "../page/say.js";
import { save } from "../page/share.js";
import { change, link, spec, state } from "../page/state.js";

const SIGNS = { right: "✓", follows: "≈", wrong: "✗", shown: "·" };
let panel, found = null, asked = null, giving = null;
let judged = Promise.resolve(); // until it is resolved, what `found` says may be of the step before

const wants = () => ({ detail: "scalar", hide: true });
const find = id => panel.querySelector(`#${id}`);

// In the link: `n21:1;n19:-4`, and `?` for a number that was shown.
const attempt = () => state.attempt === "" ? []
  : state.attempt.split(";").map(part => part.split(/:(.*)/s).concat("").slice(0, 2));

async function judge() {
  const answer = await askLatest("sweep", () => ({ spec: spec(wants()), attempt: attempt() }));
  if (!answer || document.body.dataset.mode !== "sweep") return;
  if (answer.error) return say(answer.error);
  found = answer;
  paint();
}

function paint() {
  const given = found.marks.map(({ id }) => id);
  mark(given, "given");
  mark(found.ready, "ready");
  mark(asked ? [asked] : [], "asked");
  for (const { id, text } of found.marks) tell(id, text);
  find("marks").replaceChildren(...found.marks.map(item));
  find("score").textContent = found.marks.length ? `Right: ${found.score}` : "";
  find("undo").disabled = found.marks.length === 0;
  const last = found.marks.at(-1);
  if (found.done) finish();
  else say(last ? `${SIGNS[last.how]} ${last.name} = ${last.text}. ${last.words}` : "");
}

function item({ how, name, text, words, id }) {
  const made = document.createElement("li");
  made.className = how;
  made.dataset.node = id;
  made.textContent = `${SIGNS[how]} ${words.startsWith(name) ? words : `${name} = ${text}. ${words}`}`;
  return made;
}

function finish() {
  find("entry").hidden = true;
  find("done").hidden = false;
  say(`The sweep is done. Right: ${found.score}.`);
  find("model").replaceChildren(...found.model.map(words => {
    const made = document.createElement("li");
    made.textContent = words;
    return made;
  }));
}

const say = words => speak(find("verdict"), words);

async function choose(id) {
  await judged;
  if (found?.done || document.body.dataset.mode !== "sweep") return;
  if (!found?.ready.includes(id)) {
    // Python says why.
    const { error, refused } = await ask("sweep", { spec: spec(wants()), attempt: [...attempt(), [id, "?"]] });
    if (document.body.dataset.mode === "sweep") say(error ?? refused);
    return;
  }
  asked = id;
  mark([id], "asked");
  find("question").textContent = `${found.names[id]} =`;
  find("entry").hidden = false;
  find("number").value = "";
  find("number").focus({ preventScroll: true });
  say("");
}

// A second Enter or click, before the first is answered, is the same answer.
async function give(text) {
  const id = asked;
  if (!id || id === giving) return;
  giving = id;
  const posed = link();
  const answer = await ask("sweep", { spec: spec(wants()), attempt: [...attempt(), [id, text]] });
  giving = null;
  // Another exercise, or another game, has no place for it.
  if (posed !== link()) return;
  const refused = answer.error ?? answer.refused;
  if (refused) return say(refused);
  if (asked === id) {
    asked = null;
    find("entry").hidden = true;
    boxAt(id)?.focus({ preventScroll: true });
  }
  change({ attempt: [...attempt(), [id, text]].map(([box, given]) => `${box}:${given}`).join(";") });
}

const follow = () => judged = judge();

export const sweep = {
  name: "sweep",
  label: "Do the sweep",
  wants,
  enter(there) {
    panel = there;
    found = asked = giving = null;
    find("entry").onsubmit = event => {
      event.preventDefault();
      const text = find("number").value.trim();
      if (text) give(text.replaceAll(";", ""));
    };
    find("show").hidden = state.hide !== "";
    find("show").onclick = () => give("?");
    find("undo").onclick = () => {
      find("done").hidden = true;
      change({ attempt: state.attempt.split(";").slice(0, -1).join(";") });
    };
    find("keep").onclick = () => save("sweep.link", `${link()}\n`);
  },
  shown: follow,
  changed: follow,
  choose,
};
