"""How a model continues a text while it is trained."""

import json
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpipe.data.sources.running_text import Text
from tfpipe.models.sequence.generation import Sampling, continued, reader_of
from tfpipe.storage import storage, write_whole

TOKENS = 50
_READ = 20  # tokens of what is held out, where no prompt is declared


class Continuations(keras.callbacks.Callback):
    """Writes down the most probable continuation of a prompt after epochs 1, 2, 5, 10, 20, ...

    Each is a line of a file: the epoch, the prompt and what follows it. So is the last epoch's.

    Args:
        path: the file.
        data: says the prompt, or where it is from.
        probabilities: whether the model gives these, and no logits.
    """

    def __init__(self, path: Path, data: Text, probabilities: bool) -> None:
        super().__init__()
        self._path, self._data, self._probabilities = path, data, probabilities
        self._lines: list[dict[str, Any]] = []
        self._done = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._path.is_file():
            self._lines = [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]
        tokenizer, data = self._data.tokenizer, self._data
        split = "validation" if data.validation is not None else "train"
        self._prompt = data.prompt or tokenizer.decode(data.stored(split)[:_READ].tolist())
        tokens = tf.constant(tokenizer.encode(self._prompt).tolist() or [0], tf.int32)
        reader = reader_of(self.model, data.windows, self._probabilities)
        sampling = Sampling(never=tokenizer.unknown_number)
        self._say = tf.function(
            lambda: continued(reader, tokens, TOKENS, sampling), autograph=False
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._lines = [line for line in self._lines if line["epoch"] <= epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._done = epoch + 1
        if str(self._done).rstrip("0") in ("1", "2", "5"):
            self._write()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._done and not any(line["epoch"] == self._done for line in self._lines):
            self._write()

    def _write(self) -> None:
        said = self._data.tokenizer.decode(self._say().numpy().tolist())
        joint = self._data.tokenizer.form.joint
        line = {"epoch": self._done, "prompt": self._prompt, "continuation": joint + said}
        self._lines.append(line)
        lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines)
        with storage(self._path):
            write_whole(self._path, "".join(lines).encode())
