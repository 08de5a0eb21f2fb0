// Runs a Python file in the Pyodide of a built playground: node equal.mjs FOLDER FILE < in > out
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(folder, "pyodide", "pyodide.mjs")));
const python = await loadPyodide({ indexURL: join(folder, "pyodide") });
const app = new Uint8Array(readFileSync(join(folder, "app.zip")));
python.unpackArchive(app, "zip", { extractDir: "/home/pyodide" });
python.FS.writeFile("/home/pyodide/written.py", readFileSync(file));
const written = python.pyimport("written").written;
process.stdout.write(written(readFileSync(0, "utf-8")));
