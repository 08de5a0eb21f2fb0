// A notebook: its cells run in the page's Python, in order, and what they give is shown below them.
import { ask, ready } from "./python.js";

const find = id => document.getElementById(id);
const cells = [...document.querySelectorAll(".cell")];
const code = cell => cell.querySelector("textarea");
const LONGEST = 300; // letters of what a cell gives that are read aloud
let running = 0;

// --- what a cell gives ------------------------------------------------------------------------

function made(tag, attributes) {
  return Object.assign(document.createElement(tag), attributes);
}

const MAKERS = {
  text: ({ content }) => made("pre", { textContent: content, tabIndex: 0 }),
  error: ({ content }) => made("pre", { textContent: content, className: "wrong", tabIndex: 0 }),
  html: ({ content }) => made("div", { innerHTML: content }),
  // As an image, so that the ids and the style of one picture are not those of another.
  svg: ({ content, says }) => {
    const src = URL.createObjectURL(new Blob([content], { type: "image/svg+xml" }));
    return made("img", { src, alt: says, onload: () => URL.revokeObjectURL(src) });
  },
};

function show(cell, parts) {
  cell.querySelector(".outputs").replaceChildren(...parts.map(part => MAKERS[part.kind](part)));
}

function tell(cell, parts) {
  const words = parts.map(({ says, content, kind }) => says ?? (kind === "html" ? "" : content));
  find("aloud").textContent = `${cell.ariaLabel} has run. ${words.join(" ").slice(0, LONGEST)}`;
}

// --- running ----------------------------------------------------------------------------------

function wait(cell, is) {
  cell.classList.toggle("waiting", is);
  running += is ? 1 : -1;
  find("cells").setAttribute("aria-busy", running > 0);
}

// Whether it has run to its end.
async function run(cell) {
  wait(cell, true);
  const found = await ask("run", { source: code(cell).value, cell: cells.indexOf(cell) + 1 });
  // Errors of the cell are parts; what else there is ends Python, such as a full stack.
  const over = { kind: "error", content: `Python has ended (${found.error}). Start again.` };
  const parts = found.parts ?? [over];
  show(cell, parts);
  tell(cell, parts);
  wait(cell, false);
  return parts.every(part => part.kind !== "error");
}

async function runAll() {
  find("all").disabled = true;
  for (const cell of cells) {
    if (await run(cell)) continue;
    code(cell).focus();
    break;
  }
  find("all").disabled = false;
}

for (const [place, cell] of cells.entries()) {
  const field = code(cell);
  field.oninput = () => { field.rows = field.value.split("\n").length; };
  field.onkeydown = event => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    run(cell);
    if (cells[place + 1]) code(cells[place + 1]).focus();
  };
  cell.querySelector("button").onclick = () => run(cell);
}
find("all").onclick = runAll;
// With a new Python, and the code as it was.
find("again").onclick = () => location.reload();

try {
  find("python").textContent = `Python ${await ready}`;
  document.body.classList.add("ready");
} catch (error) {
  find("trouble").hidden = false;
  find("trouble").textContent = `Python could not start here: ${error.message}`;
}
