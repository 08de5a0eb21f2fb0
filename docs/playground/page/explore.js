// Exploring: everything is shown, and the sweep is played on the picture.
import { halt, mark, play } from "./picture.js";
import { askLatest } from "./python.js";
import { change, spec, state } from "./state.js";

let panel, step = 0;

export const explore = {
  name: "explore",
  label: "Explore",
  enter(there) {
    panel = there;
    step = 0;
    panel.querySelector("#play").onclick = () => change({ play: state.play ? "" : "1" });
  },
  leave: halt,
  before() {
    step = halt() ?? step;
  },
  shown(shown) {
    const button = panel.querySelector("#play");
    button.hidden = state.hide !== "";
    button.setAttribute("aria-pressed", state.play !== "");
    button.textContent = state.play ? "Stop the sweep" : "Play the sweep";
    mark(shown.smallest, "member");
  },
  // The film is made once the sliders rest.
  async rested() {
    if (!state.play || state.hide) return;
    const found = await askLatest("film", () => ({ spec: spec() }));
    if (found?.film && document.body.dataset.mode === "explore" && state.play)
      play(found.svg, found.film, step);
  },
};
