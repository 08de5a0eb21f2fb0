// Exploring: everything is shown, and the sweep is played on the picture.
import { mark } from "./picture.js";

export const explore = {
  name: "explore",
  label: "Explore",
  shown: shown => mark(shown.smallest, "member"),
};
