// What each kind of layer computes, from the model's numbers.

// The places of the input that a window reads for a place of the output, row by row.
function windowAt(step, row, column) {
  const { size, strides, dilation, pads } = step.settings, [height, width] = inputOf(step).shape;
  const cells = [];
  for (let i = 0; i < size[0]; i++) {
    for (let j = 0; j < size[1]; j++) {
      const r = row * strides[0] - pads[0] + i * dilation[0], c = column * strides[1] - pads[1] + j * dilation[1];
      cells.push({ r, c, inside: r >= 0 && c >= 0 && r < height && c < width });
    }
  }
  return cells;
}

// The maps of the input that make a map of the output.
function channelsOf(step, map) {
  if (step.form === "depthwise") return [Math.floor(map / step.settings.multiplier)];
  const count = step.weights.kernel.shape[2];
  const first = Math.floor(map / (step.shape[2] / step.settings.groups)) * count;
  return Array.from({ length: count }, (_, i) => first + i);
}

// The slice of a kernel between an input map and an output map, row by row.
function kernelOf(step, map, channel) {
  const all = weightOf(step, "kernel"), [height, width, depth, last] = step.weights.kernel.shape;
  const from = step.form === "depthwise" ? channel : channel - channelsOf(step, map)[0];
  const to = step.form === "depthwise" ? map % step.settings.multiplier : map;
  const slice = new Float32Array(height * width);
  for (let i = 0; i < slice.length; i++) slice[i] = all[(i * depth + from) * last + to];
  return slice;
}

function windowSum(step, map, channel, row, column, kernel = kernelOf(step, map, channel)) {
  const input = board(inputOf(step), channel);
  let sum = 0;
  windowAt(step, row, column).forEach((cell, i) => {
    if (cell.inside) sum += input.at(cell.r, cell.c) * kernel[i];
  });
  return sum;
}

// An input map convolved with its slice of the kernel: the intermediate result.
function convolved(step, map, channel) {
  const [height, width] = step.shape, kernel = kernelOf(step, map, channel);
  const { size, strides, dilation, pads } = step.settings, source = inputOf(step);
  const [rows, columns, count] = source.shape, all = valuesOf(source), found = new Float64Array(height * width);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let i = 0; i < size[0]; i++) {
        const r = row * strides[0] - pads[0] + i * dilation[0];
        if (r < 0 || r >= rows) continue;
        for (let j = 0; j < size[1]; j++) {
          const c = column * strides[1] - pads[1] + j * dilation[1];
          if (c >= 0 && c < columns) sum += all[(r * columns + c) * count + channel] * kernel[i * size[1] + j];
        }
      }
      found[row * width + column] = sum;
    }
  }
  return found;
}

// What a unit of a dense layer reads: maps that were flattened, or one row of units.
function denseSource(step) {
  const before = inputOf(step), units = step.shape[0], kernel = weightOf(step, "kernel");
  const flat = before.form === "flatten", source = flat ? inputOf(before) : before;
  const count = flat ? source.shape[2] : 1, grid = board(source, 0);
  const index = (map, r, c) => (r * grid.width + c) * count + map;
  return { source, count, grid, index, weight: (unit, map, r, c) => kernel[index(map, r, c) * units + unit] };
}

// The products of one map with the weights that lead from it to a unit.
function denseProducts(step, unit, map) {
  const { source, grid, weight } = denseSource(step), input = board(source, map);
  const kernel = new Float32Array(grid.size), products = new Float64Array(grid.size);
  let sum = 0;
  for (let i = 0; i < grid.size; i++) {
    const r = Math.floor(i / grid.width), c = i % grid.width;
    kernel[i] = weight(unit, map, r, c);
    products[i] = input.at(r, c) * kernel[i];
    sum += products[i];
  }
  return { kernel, products, sum };
}

const biasOf = (step, unit) => weightOf(step, "bias")?.[unit] ?? 0;

// A formula of one number, in words and with the numbers in it.
function elementwise(step, map, x, y) {
  const s = step.settings;
  if (step.form === "relu") {
    const limit = s.most === null ? "" : `, at most ${short(s.most)}`, most = s.most ?? Infinity;
    const result = x > s.threshold || (x === 0 && !s.threshold) ? Math.min(x, most) : s.slope * (x - s.threshold) || 0;
    if (!s.slope && !s.threshold) return [`max(0, x)${limit}`, ["max(0,", x, ") =", Math.min(Math.max(0, x), most)]];
    const below = s.slope ? `below ${short(s.slope)} · ${s.threshold ? `(x − ${short(s.threshold)})` : "x"}` : "below 0";
    return [`x above ${short(s.threshold)}${limit}; ${below}`, [x, "gives", result]];
  }
  if (step.form === "batchnorm") {
    const [gamma, beta, mean, variance] = ["gamma", "beta", "mean", "variance"].map((n) => weightOf(step, n)?.[map]);
    return ["γ · (x − mean) / √(variance + ε) + β", [gamma ?? 1, "· (", x, "−", mean, ") / √(", variance, "+",
      s.epsilon, ") +", beta ?? 0, "=", (gamma ?? 1) * (x - mean) / Math.sqrt(variance + s.epsilon) + (beta ?? 0)]];
  }
  if (step.form === "rescale") {
    return ["x · scale + offset", [x, "·", s.scale, "+", s.offset, "=", x * s.scale + s.offset]];
  }
  if (step.form === "sigmoid") return ["1 / (1 + e^−x)", ["1 / (1 + e^−(", x, ")) =", 1 / (1 + Math.exp(-x))]];
  return [`${step.kind}(x)`, [`${step.kind}(`, x, ") =", y]];
}

// Logits beside probabilities, in double precision.
function softmax(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(logits, (z) => Math.exp(z - most)), total = powers.reduce((a, b) => a + b, 0);
  return { most, powers, total, probabilities: powers.map((p) => p / total) };
}

// How many places a kernel has along one side; see Keras's Conv2D.
function placesOf(size, padding, kernel, stride) {
  const room = size + 2 * padding - kernel;
  return { room, places: room < 0 ? 0 : Math.floor(room / stride) + 1, fits: room >= 0 && room % stride === 0,
    unread: room < 0 ? 0 : room % stride };
}
