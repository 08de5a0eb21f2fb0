// A quantity is one thing in the picture, the table, the working and the sentence: what is pointed
// at, tapped on or reached by the keyboard is lit everywhere.
let lit = "";

// What a thing is about: the keys of one quantity, or of several that stand in one box.
export const keysOf = thing => thing?.dataset.node?.split(" ") ?? [];
export const about = (inside, id) => [...inside.querySelectorAll(`[data-node~="${CSS.escape(id)}"]`)];

export function light(node, again = false) {
  node ??= "";
  if (node === lit && !again) return;
  for (const element of document.querySelectorAll(".lit")) element.classList.remove("lit");
  lit = node;
  const keys = node.split(" ").filter(Boolean);
  for (const key of keys) for (const element of about(document, key)) element.classList.add("lit");
  const box = keys.length ? about(document.getElementById("stage"), keys[0])[0] : null;
  document.getElementById("about").textContent = box?.getAttribute("aria-label") ?? "";
}

// The picture is new: what was lit is lit in it too.
export const lightAgain = () => light(lit, true);

const nodeOf = target => target.closest?.("[data-node]")?.dataset.node;

document.addEventListener("pointerover", event => {
  if (event.pointerType === "touch") return;
  light(nodeOf(event.target) ?? nodeOf(document.activeElement));
});
document.addEventListener("focusin", event => light(nodeOf(event.target)));
document.addEventListener("click", event => light(nodeOf(event.target)));

// In a group one quantity is reached with Tab, the others with the arrow keys.
export function rove(group, these, next) {
  const items = () => [...group.querySelectorAll(these)];
  const reach = item => {
    for (const other of items()) other.setAttribute("tabindex", other === item ? "0" : "-1");
  };
  group.addEventListener("keydown", event => {
    const from = event.target.closest(these);
    if (!from || event.defaultPrevented || !event.key.startsWith("Arrow")) return;
    const to = next(items(), from, event.key);
    event.preventDefault();
    if (!to) return;
    reach(to);
    to.focus();
  });
  return () => {
    const all = items();
    reach(all.find(item => item.dataset.node === lit) ?? all[0]);
  };
}

export function inOrder(items, from, key) {
  return items[items.indexOf(from) + (key === "ArrowRight" || key === "ArrowDown" ? 1 : -1)];
}

// The nearest one in the direction of the key.
export function inSpace(items, from, key) {
  const middle = item => {
    const { left, right, top, bottom } = item.getBoundingClientRect();
    return [(left + right) / 2, (top + bottom) / 2];
  };
  const [x, y] = middle(from);
  let best, least = Infinity;
  for (const item of items) {
    const [u, v] = middle(item);
    const [along, aside] = {
      ArrowRight: [u - x, v - y], ArrowLeft: [x - u, v - y],
      ArrowDown: [v - y, u - x], ArrowUp: [y - v, u - x],
    }[key];
    const far = along + 2.5 * Math.abs(aside);
    if (item !== from && along > 1 && far < least) [best, least] = [item, far];
  }
  return best;
}
