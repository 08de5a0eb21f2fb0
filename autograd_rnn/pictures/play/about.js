// A box that was clicked on: how it is computed, and what has happened to it so far.
let chosen = null;

// The frames so far that are about a box, forward and back.
function toldOf(box) {
  return box.told.filter(step => step <= at);
}

function about(box) {
  chosen = box;
  refresh();
  find("about").scrollIntoView({ block: "nearest" });
}

function refresh() {
  const panel = find("about");
  panel.hidden = chosen === null || mode === "sweep";
  if (panel.hidden) return;
  const told = toldOf(chosen);
  const made = film.steps[chosen.from], isGiven = chosen.from === 0;
  panel.querySelector("span").textContent = chosen.words;
  panel.querySelector("p").textContent = isGiven ? `${chosen.name} = ${chosen.number.textContent.trim()}, given`
    : chosen.from <= at ? made.say : made.ask;
  const items = told.filter(step => step !== chosen.from).map(step => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = `#step=${step}`;
    link.textContent = `step ${step}`;
    item.append(link, `: ${film.steps[step].say}`);
    return item;
  });
  panel.querySelector("ol").replaceChildren(...items);
}

find("about").querySelector("button").onclick = () => {
  boxOf.get(chosen.id).element.focus({ preventScroll: true });
  about(null);
};
