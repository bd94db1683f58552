"""One version of a model, loaded without Keras: its signatures, and what it says of itself."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.errors import CheckFailed, ModelError
from tfpipe.exports import parity
from tfpipe.serving.refusals import wrong
from tfpipe.text import listed

if TYPE_CHECKING:
    import numpy as np
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

    Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tensor:
    """An input or an output of a signature.

    Args:
        name: its name.
        dtype: as NumPy calls it; "string" for texts and bytes.
        shape: its lengths, None where any will do; None as a whole where the rank is not known.
        at: the name of the tensor in the graph.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    at: str = ""


@dataclass(frozen=True)
class Signature:
    """What a model can be asked.

    Args:
        name: such as serving_default.
        inputs: by name.
        outputs: by name.
        function: the loaded signature.
        method: what kind of question TensorFlow Serving takes it for.
    """

    name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    function: Any = field(repr=False)
    method: str = "tensorflow/serving/predict"

    @property
    def batches(self) -> bool:
        """Whether samples of several requests can be asked together: all lengths begin free."""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return all(t.shape is not None and t.shape[:1] == (None,) for t in tensors)

    def __call__(self, arrays: "Arrays") -> "dict[str, np.ndarray]":
        """Return the answers to arrays, each by its name."""
        import tensorflow as tf

        tensors = {name: tf.constant(array) for name, array in arrays.items()}
        return {name: value.numpy() for name, value in self.function(**tensors).items()}


@dataclass(frozen=True)
class Servable:
    """A loaded version.

    Args:
        name: the model's.
        version: its number.
        folder: where it is.
        signatures: by name.
        contract: what goes in and what comes out, as an export of tfpipe says; empty for others.
        differences: how far its answers are from those of the trained model, by signature.
        loaded: the SavedModel, whose variables live as long as it does.
    """

    name: str
    version: int
    folder: Path
    signatures: Mapping[str, Signature]
    contract: Mapping[str, Any]
    differences: Mapping[str, float]
    loaded: Any = field(repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes; none where it does not answer one of them."""
        return tuple(self.contract.get("label", {}).get("classes", ()))

    @property
    def takes_files(self) -> bool:
        """Whether its strings named `bytes` are image files."""
        return "files" in self.contract

    def signature(self, name: str = "") -> Signature:
        """Return a signature, the default one without a name; raise RequestRefused for another."""
        wanted = name or "serving_default"
        if wanted not in self.signatures:
            there = listed([repr(known) for known in self.signatures])
            raise wrong(f"There is no signature {wanted!r}; there is {there}.")
        return self.signatures[wanted]


@contextmanager
def without_keras() -> Iterator[None]:
    """Keep TensorFlow from loading Keras, which a SavedModel does not need: half of its start."""
    if "keras" in sys.modules or "tensorflow" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["keras"]


def load(folder: Path, name: str, version: int, threads: int = 0) -> Servable:
    """Load a version, and prove that it answers as its golden samples say.

    Args:
        folder: of a SavedModel.
        name: the model's.
        version: its number.
        threads: of TensorFlow's operations, if it starts with this; 0 for as many as it takes.

    Raises:
        ModelError: when it is no SavedModel, or a damaged one.
        CheckFailed: when it answers otherwise than the model that was trained.
    """
    with without_keras():
        from tfpipe.devices import start_tensorflow

        tf = start_tensorflow()
    if threads:
        with suppress(RuntimeError):  # it has computed something already
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    if not (folder / "saved_model.pb").is_file():
        raise ModelError(f"{folder} is no SavedModel: it has no saved_model.pb.")
    contract = _contract(folder)
    try:
        loaded = tf.saved_model.load(str(folder))
        signatures = _signatures(folder, loaded)
    except Exception as error:  # noqa: BLE001 (of many kinds, by what is damaged)
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder} cannot be loaded: {type(error).__name__}: {reason}") from None
    if not signatures:
        raise ModelError(f"{folder} has no signature, so there is nothing that it can be asked.")
    differences = _proven(loaded, folder) if contract else {}
    return Servable(name, version, folder, signatures, contract, differences, loaded)


def _contract(folder: Path) -> dict[str, Any]:
    file = folder / "assets" / "contract.json"
    if not file.is_file():
        return {}
    try:
        contract = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder} is damaged: {file} cannot be read ({error}).") from None
    if not isinstance(contract, dict):
        raise ModelError(f"{folder} is damaged: {file} should hold an object.")
    return contract


def _proven(loaded: Any, folder: Path) -> dict[str, float]:
    """Return how far the answers are from the golden ones; raise CheckFailed when too far."""
    try:
        golden, contract = parity.assets_of(folder)
        found = parity.differences(loaded, golden)
        wrong = parity.beyond(found, parity.tolerance_of(contract))
    except Exception as error:  # noqa: BLE001 (a damaged file of samples, or of variables)
        found, reason = {}, " ".join(str(error).split())
        wrong = f"they cannot be compared: {type(error).__name__}: {reason}"
    if wrong:
        raise CheckFailed(f"{folder} does not answer as its golden samples say: {wrong[:400]}.")
    return found


def _signatures(folder: Path, loaded: Any) -> dict[str, Signature]:
    """Return the signatures as the file defines them, which says more than what is loaded."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {
        name: Signature(
            name,
            {key: _tensor(key, info) for key, info in sorted(definition.inputs.items())},
            {key: _tensor(key, info) for key, info in sorted(definition.outputs.items())},
            loaded.signatures[name],
            definition.method_name,
        )
        for name, definition in sorted(definitions.items())
        if name in loaded.signatures
    }


def _tensor(name: str, info: "TensorInfo") -> Tensor:
    import tensorflow as tf

    shape = info.tensor_shape
    lengths = tuple(None if d.size < 0 else int(d.size) for d in shape.dim)
    dtype = tf.dtypes.as_dtype(info.dtype).name
    return Tensor(name, dtype, None if shape.unknown_rank else lengths, info.name)
