"""Parity: an exported model, in a process of its own, answers as the trained model did.

`python parity.py MODEL` needs no tfpipe, no model code and no Keras: TensorFlow for the folder of a
SavedModel, onnxruntime for a .onnx file, ai-edge-litert for a .tflite file, and NumPy. The golden
samples and the trained model's answers to them are in the artefact. It prints one JSON line with
the largest difference by signature, and how large it may be.
"""

import base64
import binascii
import gc
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

# Reloading is exact when the preprocessing is the same; the tolerance allows for another
# machine's arithmetic, not for another resize (which changes answers by tenths).
TOLERANCE = 1e-5
# Half the bits of a number are half the digits of an answer: a reloaded graph fuses operations that
# were rounded one by one, which changed probabilities by 3e-4 in bfloat16.
COARSER = {"float32": 1, "float16": 200, "bfloat16": 2000}
GOLDEN, CONTRACT, LABELS = "golden.npz", "contract.json", "labels.txt"
BEAM = 4  # of golden translations
LAST = 1e-3  # by which the score of a golden box is above that of the last ones
MOST = 1 << 28  # bytes of golden samples that are read

_started: "list[subprocess.Popen[str]]" = []


def compare(model: Path) -> dict[str, Any]:
    """Return the largest difference between golden and new answers, and how large it may be."""
    golden, contract = assets_of(model)
    if model.suffix == ".onnx":
        found = {"onnx": _worst(golden, "answers", onnx_answers(model)(_arrays(golden)))}
    elif model.suffix == ".tflite":
        found = {"litert": _worst(golden, "answers", litert_answers(model)(_arrays(golden)))}
    else:
        import tensorflow as tf

        found = differences(tf.saved_model.load(str(model)), golden)
    return {"differences": found, "tolerance": tolerance_of(contract)}


def tolerance_of(contract: Mapping[str, Any]) -> float:
    """Return how far answers may be from the golden ones, as an export says of itself."""
    usual = TOLERANCE * COARSER.get(contract.get("precision", "float32"), 1)
    return float(contract.get("tolerance", usual))


