// Which view is shown: the address says it after the #, so that back and forward work.
const VIEWS = { overview, elastic, formula, sizes };
const NUMBERS = ["image", "map", "channel", "row", "column", "size", "padding", "kernel", "stride"];
let remembering = null, fresh = true;

function address() {
  const named = { view: state.view, image: state.image };
  if (state.view === "overview") named.scale = state.scale;
  else if (state.view === "sizes") for (const n of ["size", "padding", "kernel", "stride"]) named[n] = state[n];
  else {
    Object.assign(named, { layer: steps[state.layer].name, map: state.map });
    if (state.view === "formula") for (const n of ["channel", "row", "column"]) named[n] = state[n];
  }
  return `#${new URLSearchParams(named)}`;
}

function read() {
  const named = new URLSearchParams(location.hash.slice(1));
  state.view = Object.hasOwn(VIEWS, named.get("view")) ? named.get("view") : "overview";
  if (["layer", "module", "network"].includes(named.get("scale"))) state.scale = named.get("scale");
  const layer = steps.findIndex((s) => s.name === named.get("layer"));
  if (layer >= 0) state.layer = layer;
  for (const name of NUMBERS) if (/^\d{1,7}$/.test(named.get(name) ?? "")) state[name] = Number(named.get(name));
  state.begin = !named.has("row");
  state.image = Math.min(state.image, model.pictures.length - 1);
  state.map = Math.min(state.map, unitCount(steps[state.layer]) - 1);
  for (const [name, , low, high] of SIZES) state[name] = Math.max(low, Math.min(high, state[name]));
}

// Change what is shown; `stay` where Escape is not to come back here.
function go(changes, stay = false) {
  const before = state.view;
  if (changes.view !== undefined && changes.view !== before) state.all = false;
  Object.assign(state, changes);
  fresh = state.view !== before;
  if (!stay) history.pushState(null, "", address());
  else history.replaceState(null, "", address());
  render();
}

// After the window has rested, as browsers limit how often an address may change.
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => history.replaceState(null, "", address()), 400);
}

function back() {
  const from = { layer: state.layer, map: state.map };
  if (state.view === "formula") return go({ view: "elastic" });
  go({ view: "overview" });
  return from;
}

async function render() {
  stop();
  clearTimeout(remembering);
  const next = await numbersOf(`image-${state.image}`);
  if (next !== values) {
    values = next;
    spans = new Map();
  }
  if (state.view === "formula") settle();
  const focused = document.activeElement?.id, from = shownView;
  const scrolled = $("layers")?.scrollLeft;
  const contents = VIEWS[state.view]();
  $("view").replaceChildren(...contents.filter(Boolean));
  document.body.dataset.view = state.view;
  $("to-overview").toggleAttribute("aria-current", state.view === "overview");
  $("to-sizes").toggleAttribute("aria-current", state.view === "sizes");
  if (state.view === "formula" && $("numbers")) moved();
  if (state.view === "overview" && from !== "overview" && from) {
    const button = document.querySelector(`#layers button[data-layer="${state.layer}"][data-map="${state.map}"]`)
      ?? document.querySelector(`#layers button[data-layer="${state.layer}"]`);
    if (button) focusTile(button);
  } else if (fresh && from) {
    $("title")?.focus();
    scrollTo(0, 0);
  } else if (focused) $(focused)?.focus();
  if (scrolled && state.view === "overview") $("layers").scrollLeft = scrolled;
  shownView = state.view;
  fresh = false;
  document.body.dataset.ready = "yes";
}

let shownView = "";

function changed() {
  const before = state.view;
  read();
  fresh = state.view !== before;
  return render();
}

document.addEventListener("click", overviewClick);
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape" && state.view !== "overview") back();
  else if (state.view === "overview") overviewKey(event);
  else if (state.view === "formula") formulaKey(event);
  else if (state.view === "sizes") sizesKey(event);
  else if (["ArrowLeft", "ArrowRight"].includes(event.key) && !event.target.matches("select, input")) {
    const map = state.map + (event.key === "ArrowLeft" ? -1 : 1);
    if (map >= 0 && map < unitCount(steps[state.layer])) go({ map }, true);
  }
});
addEventListener("hashchange", changed);
addEventListener("popstate", changed);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readInks(); render(); });

(async () => {
  const problem = $("problem");
  if (typeof DecompressionStream === "undefined") {
    problem.textContent = "This browser is too old to unpack the numbers in this page: use one of 2023 or later.";
    return;
  }
  try {
    readInks();
    weights = await numbersOf("weights");
    for (let i = 0; i < model.pictures.length; i++) await numbersOf(`image-${i}`);
    problem.replaceWith(...model.notes.map((note) => el("p", { class: "notice" }, note)));
    await changed();
  } catch (error) {
    problem.textContent = `The numbers in this page cannot be read: ${error.message}. Make it again with tfpipe inspect.`;
    throw error;
  }
})();
