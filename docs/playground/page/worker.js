// The package in Pyodide, with the Graphviz of the page, off the page's thread.
import { instance } from "../viz/viz.js";
import { loadPyodide } from "../pyodide/pyodide.mjs";

const at = path => new URL(`../${path}`, import.meta.url).href;

async function start() {
  const graphviz = instance();
  const app = fetch(at("app.zip")).then(answer => answer.arrayBuffer());
  const python = await loadPyodide({ indexURL: at("pyodide/"), fullStdLib: false });
  python.unpackArchive(await app, "zip", { extractDir: "/home/pyodide" });
  const viz = await graphviz;
  // What the package calls for a picture.
  self.autograd_rnn_graphviz = (dot, format) => {
    const engine = /layout="?(\w+)/.exec(dot)?.[1] ?? "dot";
    return viz.renderString(dot, { format, engine });
  };
  const answer = python.pyimport("playground").answer;
  postMessage({ ready: python.runPython("import sys; sys.version.split()[0]") });
  return answer;
}

const started = start();
started.catch(error => postMessage({ fatal: String(error) }));
let ended = null; // the answer to all that is asked of what is left of Python, which may never answer

onmessage = async ({ data }) => {
  const answer = await started;
  try {
    postMessage({ id: data.id, answer: ended ?? answer(data.question) });
  } catch (error) {
    // What nobody has thought of: the last line of a traceback says what it is.
    const words = String(error.message ?? error).trim().split("\n").at(-1);
    const told = JSON.stringify({ error: words });
    // Not an error in Python, but of it, such as a full stack.
    if (error.name !== "PythonError") ended = told;
    postMessage({ id: data.id, answer: told });
  }
};
