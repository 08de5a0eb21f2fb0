// Links to the exercise as it is, for oneself or for students, and files to take away.
import { ask } from "./python.js";
import { link, spec, state } from "./state.js";

const find = id => document.getElementById(id);
const dialog = find("share");
const parts = [...dialog.querySelectorAll("[name=fix]")];

export function save(name, text) {
  const made = document.createElement("a");
  made.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  made.download = name;
  made.click();
  setTimeout(() => URL.revokeObjectURL(made.href), 1000);
}

function write() {
  const fix = parts.filter(part => part.checked).map(part => part.value).join(",");
  find("link").value = link({
    fix, hide: find("hide").checked ? "1" : "", ...(find("blank").checked ? { set: "", attempt: "" } : {}),
  });
  find("copied").textContent = "";
}

find("sharing").onclick = () => {
  find("hide").checked = state.hide !== "";
  for (const part of parts) part.checked = state.fix.split(",").includes(part.value);
  find("no-model").hidden = state.net !== "file";
  write();
  dialog.showModal();
  find("link").select();
};
dialog.oninput = write;
find("copy").onclick = async () => {
  find("link").select();
  try {
    await navigator.clipboard.writeText(find("link").value);
    find("copied").textContent = "Copied.";
  } catch {
    find("copied").textContent = "Press Ctrl+C to copy it.";
  }
};

for (const button of document.querySelectorAll("[data-download]"))
  button.onclick = async () => {
    const found = await ask("download", { spec: spec(), ending: button.dataset.download });
    if (found.error) find("copied").textContent = found.error;
    else save(found.name, found.text);
  };
