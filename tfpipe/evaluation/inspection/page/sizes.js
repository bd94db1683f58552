// Input size, padding, kernel size and stride: what size comes out, and where the kernel goes.
const SIZES = [["size", "Input size", 1, 32], ["padding", "Padding on each side", 0, 8], ["kernel", "Kernel size", 1, 12], ["stride", "Stride", 1, 8]];

function sizes() {
  const fields = SIZES.map(([name, label, low, high]) => {
    const range = el("input", { type: "range", id: name, min: low, max: high, value: state[name], oninput: () => change(range.value) });
    const number = el("output", { for: name }, state[name]);
    const change = (value) => {
      state[name] = Number(value);
      number.textContent = value;
      stop();
      Object.assign(state, { row: 0, column: 0 });
      sizesShown();
      remember();
    };
    return el("div", {}, el("label", { for: name }, `${label} `), number, range);
  });
  queueMicrotask(sizesShown);
  return [
    el("h2", { id: "title", tabindex: "-1" }, "Sizes of a convolution"),
    el("p", { class: "note" }, "The sizes of one side; height and width follow the same rule. A pool follows it too."),
    el("div", { class: "fields" }, ...fields),
    el("p", { class: "formula", id: "total" }), el("p", { id: "fits" }),
    el("div", { id: "strides" }),
    el("div", { class: "row" }, el("button", { type: "button", id: "play", onclick: playSizes }, "▶ Play"), el("span", { id: "at", class: "note" })),
    el("div", { class: "boards" },
      titled("Input, with padding; hatched is what is never read", el("div", { class: "board", id: "sizes-in", tabindex: "0", role: "application", "aria-label": "Input. Arrow keys move the kernel." })),
      titled("Output", el("div", { class: "board", id: "sizes-out" }))),
  ];
}

function sizesShown() {
  const { size, padding, kernel, stride } = state, { room, places, fits, unread } = placesOf(size, padding, kernel, stride);
  const across = size + 2 * padding, bad = $("fits");
  $("total").textContent = room < 0 ? "No output" : `(${size} + 2 · ${padding} − ${kernel}) / ${stride} + 1 = ${fits ? places : `${short(room / stride + 1)}, rounded down ${places}`}: the output is ${places}×${places}`;
  bad.className = fits ? "" : "problem";
  bad.textContent = room < 0 ? `The kernel of ${kernel} does not fit into an input of ${across} with its padding: take a smaller kernel or more padding.`
    : fits ? `Stride ${stride} fits: the kernel reads every row and column.`
    : `Stride ${stride} does not fit: ${room} places are left for the kernel to move, which ${stride} does not divide. The last ${unread === 1 ? "row and column are" : `${unread} rows and columns are`} never read, padding included.`;
  const list = [[], []];
  for (let s = 1; s <= 8; s++) list[placesOf(size, padding, kernel, s).fits ? 0 : 1].push(s);
  const chip = (s, good) => el("button", { type: "button", class: `chip ${good ? "good" : "bad"}`, "aria-pressed": String(s === stride), "aria-label": `stride ${s} ${good ? "fits" : "does not fit"}`,
    onclick: () => { go({ stride: s, row: 0, column: 0 }, true); } }, `${s} ${good ? "✓" : "✗"}`);
  $("strides").replaceChildren(el("p", {}, "Strides that fit: ", ...(list[0].length ? list[0].map((s) => chip(s, true)) : ["none"])),
    el("p", {}, "Strides that do not fit: ", ...(list[1].length ? list[1].map((s) => chip(s, false)) : ["none"])));
  const read = room < 0 ? 0 : (places - 1) * stride + kernel;
  // Drawn again only where a size has changed.
  const grid = (n, classOf) => {
    const made = el("div", { class: "grid", "aria-hidden": "true" });
    made.style.gridTemplateColumns = `repeat(${n}, 1fr)`;
    for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) made.append(el("i", { class: classOf(r, c) }));
    return made;
  };
  const isPad = (v) => v < padding || v >= padding + size;
  $("sizes-in").replaceChildren(grid(across, (r, c) => `${isPad(r) || isPad(c) ? "pad" : "in"}${r >= read || c >= read ? " unread" : ""}`), el("div", { class: "mark", id: "window" }));
  $("sizes-out").replaceChildren(grid(places, () => "out"), el("div", { class: "mark", id: "cell" }));
  $("sizes-in").style.maxWidth = `${Math.min(320, 26 * across)}px`;
  $("sizes-out").style.maxWidth = `${Math.min(320, 26 * places)}px`;
  $("sizes-in").onpointermove = $("sizes-in").onpointerdown = (event) => {
    if (event.pointerType !== "mouse" && event.type === "pointermove" && !event.buttons) return;
    const box = $("sizes-in").getBoundingClientRect(), to = (share) => Math.round((share * across - kernel / 2) / stride);
    stop();
    slideSizes(to((event.clientY - box.top) / box.height), to((event.clientX - box.left) / box.width));
  };
  slideSizes(state.row, state.column);
}

function slideSizes(row, column) {
  const { size, padding, kernel, stride } = state, { places } = placesOf(size, padding, kernel, stride), across = size + 2 * padding;
  $("window").hidden = $("cell").hidden = places === 0;
  if (places === 0) { $("at").textContent = ""; return; }
  Object.assign(state, { row: Math.max(0, Math.min(places - 1, row)), column: Math.max(0, Math.min(places - 1, column)) });
  place($("window"), { top: state.row * stride, left: state.column * stride, height: kernel, width: kernel }, null, { top: 0, left: 0, height: across, width: across });
  place($("cell"), { top: state.row, left: state.column, height: 1, width: 1 }, null, { top: 0, left: 0, height: places, width: places });
  const from = (v) => v * stride - padding, to = (v) => from(v) + kernel - 1;
  $("at").textContent = `output row ${state.row}, column ${state.column}: reads rows ${short(from(state.row))} to ${short(to(state.row))}, columns ${short(from(state.column))} to ${short(to(state.column))}`;
  if (!playing) say($("at").textContent);
}

function playSizes() {
  if (playing) return stop();
  $("play").textContent = "❚❚ Pause";
  playing = setInterval(() => {
    const { places } = placesOf(state.size, state.padding, state.kernel, state.stride);
    let row = state.row, column = state.column + 1;
    if (column >= places) [row, column] = [row + 1, 0];
    slideSizes(row >= places ? 0 : row, column);
  }, 500);
}

function sizesKey(event) {
  if (!ARROWS[event.key] || event.target.matches("select, input")) return;
  event.preventDefault();
  stop();
  slideSizes(state.row + ARROWS[event.key][0], state.column + ARROWS[event.key][1]);
}
