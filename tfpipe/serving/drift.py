"""Drift: how much what is asked and answered differs from what the model was trained on.

An export says what its training data was like: ranges of numbers, words, lengths of texts, the
brightness of images, shares of classes. Here requests are counted against that.
"""

import io
import math
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tfpipe.serving.limits import size_of
from tfpipe.serving.refusals import RequestRefused

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

BELOW, ABOVE, MISSING, UNKNOWN = "below", "above", "missing", "unknown"
MOST_WORDS = 50  # that an export tells; of more it is not known which there were
_TOGETHER = 64  # samples that are looked at in one go; of image files one of them is decoded
_HELD = 1 << 22  # bytes that wait for it, at most
_READ = 1 << 16  # bytes of a text whose words are counted
_PIXELS = 1 << 18  # of a file that is decoded: a larger one would keep others waiting
_LIKELY = 0.5  # from where on one of several answers is a yes
_DEVIATIONS = 3.0  # of an image's mean pixel from the usual one
_ENOUGH = 100  # answers, at least, before their shares say anything
_ENOUGH_EACH = 20  # times the classes: with fewer, chance alone makes an index of 0.05 and more
_RECENT = 5  # times as many answers; then the older ones count half
_LEAST = 1e-4  # of a share, where there is none: else one sample would be infinitely strange


class Drift:
    """Counts for one version of a model.

    Args:
        contract: what its export says of itself.
    """

    def __init__(self, contract: Mapping[str, Any]) -> None:
        training = contract.get("training", {})
        self._inputs: Mapping[str, Mapping[str, Any]] = training.get("inputs", {})
        self._kinds = {i["name"]: i["kind"] for i in contract.get("inputs", ())}
        label = contract.get("label", {})
        parts = label.get("parts") or ([label] if label else [])
        usual = "probabilities" if contract.get("output") == "probabilities" else "values"
        answers = training.get("answers", {})
        several = bool(label.get("parts"))
        self._outputs = {
            part["name"]: (part["name"] if several else usual, tuple(part["classes"]))
            for part in parts
        }
        self._several = {part["name"] for part in parts if part.get("kind") == "multilabel"}
        images = [i for i in contract.get("inputs", ()) if i["kind"] == "image"]
        self._image = images[0] if len(images) == 1 and "files" in contract else None
        self._file = b""
        self.shares: dict[str, dict[str, float]] = {
            part["name"]: dict(answers.get(part["name"], {}) if several else answers)
            for part in parts
            if part["classes"]
        }
        # Requests are counted where they are answered, and asked about from another thread.
        self._lock = threading.RLock()
        self._waiting: list[tuple[Arrays, Arrays]] = []
        self._rows = self._held = 0
        self._seen: Counter[str] = Counter()
        self._outside: Counter[tuple[str, str]] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._recent: dict[str, Counter[str]] = {}

    def add(self, arrays: "Arrays", answers: "Arrays") -> None:
        """Take note of a request; it is counted with others, when there are some or it is asked.

        Args:
            arrays: what was asked, by input.
            answers: what was answered, by output.
        """
        if not self._inputs and not self.shares:
            return
        known = {name: array for name, array in arrays.items() if name in self._inputs}
        fields = {field for field, classes in self._outputs.values() if classes}
        with self._lock:
            if self._image and not self._file and "bytes" in arrays and arrays["bytes"].size:
                self._file = arrays["bytes"].reshape(-1)[0]
            self._waiting.append((known, {n: a for n, a in answers.items() if n in fields}))
            self._rows += max((len(a) for a in arrays.values() if a.ndim), default=0)
            for array in known.values():
                texts = array.dtype.kind == "O"
                self._held += sum(map(len, array.reshape(-1))) if texts else array.nbytes
            if self._rows >= _TOGETHER or self._held + len(self._file) > _HELD:
                self._count()

    def inputs(self) -> dict[str, int]:
        """Return how many values of each input were looked at."""
        with self._lock:
            self._count()
            return dict(self._seen)

    def outside(self) -> dict[tuple[str, str], int]:
        """Return how many values of an input were below, above, missing or unknown."""
        with self._lock:
            self._count()
            return dict(self._outside)

    def answers(self) -> dict[tuple[str, str], int]:
        """Return how often an output had each of its classes."""
        with self._lock:
            self._count()
            return dict(self._answers)

    def recent(self) -> dict[tuple[str, str], int]:
        """Return the same of the last answers; the older they are, the less they count."""
        with self._lock:
            self._count()
            counts = self._recent.items()
            return {(output, c): n for output, found in counts for c, n in found.items()}

    def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        file, self._file = self._file, b""
        self._rows = self._held = 0
        if self._image and file and self._image["name"] in self._inputs:
            mean = mean_of(file, self._image["shape"][-1])
            if mean is not None:
                self._count_input(self._image["name"], mean)
        for name, values in together(arrays for arrays, _ in waiting):
            if self._kinds.get(name):
                self._count_input(name, values)
        answered = together(answers for _, answers in waiting)
        for output, (field, classes) in self._outputs.items():
            for values in [values for name, values in answered if name == field]:
                self._count_answers(output, classes, values)

    def _count_input(self, name: str, values: "np.ndarray") -> None:
        if self._kinds[name] == "text":
            values = values[: _read_of(values)]
        found = outside(values, self._inputs[name], self._kinds[name])
        self._seen[name] += len(values)
        self._outside.update({(name, reason): n for reason, n in found.items() if n})

    def _count_answers(self, output: str, classes: tuple[str, ...], values: "np.ndarray") -> None:
        import numpy as np

        if values.ndim != 2 or values.shape[1] != len(classes):
            return
        if output in self._several:
            counts = (values >= _LIKELY).sum(axis=0).tolist()
        else:
            counts = np.bincount(values.argmax(axis=1), minlength=len(classes)).tolist()
        found = {c: n for c, n in zip(classes, counts, strict=True) if n}
        self._answers.update({(output, c): n for c, n in found.items()})
        recent = self._recent.get(output, Counter()) + Counter(found)
        while recent.total() > _RECENT * enough(len(classes)):
            recent = Counter({c: n // 2 for c, n in recent.items()})
        self._recent[output] = recent


def together(requests: "Iterable[Arrays]") -> "list[tuple[str, np.ndarray]]":
    """Return the samples of several requests, those of one name and shape in one array.

    Args:
        requests: the arrays of each, by name.
    """
    import numpy as np

    groups: dict[tuple[str, Any], list[np.ndarray]] = {}
    for arrays in requests:
        for name, values in arrays.items():
            if values.ndim:
                groups.setdefault((name, values.shape[1:]), []).append(values)
    return [(name, np.concatenate(group)) for (name, _), group in groups.items()]


def outside(values: "np.ndarray", training: Mapping[str, Any], kind: str) -> dict[str, int]:
    """Return how many values are not like those of training, by reason.

    Args:
        values: [rows, ...] of one input.
        training: what the export says of it.
        kind: of the feature: number, category, text, image, ...
    """
    import numpy as np

    words = training.get("words", {})
    if words and kind == "category" and len(words) < MOST_WORDS:
        known = {word.encode() for word in words}
        texts = [t if isinstance(t, bytes) else str(t).encode() for t in values.reshape(-1)]
        return {UNKNOWN: sum(text not in known for text in texts)}
    if kind == "text":
        lengths = [len(text[:_READ].split()) for text in values.reshape(-1)]
        return _ranges(np.asarray(lengths, np.float64), training.get("lengths", {}))
    if values.dtype.kind not in "fiub":
        return {}
    if kind == "image" and "mean" in training:
        means = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)
        spread = _DEVIATIONS * training["std"]
        middle = training["mean"]
        return _ranges(means, {"min": middle - spread, "max": middle + spread})
    return _ranges(values, training)


def _read_of(texts: "np.ndarray") -> int:
    """Return how many texts can be read without keeping others waiting."""
    sizes = (min(len(text), _READ) for text in texts.reshape(-1))
    return max(1, bisect_right([*accumulate(sizes)], _HELD))


def mean_of(file: bytes, channels: int) -> "np.ndarray | None":
    """Return the mean pixel of an image file, [1]; None of one that is large or cannot be read.

    Args:
        file: its content.
        channels: that the model takes; of one, the picture is grey.
    """
    import numpy as np
    from PIL import Image

    try:
        width, height = size_of(file)
        if width * height > _PIXELS:
            return None
        with Image.open(io.BytesIO(file)) as image:
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError, RequestRefused):
        return None
    return pixels.mean(dtype=np.float64, keepdims=True).reshape(1)


