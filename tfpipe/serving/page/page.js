// The page: which model is tried, the requests, and what came of them.

import { showAnswer } from "./answers.js";
import { inputsOf } from "./inputs.js";

const PAUSE = 120; // milliseconds without a change before the model is asked
const $ = (id) => document.getElementById(id);

let token = "";
let shown = null; // the model that is tried
let latest = 0; // the number of the newest request: the answers of older ones are dropped
let timer = 0;

function headers() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function described() {
  return fetch("/page/models.json", { headers: headers() });
}

async function load() {
  let answer;
  try {
    answer = await described();
  } catch {
    problem("The server does not answer.");
    return;
  }
  if (answer.status === 401) {
    askForToken();
    return;
  }
  if (!answer.ok) {
    problem(`The server answers ${answer.status}.`);
    return;
  }
  $("locked").hidden = true;
  problem("");
  const models = await answer.json();
  if (!models.length) {
    problem("No model answers at the moment.");
    return;
  }
  $("model").replaceChildren(...models.map((model) => new Option(model.name, model.name)));
  $("choice").hidden = models.length < 2;
  $("model").onchange = () => choose(models.find((model) => model.name === $("model").value));
  const wanted = () => models.find((model) => `#${encodeURIComponent(model.name)}` === location.hash) ?? models[0];
  window.onhashchange = () => choose(wanted());
  choose(wanted());
}

// Who comes back to the page sees the version that answers now.
async function refresh() {
  if (document.visibilityState !== "visible" || !shown) return;
  const answer = await described().catch(() => null);
  const models = answer?.ok ? await answer.json() : [];
  const now = models.find((model) => model.name === shown.name);
  if (now && now.version !== shown.version) load();
}

function choose(model) {
  shown = model;
  $("model").value = model.name;
  history.replaceState(null, "", `#${encodeURIComponent(model.name)}`); // another look finds it again
  $("name").textContent = model.name;
  document.title = `${model.name} · tfpipe`;
  const generated = model.generated ? " · trained on generated data, its answers mean nothing" : "";
  $("about").textContent = `version ${model.version} · ${model.task || "SavedModel"}${generated}`;
  forget();
  problem("");
  inputsOf(model, $("input"), (request) => {
    if (shown !== model) return; // a file of another model that was read late
    if (request) later(model, request);
    else forget();
  }, problem);
}

// Take back the answer, and do not wait for the one that is on its way.
function forget() {
  clearTimeout(timer);
  latest += 1;
  noAnswer();
  $("as-curl").hidden = true;
}

function noAnswer() {
  $("answer").replaceChildren(Object.assign(document.createElement("p"), { className: "note", textContent: "There is none yet." }));
  $("time").textContent = $("said").textContent = "";
}

function askForToken() {
  problem(token ? "This token is not the right one." : "");
  $("locked").hidden = false;
  $("token").focus();
}

// Ask when nothing has changed for a moment, so that a slider asks when it rests or moves slowly.
function later(model, request) {
  clearTimeout(timer);
  timer = setTimeout(() => ask(model, request), PAUSE);
}

async function ask(model, request) {
  const number = ++latest;
  const path = `/v1/models/${encodeURIComponent(model.name)}:predict`;
  const began = performance.now();
  let body;
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json", ...headers() }, body: JSON.stringify(request.body) });
    const text = await answer.text();
    if (number !== latest) return;
    body = parsed(text);
    if (!answer.ok) noAnswer();
    if (answer.status === 401) {
      askForToken();
      return;
    }
    if (!answer.ok) {
      problem(body?.error ?? `The server answers ${answer.status}.`);
      return;
    }
    if (!body?.predictions) {
      noAnswer();
      problem("What came back is no answer of a model.");
      return;
    }
  } catch {
    if (number !== latest) return;
    noAnswer();
    problem("The server does not answer.");
    return;
  }
  problem("");
  const taken = performance.now() - began;
  $("said").textContent = showAnswer($("answer"), model, body.predictions[0]);
  $("time").textContent = `${taken.toFixed(taken < 10 ? 1 : 0)} ms from here to the model and back`;
  $("curl").textContent = curl(path, request);
  $("as-curl").hidden = false;
  $("copied").textContent = "";
}

// The server writes NaN and Infinity as TensorFlow Serving does, which JSON.parse does not know.
// Of what is no JSON, such as a proxy's own page, it is null.
function parsed(text) {
  for (const json of [text, text.replace(/(?<=[[,:\s])-?(?:NaN|Infinity)(?=[\],}\s])/g, "null")]) {
    try {
      return JSON.parse(json);
    } catch {
      // The other may be.
    }
  }
  return null;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl(path, request) {
  const secret = token ? ` \\\n  -H "Authorization: Bearer $TFPIPE_TOKEN"` : "";
  const address = quoted(location.origin + path);
  if (request.file) {
    // A file is too long for a command line, and so is read from the disk.
    const before = quoted(`{"signature_name": "serving_bytes", "instances": [{"b64": "`);
    return `(printf %s ${before}; base64 < ${quoted(request.file)} | tr -d '\\n'; printf %s '"}]}') | \\\n  curl -s ${address}${secret} -d @-`;
  }
  return `curl -s ${address}${secret} \\\n  -d ${quoted(JSON.stringify(request.body))}`;
}

$("copy").onclick = async () => {
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    $("copied").textContent = "copied";
  } catch {
    getSelection().selectAllChildren($("curl"));
    $("copied").textContent = "selected: copy it with the keyboard";
  }
};
$("locked").onsubmit = (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  load();
};
document.addEventListener("visibilitychange", refresh);
// A file that misses its place does not replace the page.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
}
load();
