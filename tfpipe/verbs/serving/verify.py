"""`tfpipe verify`: an artefact proves again that it answers as the trained model did."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tfpipe.errors import MissingDependency, ModelError
from tfpipe.exports import parity

_RUNS = {".onnx": ("onnxruntime", "onnx"), ".tflite": ("ai_edge_litert", "litert")}


def verify(model: str | Path, *, root: str | Path = ".") -> dict[str, Any]:
    """Compare an exported model with the golden samples in it, in a process of its own.

    Args:
        model: the folder of a SavedModel or of its versions, of which the newest is taken; a .onnx
            or a .tflite file; or a name below `root`/saved_models.
        root: the folder with saved_models/.

    Returns:
        `path`: what was compared; `differences`: the largest difference from the trained model's
        answers, by signature; `tolerance`: how large it may be.

    Raises:
        CheckFailed: when it answers otherwise, or is damaged.
        ModelError: for what is no exported model.
        MissingDependency: when the package that runs its format is not installed.

    Example:
        tfpipe.verify("saved_models/cifar10_cnn")["differences"]["serving_bytes"]
    """
    path = artefact(model, Path(root))
    return {"path": str(path), **parity.verify(path)}


def artefact(model: str | Path, root: Path) -> Path:
    """Return the folder of one version, or the file, that is meant.

    Raises:
        ModelError: when there is none.
        MissingDependency: when the package that runs its format is not installed.
    """
    path = _found(model, root)
    if path.suffix in _RUNS:
        package, extra = _RUNS[path.suffix]
        if find_spec(package) is None:
            raise MissingDependency(
                f"{path.name} is run by {package}, which is not installed. Install it with: pip "
                f"install 'tfpipe[{extra}]'"
            )
    return path


def _found(model: str | Path, root: Path) -> Path:
    given = Path(model).expanduser()
    for path in (given, root / given, root / "saved_models" / given):
        if path.suffix in _RUNS and path.is_file():
            return path
        if (path / "saved_model.pb").is_file():
            return path
        if path.is_dir():
            versions = [p for p in path.iterdir() if p.name.isdecimal()]
            files = [f for p in versions for f in (p / "saved_model.pb", *p.glob("model.*"))]
            there = [f for f in files if f.is_file()]
            if there:
                newest = max(there, key=lambda file: int(file.parent.name))
                return newest if newest.suffix in _RUNS else newest.parent
    raise ModelError(
        f"{model} is no exported model: expected is the folder of a SavedModel or of its versions, "
        "a .onnx or a .tflite file."
    )
