"""Loading weights into a network: everything is compared first, then everything is assigned.

Three kinds of file are read, each as arrays alone: no object in them is built, no code in them is
run, and no link in them is followed.

| file                    | where the weights of a layer are                                  |
| ----------------------- | ----------------------------------------------------------------- |
| `.h5` of keras.applications, or an old Keras model | under its name, in the order of the layers |
| `.weights.h5` of Keras 3 | under its class and number: `layers/conv2d_1/vars/0`             |
| `.keras`                | as in `.weights.h5`, which it holds                               |

A network inside of another model, as in a tfpipe checkpoint, is found in the last two.
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.errors import ModelError

if TYPE_CHECKING:
    import keras

Shape = tuple[int, ...]

_INSIDE = "model.weights.h5"
_TOP_LAYERS = 3  # VGG has that many above its convolutions, other networks fewer


@dataclass(frozen=True)
class _Layer:
    """The weights of a layer, in a file or in a network.

    Args:
        name: the layer's, for people.
        key: by which the layers of a file and of a network are matched.
        weights: Keras variables, or h5py datasets.
        owner: the Keras layer.
    """

    name: str
    key: str
    weights: tuple[Any, ...]
    owner: Any = None

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of each of its weights."""
        return tuple(tuple(w.shape) for w in self.weights)


