// Python, in a worker: questions in, answers out, one after the other.
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
const latest = new Map(); // by name, a question that waits while one of that name is under way
const busy = new Set();
let count = 0;

let arrived;
export const ready = new Promise((resolve, reject) => { arrived = { resolve, reject }; });

worker.onmessage = ({ data }) => {
  if (data.ready) return arrived.resolve(data.ready);
  if (data.fatal) return arrived.reject(new Error(data.fatal));
  waiting.get(data.id)(JSON.parse(data.answer));
  waiting.delete(data.id);
};
worker.onerror = event => arrived.reject(new Error(event.message));

// The answer of a function of playground.py.
export function ask(call, given) {
  const id = ++count;
  return new Promise(resolve => {
    waiting.set(id, resolve);
    worker.postMessage({ id, question: JSON.stringify({ call, ...given }) });
  });
}

// The same, but of questions that come faster than answers only the last is asked; the others
// have no answer.
export async function askLatest(call, given) {
  if (busy.has(call)) {
    latest.get(call)?.(false);
    const mine = await new Promise(resolve => latest.set(call, resolve));
    if (!mine) return null;
  }
  busy.add(call);
  try {
    return await ask(call, given());
  } finally {
    busy.delete(call);
    const next = latest.get(call);
    latest.delete(call);
    next?.(true);
  }
}
