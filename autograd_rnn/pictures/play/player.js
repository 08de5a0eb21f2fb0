"use strict";
// Plays a film on the picture in `root`, an SVG or cards, and puts its controls around it.
// `alone` says that the page has nothing else: the address follows the steps, keys work
// everywhere, and the parts have ids.  The result has `show(step)`, and `stop()`, which takes the
// controls away again.
function player(root, film, alone = false) {
const last = film.steps.length - 1;
const drawing = root.querySelector("svg");
let picture = drawing ?? root.querySelector(".cards"); // that is shown
const slim = film.narrow && document.createRange().createContextualFragment(film.narrow).firstChild;
const listening = new AbortController(), { signal } = listening;
const before = picture.nextSibling, outside = picture.parentElement;

const controls = document.createElement("div");
controls.className = "player";
controls.innerHTML = `{{controls}}`;
const find = part => controls.querySelector(`[data-part="${part}"]`);
player.count = (player.count ?? 0) + 1;
const prefix = alone ? "" : `player${player.count}_`;
for (const part of controls.querySelectorAll("[data-part]")) part.id = prefix + part.dataset.part;
find("number").setAttribute("aria-describedby", find("say").id);
find("slider").max = last;
outside.insertBefore(controls, picture);
const stage = find("stage");
stage.append(picture);

// A step that is named in the text, as a link to it.
function linkTo(step, words) {
  const link = document.createElement("a");
  link.href = `#step=${step}`;
  link.textContent = words;
  if (!alone) link.onclick = event => {
    event.preventDefault();
    go(step);
  };
  return link;
}

{{stage}}
{{watch}}
{{practise}}
return {
  show: go,
  stop() {
    pause();
    listening.abort();
    if (drawing) put(drawing);
    for (const { element } of [...boxes, ...arrows]) {
      element.classList.remove("waiting", "now", "asked", "live");
      element.removeAttribute("tabindex");
    }
    for (const hidden of picture.querySelectorAll(".hidden")) hidden.classList.remove("hidden");
    outside.insertBefore(picture, before);
    controls.remove();
  },
};
}