def load(base: "keras.Model", path: Path) -> None:
    """Load weights from a file into a network of keras.applications; nothing is half loaded.

    A file with a top, the layers that give the classes, serves a network without one.

    EfficientNetB0 to B7 have one more layer (`Rescaling`, without weights) where Keras builds them
    with weights="imagenet" than with weights=None: what uses their ImageNet weights must add it.

    Args:
        base: the network, built with weights=None, with or without its top.
        path: a legacy `.h5`, a `.weights.h5` or a `.keras`.

    Raises:
        ModelError: when the file does not fit, naming the first layer that differs.
    """
    with _opened(path) as file:
        legacy = _legacy(file)
        needed = _by_order(base) if legacy is not None else _by_class(base)
        candidates = [legacy] if legacy is not None else _networks(file)
        problems = []
        for candidate in candidates:
            problem = _misfit(candidate, needed, base.name)
            if not problem:
                _assign(needed, candidate, path)
                return
            problems.append((_alike(candidate, needed), problem))
    reason = max(problems)[1] if problems else "it holds no weights of layers."
    raise ModelError(f"{path} does not fit {base.name}: {reason}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The HDF5 file, or the one within a .keras file; raises ModelError where it is neither."""
    import h5py  # type: ignore[import-untyped]

    try:
        if not zipfile.is_zipfile(path):
            with h5py.File(path, "r") as file:
                yield file
            return
        with zipfile.ZipFile(path) as archive:
            if _INSIDE not in archive.namelist():
                raise ModelError(f"{path} is no .keras file: there is no {_INSIDE} in it.")
            # Keras does not compress; a file that unpacks to far more is none of its own.
            if archive.getinfo(_INSIDE).file_size > 10 * path.stat().st_size:
                raise ModelError(f"{path} is no .keras file: its weights are compressed.")
            with h5py.File(io.BytesIO(archive.read(_INSIDE)), "r") as file:
                yield file
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from None


def _has(group: Any, name: str) -> bool:
    """Whether an HDF5 group has something of a name itself, and no link to elsewhere."""
    import h5py

    return group.get(name, getclass=True, getlink=True) is h5py.HardLink


def _at(group: Any, path: str) -> Any:
    """What is at a path below an HDF5 group, reached without links; None without anything."""
    import h5py

    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or not _has(group, part):
            return None
        group = group[part]
    return group


def _dataset(group: Any, path: str) -> Any:
    """A dataset whose values are in the file itself; None without one."""
    import h5py

    dataset = _at(group, path)
    plain = isinstance(dataset, h5py.Dataset) and not dataset.external and not dataset.is_virtual
    return dataset if plain else None


# The layers of a file


def _legacy(file: Any) -> list[_Layer] | None:
    """The layers with weights in an old file, in order; None where it is a newer one."""
    if not _names(file, "layer_names") and _has(file, "model_weights"):
        file = file["model_weights"]
    names = _names(file, "layer_names")
    if not names:
        return None
    layers: list[_Layer] = []
    for name in names:
        group = _at(file, name)
        weights = [_dataset(group, w) for w in _names(group, "weight_names")] if group else []
        if weights:
            kept = tuple(w for w in weights if w is not None)
            layers.append(_Layer(name, str(len(layers)), kept))
    return layers


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names in an attribute, which long ones take several of."""
    parts = [group.attrs[attribute]] if attribute in group.attrs else []
    while f"{attribute}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{attribute}{len(parts)}"])
    return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]


def _networks(file: Any) -> list[list[_Layer]]:
    """The layers of the model in a newer file, then those of each network inside of it."""
    groups = [file, *_inner(file)]
    return [layers for group in groups if (layers := list(_stored(group, "")))]


def _inner(group: Any) -> Iterator[Any]:
    """The groups of the models that a model has as layers."""
    for layer in _layers_of(group):
        if _has(layer, "layers"):
            yield layer
            yield from _inner(layer)


def _layers_of(group: Any) -> list[Any]:
    import h5py

    if not _has(group, "layers") or not isinstance(group["layers"], h5py.Group):
        return []
    inside = group["layers"]
    own = [inside[name] for name in inside if _has(inside, name)]
    return [layer for layer in own if isinstance(layer, h5py.Group)]


def _stored(group: Any, prefix: str) -> Iterator[_Layer]:
    """The layers with weights below a group of a newer file."""
    for layer in _layers_of(group):
        key = f"{prefix}{layer.name.rpartition('/')[2]}"
        weights: list[Any] = []
        while (weight := _dataset(layer, f"vars/{len(weights)}")) is not None:
            weights.append(weight)
        if weights:
            name = layer["vars"].attrs.get("name", key.rpartition("/")[2])
            yield _Layer(str(name), key, tuple(weights))
        yield from _stored(layer, f"{key}/")


# The layers of a network


def _by_order(base: "keras.Model") -> list[_Layer]:
    """Its layers with weights, numbered, with the weights in the order of old files."""
    layers: list[_Layer] = []
    for layer in base.layers:
        if weights := layer.trainable_weights + layer.non_trainable_weights:
            layers.append(_Layer(layer.name, str(len(layers)), tuple(weights), layer))
    return layers


def _by_class(model: Any, prefix: str = "") -> list[_Layer]:
    """Its layers with weights, by the names that Keras 3 saves them under."""
    from keras.src.utils.naming import to_snake_case

    layers, seen = [], dict[str, int]()
    for layer in model.layers:
        name = to_snake_case(type(layer).__name__)
        number = seen[name] = seen.get(name, -1) + 1
        key = f"{prefix}{name}" + (f"_{number}" if number else "")
        if hasattr(layer, "layers"):
            layers += _by_class(layer, f"{key}/")
        elif weights := layer.weights:
            layers.append(_Layer(layer.name, key, tuple(weights), layer))
    return layers


# Comparing and assigning


def _alike(stored: list[_Layer], needed: list[_Layer]) -> tuple[int, int]:
    """How many layers of a network a file has, and how many of another shape it has besides."""
    shapes = {layer.key: layer.shapes for layer in stored}
    there = [layer for layer in needed if layer.key in shapes]
    return sum(shapes[layer.key] == layer.shapes for layer in there), len(there)


def _misfit(stored: list[_Layer], needed: list[_Layer], network: str) -> str:
    """Why a file does not fit a network, in sentences; empty where it does."""
    by_key = {layer.key: layer for layer in stored}
    for number, layer in enumerate(needed):
        there = by_key.get(layer.key)
        if there is None:
            return _missing(layer, len(needed) - number, len(stored), len(needed))
        if there.shapes != layer.shapes:
            return _different(there, layer, stored, needed, network)
    keys = {layer.key for layer in needed}
    left_over = [layer for layer in stored if layer.key not in keys]
    if len(left_over) > _TOP_LAYERS:
        return (
            f"it has {len(left_over)} layers with weights more than the network's {len(needed)}, "
            f"such as {left_over[0].name!r}. It is probably of another network."
        )
    return ""


def _missing(layer: _Layer, left: int, stored: int, needed: int) -> str:
    problem = f"it has no weights for the layer {layer.name!r}, {_listed(layer.shapes)}."
    if left <= _TOP_LAYERS < needed:  # all others fit
        return (
            f"{problem} The file was saved without the top, the layers that give the classes, and "
            "the network has one."
        )
    return f"{problem} It has {stored} layers with weights, the network {needed}: {_ANOTHER}"


_ANOTHER = "it is probably of another network."


def _different(
    there: _Layer, layer: _Layer, stored: list[_Layer], needed: list[_Layer], network: str
) -> str:
    name = f"{layer.name!r}" + (f" ({there.name!r} in the file)" if _renamed(there, layer) else "")
    problem = (
        f"the layer {name} has the shape {_listed(there.shapes)} in the file and "
        f"{_listed(layer.shapes)} in the network."
    )
    return f"{problem} {_probably(there, layer, stored, needed, network)}"


def _renamed(there: _Layer, layer: _Layer) -> bool:
    """Whether a name says something: Keras numbers those that are not given through a session."""
    return there.name.rstrip("_0123456789") != layer.name.rstrip("_0123456789")


def _probably(
    there: _Layer, layer: _Layer, stored: list[_Layer], needed: list[_Layer], network: str
) -> str:
    """What a file that differs first in a layer is likely to be."""
    ours, theirs = layer.shapes[0], there.shapes[0] if there.shapes else ()
    alike = len(ours) == len(theirs) and there.shapes[1:] == layer.shapes[1:]
    if (
        layer is needed[0]
        and alike
        and len(ours) == 4
        and _without_axis(ours, 2) == _without_axis(theirs, 2)
    ):
        return (
            f"The file is for images of {theirs[2]} channel(s), the network for those of {ours[2]}."
        )
    if layer is needed[-1] and len(ours) == len(theirs) and ours[:-1] == theirs[:-1]:
        return f"The file's top gives {theirs[-1]:,} classes, the network's {ours[-1]:,}."
    ranks = {one.key: [len(shape) for shape in one.shapes] for one in stored}
    alike = all(ranks.get(one.key) == [len(shape) for shape in one.shapes] for one in needed)
    if alike and len(stored) <= len(needed) + _TOP_LAYERS and "mobilenet" in network:
        return "The file is probably of the same network with another alpha."
    return f"The file has {len(stored)} layers with weights, the network {len(needed)}: {_ANOTHER}"


def _without_axis(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _listed(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(str(shape).replace(",)", ")") for shape in shapes)


def _assign(needed: list[_Layer], stored: list[_Layer], path: Path) -> None:
    """Read all values, then assign them."""
    by_key = {layer.key: layer for layer in stored}
    try:
        values = [[_values(w) for w in by_key[layer.key].weights] for layer in needed]
    except (OSError, TypeError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from None
    for layer, arrays in zip(needed, values, strict=True):
        for variable, array in zip(layer.weights, arrays, strict=True):
            variable.assign(array)
        if hasattr(layer.owner, "finalize_state"):
            layer.owner.finalize_state()


def _values(dataset: Any) -> Any:
    import ml_dtypes
    import numpy as np

    # HDF5 knows no bfloat16; Keras says beside the bytes what they are.
    packed = dataset.attrs.get("dtype") == "bfloat16"
    return np.asarray(dataset).view(ml_dtypes.bfloat16) if packed else np.asarray(dataset)
