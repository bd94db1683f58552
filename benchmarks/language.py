"""Tokens a second of language models in training: tfpipe, plain Keras and PyTorch in turns.

    python -m benchmarks.language [--rounds 3] [--only rnn,gru,lstm,gpt]

All train the same networks on the same number of random tokens in memory, in the same batches, with
SGD (RNNs; gradients clipped to a norm of 1) or AdamW (GPT). Figures are medians over the epochs
after the second, then over the rounds; what to compare are the ratios, as the machine's speed may
drift. PyTorch is left out where it is not installed. Written to benchmarks/language.json.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.turns import ROOT, in_turns, measured

# Tokens of the text, vocabulary, window, batch, epochs.
SIZES = {
    "rnn": (10_000, 28, 35, 32, 12),
    "gru": (10_000, 28, 35, 32, 12),
    "lstm": (10_000, 28, 35, 32, 12),
    "gpt": (46_000, 65, 64, 12, 5),
}
UNITS = {"rnn": 512, "gru": 256, "lstm": 256}
CELLS: dict[str, dict[str, Any]] = {c: {"cell": c, "units": n} for c, n in UNITS.items()}
GPT = {"layers": 4, "heads": 4, "width": 128}


def text(network: str) -> tuple[np.ndarray, int]:
    """The numbers of the tokens, and how many of them a window has."""
    tokens, vocabulary, window, _, _ = SIZES[network]
    return np.random.default_rng(0).integers(1, vocabulary, tokens, np.int32), window


def windows(network: str) -> tuple[np.ndarray, np.ndarray]:
    """As many windows as tfpipe makes of the text, and the tokens that follow."""
    numbers, window = text(network)
    size = (len(numbers) - window) // window
    x, y = (numbers[i : i + size * window].reshape(size, window) for i in (0, 1))
    return x, y


def pipeline(network: str, file: Path) -> Any:
    """The declaration of a network on the text, which is written to a file."""
    from tfpipe import Pipeline, keras, models
    from tfpipe.data import Text

    numbers, window = text(network)
    file.write_text("".join(chr(0x100 + n) for n in numbers.tolist()))
    _, _, _, batch, epochs = SIZES[network]
    gpt = network == "gpt"

    class Trained(Pipeline):
        data = Text(str(file), windows=window, validation=None)
        model = models.GPT(**GPT) if gpt else models.CharRNN(**CELLS[network])
        optimizer = keras.optimizers.AdamW(1e-3) if gpt else keras.optimizers.SGD(1.0)

    return Trained(clip_norm=1.0, batch_size=batch, epochs=epochs)


def by_tfpipe(network: str, folder: Path) -> list[float]:
    """Seconds of each epoch of `tfpipe.run`."""
    import csv

    import tfpipe

    run = tfpipe.run(pipeline(network, folder / "text"), root=folder, export=False, quiet=True)
    with (run.directory / "metrics.csv").open() as file:
        size = len(windows(network)[0])
        return [size / float(row["examples_per_second"]) for row in csv.DictReader(file)]


def by_keras(network: str, folder: Path) -> list[float]:
    """Seconds of each epoch of `fit` on the model that tfpipe builds."""
    import keras

    class Times(keras.callbacks.Callback):
        seconds: list[float] = []  # noqa: RUF012

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self.began)

    declared, times = pipeline(network, folder / "text"), Times()
    optimizers = keras.optimizers
    gpt = network == "gpt"
    clipped = {"global_clipnorm": 1.0}
    optimizer = optimizers.AdamW(1e-3, **clipped) if gpt else optimizers.SGD(1.0, **clipped)
    model = declared.model.build(declared.spec())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    _, _, _, batch, epochs = SIZES[network]
    model.fit(*windows(network), batch, epochs, verbose=0, callbacks=[times])
    return times.seconds


def by_torch(network: str, folder: Path) -> list[float]:
    """Seconds of each epoch of a plain loop in PyTorch."""
    import torch

    _, vocabulary, window, batch, epochs = SIZES[network]
    model = transformer(vocabulary, window) if network == "gpt" else recurrent(network, vocabulary)
    gpt = network == "gpt"
    parameters = [*model.parameters()]
    make = torch.optim.AdamW if gpt else torch.optim.SGD
    optimizer = make(parameters, lr=1e-3 if gpt else 1.0)
    x, y = (torch.from_numpy(part.astype(np.int64)) for part in windows(network))
    seconds = []
    for _ in range(epochs):
        began, correct = time.perf_counter(), 0
        for rows in torch.randperm(len(x)).split(batch):
            logits = model(x[rows])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            correct += int((logits.argmax(-1) == y[rows]).sum())  # the others count it too
        seconds.append(time.perf_counter() - began)
    return seconds


def recurrent(cell: str, vocabulary: int) -> Any:
    """One-hot rows, a recurrent layer and a last one."""
    import torch
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            make = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
            self.layer = make(vocabulary, UNITS[cell], batch_first=True)
            self.last = nn.Linear(UNITS[cell], vocabulary)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = nn.functional.one_hot(x, vocabulary).float()
            logits: torch.Tensor = self.last(self.layer(rows)[0])
            return logits

    return Recurrent()


def transformer(vocabulary: int, context: int) -> Any:
    """The GPT of tfpipe.models, layer by layer."""
    import torch
    from torch import nn

    width, heads = GPT["width"], GPT["heads"]

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm_1, self.norm_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
            self.inputs = nn.Linear(width, 3 * width, bias=False)
            self.outputs = nn.Linear(width, width, bias=False)
            self.dense = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows, tokens, _ = x.shape
            split = (rows, tokens, heads, width // heads)
            parts = self.inputs(self.norm_1(x)).split(width, 2)
            q, k, v = (part.view(split).transpose(1, 2) for part in parts)
            seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.outputs(seen.transpose(1, 2).reshape(rows, tokens, width))
            added: torch.Tensor = x + self.dense(self.norm_2(x))
            return added

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = (nn.Embedding(n, width) for n in (vocabulary, context))
            self.blocks = nn.Sequential(*(Block() for _ in range(GPT["layers"])))
            self.norm = nn.LayerNorm(width, bias=False)
            self.last = nn.Linear(width, vocabulary, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.tokens(x) + self.places(torch.arange(x.shape[1]))
            logits: torch.Tensor = self.last(self.norm(self.blocks(x)))
            return logits

    return Transformer()


WAYS = {"tfpipe": by_tfpipe, "keras": by_keras, "torch": by_torch}


def contender(network: str, way: str) -> dict[str, float]:
    """Tokens a second in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seconds.json"
        words = ["-m", "benchmarks.language", "--only", network, "--way", way, "--out", str(file)]
        measured([sys.executable, *words], {"PYTHONPATH": str(ROOT)}, ROOT)
        seconds = statistics.median(json.loads(file.read_text())[2:])
    return {"tokens/s": windows(network)[0].size / seconds}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--only", default=",".join(SIZES))
    words.add_argument("--way", choices=WAYS, help="train in this process, and write to --out")
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    if given.way:
        with tempfile.TemporaryDirectory() as folder:
            seconds = WAYS[given.way](given.only, Path(folder))
        given.out.write_text(json.dumps(seconds))
        return
    ways = [way for way in WAYS if way != "torch" or importlib.util.find_spec("torch")]
    found: dict[str, Any] = {}
    for network in given.only.split(","):
        print(network, flush=True)
        medians = in_turns(ways, partial(contender, network), given.rounds)
        own = medians["tfpipe"]["tokens/s"]
        ratios = {f"times {w}": own / medians[w]["tokens/s"] for w in ways if w != "tfpipe"}
        found[network] = {w: medians[w]["tokens/s"] for w in ways} | ratios
        print(json.dumps(found[network], indent=1), flush=True)
    (ROOT / "benchmarks" / "language.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