def differences(loaded: Any, golden: "Arrays") -> dict[str, float]:
    """Return the largest difference of a loaded SavedModel's answers, by signature.

    Args:
        loaded: the SavedModel.
        golden: its golden samples.
    """
    import numpy as np
    import tensorflow as tf

    def ask(signature: str, inputs: "Arrays | dict[str, list[bytes]]") -> "Arrays":
        outputs = loaded.signatures[signature](**{n: tf.constant(a) for n, a in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    found = {}
    arrays = _arrays(golden)
    if "raw" in golden:
        return _differences_of_boxes(golden, arrays, ask)
    found["serving_default"] = _worst(golden, "answers", ask("serving_default", arrays))
    if "serving_float" in loaded.signatures:
        whole = {name: array.astype("float32") for name, array in arrays.items()}
        found["serving_float"] = _worst(golden, "answers", ask("serving_float", whole))
    if files := files_of(golden):
        answers = ask("serving_bytes", {"bytes": files})
        if "image_bytes" in answers:
            found["serving_bytes"] = _pixels_that_differ(answers["image_bytes"], golden)
        else:
            found["serving_bytes"] = _worst(golden, "file_answers", answers)
    if "prompts" in golden:
        found["generate"] = _texts_that_differ(loaded, golden)
    if "translations" in golden:
        greedy, best = golden["translations"].T.tolist()
        said = ask("serving_default", arrays)["translation"].tolist()
        found["serving_default"] = max(found["serving_default"], _share(said, greedy))
        said = ask("translate", arrays | {"beam": np.array(BEAM, "int32")})["translation"]
        found["translate"] = _share(said[:, 0].tolist(), best)
    return found


def _differences_of_boxes(
    golden: "Arrays", arrays: "Arrays", ask: "Callable[[str, Any], Arrays]"
) -> dict[str, float]:
    """Return the largest difference of the boxes of a model that finds objects, by signature."""
    import numpy as np

    few = {name: array[: len(golden["raw"])] for name, array in arrays.items()}
    found = {"raw": away(ask("raw", few)["raw"], golden["raw"])}
    files = {"bytes": files_of(golden)}
    asked: list[tuple[str, str, Any]] = [
        ("answers", "serving_default", arrays),
        ("file_answers", "serving_bytes", files),
    ]
    for kind, signature, inputs in asked:
        if kind in golden:
            outputs = ask(signature, inputs)
            # As golden samples have them: corners, score, class.
            last = [outputs[n][..., None].astype("float32") for n in ("scores", "classes")]
            pairs = zip(golden[kind], np.concatenate([outputs["boxes"], *last], -1), strict=True)
            least = float(golden["least_score"])
            found[signature] = max((_boxes_away(*pair, least) for pair in pairs), default=0.0)
    return found


def _boxes_away(expected: "np.ndarray", found: "np.ndarray", least: float) -> float:
    """Return how far boxes are from those that are most like them, whatever their order.

    The last ones, of the least score, may be others: the next ones are nearly as good.
    """
    import numpy as np

    if expected.shape != found.shape or not (np.isfinite(expected) & np.isfinite(found)).all():
        return float("inf")
    sides = [rows[rows[:, 5] >= 0] for rows in (expected, found)]
    # Of an image that is full of boxes, others may be nearly as good as the last ones.
    full = [rows[:, 4].min() for rows in sides if len(rows) == len(expected)]
    last = max([least, *full])
    size = max(1.0, float(np.abs(expected[:, :4]).max(initial=0.0)))
    worst = 0.0
    for rows, others in (sides, sides[::-1]):
        for row in rows[rows[:, 4] > last + LAST]:
            same = others[others[:, 5] == row[5]]
            apart = np.abs(same[:, :5] - row[:5]) / np.array([size] * 4 + [1.0])
            worst = max(worst, float(apart.max(axis=1).min(initial=np.inf)))
    counts = [int((rows[:, 4] > last + LAST).sum()) for rows in sides]
    near = [int((np.abs(rows[:, 4] - last - LAST) < LAST).sum()) for rows in sides]
    if abs(counts[0] - counts[1]) > max(near):  # one box cannot stand for several
        return float("inf")
    return worst


def away(found: "np.ndarray", expected: "np.ndarray") -> float:
    """Return the largest difference of numbers, as a share of those that are above 1."""
    import numpy as np

    if found.shape != expected.shape:
        return float("inf")
    apart = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    largest = float(np.max(apart, initial=0.0))
    return largest if np.isfinite(largest) else float("inf")


def _texts_that_differ(loaded: Any, golden: "Arrays") -> float:
    """Return the share of golden texts that the most probable tokens make otherwise."""
    import tensorflow as tf

    size = len(golden["prompts"])
    asked = {
        "prompt": tf.constant(golden["prompts"].astype(object)),
        "length": tf.constant(golden["lengths"].astype(int), tf.int32),
        "temperature": tf.zeros([size]),
        "seed": tf.zeros([size], tf.int32),
    }
    said = loaded.signatures["generate"](**asked)["text"].numpy()
    return _share(said.tolist(), golden["texts"].tolist())


def _pixels_that_differ(files: "np.ndarray", golden: "Arrays") -> float:
    """Return the largest difference, in grey levels, of images in PNG files from golden ones."""
    import numpy as np
    import tensorflow as tf

    worst = 0.0
    for number, file in enumerate(files):
        image, expected = tf.io.decode_png(file).numpy(), golden[f"picture_{number}"]
        if image.shape != expected.shape:
            return float("inf")
        worst = max(worst, float(np.abs(image.astype("float32") - expected).max(initial=0)))
    return worst


def _share(said: list[bytes], golden: list[bytes]) -> float:
    """Return the share of texts that are others than they should be."""
    return sum(a != b for a, b in zip(said, golden, strict=True)) / max(1, len(golden))


def _arrays(golden: "Arrays") -> "Arrays":
    return {n.removeprefix("array_"): a for n, a in golden.items() if n.startswith("array_")}


def files_of(golden: "Arrays") -> list[bytes]:
    """Return the image files among golden samples."""
    names = sorted((n for n in golden if n.startswith("file_") and n[5:].isdigit()), key=_number)
    return [golden[name].tobytes() for name in names]


def _number(name: str) -> int:
    return int(name[5:])


def _worst(golden: "Arrays", kind: str, outputs: "Arrays") -> float:
    """Return the largest difference from the golden answers of a kind."""
    import numpy as np

    worst, compared = 0.0, 0
    for name, expected in golden.items():
        of, _, output = name.partition(":")  # the output's name where there are several
        if of != kind:
            continue
        compared += len(expected)
        usual = next((n for n in ("values", "image") if n in outputs), "probabilities")
        answered = outputs[output or usual]
        if answered.shape[-1] == 2 and expected.shape[-1] == 1:  # binary gives both classes
            answered = answered[:, 1:]
        if answered.shape != expected.shape:
            return float("inf")
        answered = answered.astype("float32") if answered.dtype == np.uint8 else answered
        difference = float(np.max(np.abs(answered - expected), initial=0.0))
        worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    if not compared:
        raise ValueError(f"its golden samples have no {kind}, so that nothing can be compared")
    return worst


def assets_of(model: Path) -> tuple["Arrays", dict[str, Any]]:
    """Return the golden samples and the contract that are in an artefact.

    Args:
        model: the folder of a SavedModel, or a .onnx or .tflite file.

    Raises:
        ValueError: when they are missing or damaged.
    """
    import numpy as np

    if model.suffix == ".onnx":
        files = _of_onnx(model)
    elif model.suffix == ".tflite":
        with zipfile.ZipFile(model) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MOST:
                raise ValueError("its assets are too large")
            files = {name: packed.read(name) for name in packed.namelist()}
    else:
        assets = model / "assets"
        there = [n for n in (GOLDEN, CONTRACT) if (assets / n).is_file()]
        if sum((assets / n).stat().st_size for n in there) > MOST:
            raise ValueError("its assets are too large")
        files = {name: (assets / name).read_bytes() for name in there}
        _check_labels(assets, json.loads(files.get(CONTRACT, b"{}")))
    if missing := {GOLDEN, CONTRACT} - files.keys():
        raise ValueError(f"it has no {sorted(missing)[0]}, as exports of tfpipe have")
    with zipfile.ZipFile(io.BytesIO(files[GOLDEN])) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > MOST:
            raise ValueError("its golden samples are too large")
    with np.load(io.BytesIO(files[GOLDEN]), allow_pickle=False) as golden:
        return dict(golden.items()), json.loads(files[CONTRACT])


def _check_labels(assets: Path, contract: Mapping[str, Any]) -> None:
    """Refuse names of classes that are others, or in another order, than the contract has."""
    label = contract.get("label", {})
    classes = label.get("classes", []) if label.get("kind") not in ("tokens", "sentence") else []
    file = assets / LABELS
    if classes and (not file.is_file() or file.read_text("utf-8").splitlines() != classes):
        raise ValueError(f"{LABELS} does not have the classes of {CONTRACT}")


def _of_onnx(model: Path) -> dict[str, bytes]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    try:
        return {n: base64.b64decode(t) for n, t in told.items() if n in (GOLDEN, CONTRACT, LABELS)}
    except binascii.Error as error:
        raise ValueError(f"its assets are damaged ({error})") from None


def onnx_answers(model: Path) -> "Callable[[Arrays], Arrays]":
    """Return what answers arrays with an ONNX file, on the CPU."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    texts = {i.name for i in session.get_inputs() if i.type == "tensor(string)"}

    def ask(arrays: "Arrays") -> "Arrays":
        given = {
            name: np.char.decode(array.astype("S"), "utf-8").astype(object)
            if name in texts
            else array
            for name, array in arrays.items()
        }
        return dict(zip(names, session.run(names, given), strict=True))

    return ask


def litert_answers(model: Path) -> "Callable[[Arrays], Arrays]":
    """Return what answers arrays with a LiteRT file, sample by sample as on a small device."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model))
    ask_all = interpreter.get_signature_runner("serving_default")

    def ask(arrays: "Arrays") -> "Arrays":
        rows = len(next(iter(arrays.values())))
        answers = [
            {
                k: np.array(v)
                for k, v in ask_all(**{n: a[i : i + 1] for n, a in arrays.items()}).items()
            }
            for i in range(rows)
        ]
        return {name: np.concatenate([a[name] for a in answers]) for name in answers[0]}

    return ask


def verify(model: Path, called: str = "") -> dict[str, Any]:
    """Compare an artefact with its golden samples in a fresh process; return what `compare` does.

    Args:
        model: the folder of a SavedModel, or a .onnx or .tflite file.
        called: how an error names it; its path when empty.

    Raises:
        CheckFailed: when an answer differs by more than the artefact allows (1e-5; 2e-3 in
            float16, 2e-2 in bfloat16), or it does not load.
    """
    from tfpipe.errors import CheckFailed

    output, errors = _in_fresh_process(model)
    try:
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        reason = errors.strip().rpartition("\n")[2][:500]
        raise CheckFailed(
            f"{called or model} cannot be compared with its golden samples in a process of its "
            f"own: {reason}"
        ) from None
    if wrong := beyond(found["differences"], found["tolerance"]):
        raise CheckFailed(f"{called or model} is not the trained one: {wrong}.")
    return found


def beyond(found: Mapping[str, float], allowed: float) -> str:
    """Return which difference is larger than it may be; empty for none.

    Args:
        found: the largest difference by signature.
        allowed: how large it may be.
    """
    for name, difference in found.items():
        if not difference <= allowed:
            return (
                f"{name} differs by {difference:.3g} on golden samples (at most {allowed:.3g} is "
                "allowed)"
            )
    return ""


def start_early() -> None:
    """Start the process that the next SavedModel is verified in, while there is other work.

    Most of its time is TensorFlow's start. It ends with this process where nothing is verified.
    """
    if not _started:
        _started.append(_start())


def _start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", __file__, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def _in_fresh_process(model: Path) -> tuple[str, str]:
    """Return what this script prints about a model, and its errors."""
    early = _started.pop() if _started and model.is_dir() else None
    process = early or _start(str(model))
    return process.communicate(json.dumps(str(model.absolute())))


if __name__ == "__main__":
    # What serves a model has no Keras, and TensorFlow starts in half the time without it.
    sys.modules["keras"] = None  # type: ignore[assignment]
    if len(sys.argv) > 1:
        asked = sys.argv[1]
    else:  # started early: the model is named when it is written
        import tensorflow  # noqa: F401

        asked = json.loads(sys.stdin.readline() or "null") or sys.exit()
    print(json.dumps(compare(Path(asked))))  # noqa: T201
    gc.freeze()  # Python ends sooner when it need not look through TensorFlow's objects
