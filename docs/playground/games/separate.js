// Separate it: boxes are chosen until every path from the weight to the loss meets one of them.
import { boxAt, mark } from "../page/picture.js";
import { askLatest } from "../page/python.js";
import { say } from "../page/say.js";
import { change, list, spec, state } from "../page/state.js";

let panel, found = null, focus = "w₁";

const wants = () => ({ detail: "scalar", through: "copies" });
const chosen = () => list(state.set);

async function judge() {
  const answer = await askLatest("separate", () => ({ spec: spec(wants()), chosen: chosen() }));
  if (!answer || document.body.dataset.mode !== "separate") return;
  found = answer;
  say(panel.querySelector("#verdict"), chosen().length || found.error
    ? found.error ?? found.words
    : `Choose boxes until every path from ${focus} to L meets one of them.`);
  paint();
}

function paint() {
  const own = chosen();
  mark(own, "member");
  mark(own.length && found?.path || [], "escape");
  mark(panel.querySelector("#smallest").checked ? found?.smallest ?? [] : [], "smallest");
  panel.querySelector("#smallest").closest("label").hidden = !found?.smallest;
  panel.querySelector("#mine").textContent = found?.set || "none yet";
  for (const id of own) boxAt(id)?.setAttribute("aria-pressed", "true");
}

export const separate = {
  name: "separate",
  label: "Separate it",
  wants,
  enter(there) {
    panel = there;
    found = null;
    panel.querySelector("#clear").onclick = () => change({ set: "" });
    panel.querySelector("#smallest").onchange = paint;
  },
  shown(shown) {
    ({ focus } = shown);
    paint();
    return judge();
  },
  choose(id) {
    const own = chosen();
    change({ set: (own.includes(id) ? own.filter(one => one !== id) : [...own, id]).join(",") });
  },
  async changed() {
    await judge();
    if (document.body.dataset.mode === "separate") this.works(document.getElementById("derivation"));
  },
  // The working goes through the set, once it is one.
  async works(place) {
    if (found?.html) place.innerHTML = found.html;
    else place.textContent = "Once your set separates them, the working goes through it.";
  },
};
