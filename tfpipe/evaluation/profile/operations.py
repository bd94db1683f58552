"""The costliest operations of traced training steps, each with the layer that it belongs to."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XLine, XPlane, XSpace

# As TensorFlow writes the events of operations: `sequential/dense/MatMul:MatMul`.
_OPERATION = re.compile(r"(?P<name>[\w.\-/]+):(?P<kind>_?[A-Z]\w*)")
_GRADIENT = re.compile(r"(?:^|/)gradient_tape/")
_VENDOR = re.compile(r"^_?(?:MklNative|Mkl)?")


@dataclass(frozen=True)
class Operation:
    """Operations of one kind that one layer does in one part of a step.

    Args:
        layer: its name; the optimizer's class, or "loss"; empty for what belongs to neither.
        kind: as TensorFlow calls it: "Conv2D".
        part: "forward", "backward", "update" or "input".
        calls: in a step.
        seconds: in a step, on all threads together.
        share: of the time of all operations.
    """

    layer: str
    kind: str
    part: str
    calls: float
    seconds: float
    share: float


class Scopes:
    """Which names of operations belong to which layer of a model; found while a step is traced.

    Args:
        model: the compiled model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._layers: dict[str, str] = {}  # by the scope of names
        self._names: set[str] = set()  # of all operations of the step
        self._optimizer = re.compile(
            "|".join(rf"(?:^|/){re.escape(one.name)}(?:_\d+)?/" for one in _optimizers(model))
        )

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Take note of the scope in which each layer is called within the block."""
        before: dict[keras.Layer, Any] = {}

        def noted(layer: keras.Layer) -> Any:
            call = layer.call

            def noting(*args: Any, **kwargs: Any) -> Any:
                self._layers[tf.get_current_name_scope()] = layer.name
                return call(*args, **kwargs)

            return noting

        for layer in self._model._flatten_layers(include_self=False):
            if layer not in before:
                before[layer] = vars(layer).get("call")
                object.__setattr__(layer, "call", noted(layer))
        try:
            yield
        finally:
            for layer, call in before.items():
                object.__delattr__(layer, "call")
                if call is not None:
                    object.__setattr__(layer, "call", call)

    def know(self, graph: tf.Graph) -> None:
        """Take note of the names of a step's operations: what has another one is the input's."""
        self._names |= {_first(operation.name) for operation in graph.get_operations()}

    def place(self, name: str) -> tuple[str, str]:
        """Return the layer of an operation, and the part of the step that it is in."""
        bare = _GRADIENT.sub("/", name).lstrip("/")
        if self._optimizer.search(bare):
            return type(_optimizers(self._model)[-1]).__name__, "update"
        part = "backward" if bare != name else "forward"
        scopes = bare.split("/")
        for length in range(len(scopes) - 1, 0, -1):
            layer = self._layers.get("/".join(scopes[:length]))
            if layer:
                return layer, part
        if scopes[0].startswith("compile_loss"):
            return "loss", part
        if part == "forward":  # the metrics have no scope
            part = "update" if _first(name) in self._names else "input"
        return "", part


def read(file: Path) -> "XSpace":
    """Return the trace of a file that TensorFlow's profiler has written."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(file.read_bytes())
    return space


def operations(space: "XSpace", scopes: Scopes, steps: int) -> list[Operation]:
    """Return what the operations of a trace take, the costliest first.

    Args:
        space: the trace: of its accelerators where it has any, else of the CPU.
        scopes: which names belong to which layer.
        steps: how many steps it has.
    """
    seconds: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    calls: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    accelerators = [p for p in space.planes if p.name.startswith(("/device:GPU", "/device:TPU"))]
    for plane in accelerators or space.planes:
        for line in plane.lines:
            for name, kind, taken in _own_times(plane, line, bool(accelerators)):
                by_input = line.name.startswith("tf_data")
                layer, part = ("", "input") if by_input else scopes.place(name)
                key = layer, _VENDOR.sub("", kind), part
                seconds[key] += taken
                calls[key] += 1
    total = sum(seconds.values()) or 1.0
    return [
        Operation(*key, calls[key] / steps, taken / steps, taken / total)
        for key, taken in sorted(seconds.items(), key=lambda item: -item[1])
    ]


def layer_shares(costs: Iterable[Operation]) -> dict[str, float]:
    """Return the share of each layer in the time of all operations, the greatest first."""
    shares: defaultdict[str, float] = defaultdict(float)
    for one in costs:
        if one.part != "update" and one.layer not in ("", "loss"):
            shares[one.layer] += one.share
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _own_times(
    plane: "XPlane", line: "XLine", accelerator: bool
) -> Iterator[tuple[str, str, float]]:
    """Yield the operations of a line: name, kind and seconds, without those inside of them."""
    open_ones: list[list[Any]] = []  # [name, kind, end, own picoseconds], the innermost last
    events = sorted(line.events, key=lambda event: (event.offset_ps, -event.duration_ps))
    for event in events:
        meta = plane.event_metadata[event.metadata_id]
        text = meta.name
        if accelerator:  # kernels have names of their own, and say whose they are
            stats = {
                plane.stat_metadata[s.metadata_id].name: s for s in (*meta.stats, *event.stats)
            }
            text = _text(stats.get("tf_op"), plane.stat_metadata)
        match = _OPERATION.fullmatch(text)
        if not match or not event.duration_ps:
            continue
        while open_ones and open_ones[-1][2] <= event.offset_ps:
            name, kind, _, own = open_ones.pop()
            yield name, kind, own / 1e12
        if open_ones:
            open_ones[-1][3] -= event.duration_ps
        end = event.offset_ps + event.duration_ps
        open_ones.append([match["name"], match["kind"], end, event.duration_ps])
    for name, kind, _, own in open_ones:
        yield name, kind, own / 1e12


def _text(stat: Any, names: Mapping[int, Any]) -> str:
    if stat is None:
        return ""
    return str(stat.str_value or names[stat.ref_value].name)


def _first(name: str) -> str:
    """A name's outermost scope, with its slash where there are others."""
    first, slash, _ = name.partition("/")
    return first + slash


def _optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", None)  # float16 scales the loss
    return [optimizer, *([inner] if inner else [])]