def _ranges(values: "np.ndarray", training: Mapping[str, float]) -> dict[str, int]:
    import numpy as np

    found = {MISSING: int(np.count_nonzero(~np.isfinite(values)))}
    if "min" in training:
        found[BELOW] = int(np.count_nonzero(values < training["min"]))
        found[ABOVE] = int(np.count_nonzero(values > training["max"]))
    return found


def enough(classes: int) -> int:
    """Return how many answers say something of the shares of so many classes."""
    return max(_ENOUGH, _ENOUGH_EACH * classes)


def stability_of(expected: list[float], counts: list[int]) -> float | None:
    """Return the stability index of answers; None where there are too few to say anything.

    Args:
        expected: the shares of training.
        counts: how often each was answered.
    """
    few = sum(counts) < enough(len(expected))
    return None if few or not any(expected) else stability_index(expected, counts)


def stability_index(expected: list[float], counts: list[int]) -> float:
    """Return the population stability index: the sum of (p - q) ln(p / q) over classes.

    Below 0.1 answers are shared out as the labels of training were; above 0.25 they are not.

    Args:
        expected: the shares of training.
        counts: how often each was answered.
    """
    whole, total = sum(expected), sum(counts)
    found = 0.0
    for count, share in zip(counts, expected, strict=True):
        served, trained = max(count / total, _LEAST), max(share / whole, _LEAST)
        found += (served - trained) * math.log(served / trained)
    return found
