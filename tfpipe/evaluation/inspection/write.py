"""The page of an inspection: one file with its style, its script and every number."""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfpipe.evaluation.inspection.step import Step, modules
from tfpipe.storage import storage, write_whole

_FOLDER = Path(__file__).with_name("page")
_SCRIPTS = (
    "numbers.js",
    "formulas.js",
    "elements.js",
    "overview.js",
    "elastic.js",
    "window.js",
    "sums.js",
    "sizes.js",
    "page.js",
)


@dataclass(frozen=True)
class InspectedImage:
    """An image, and what the model makes of it.

    Args:
        name: what it is called, such as the name of its file.
        truth: its true class; empty where it is not known.
        answer: the answer in words.
        steps: each operation's values.
    """

    name: str
    truth: str
    answer: str
    steps: list[Step]


@dataclass(frozen=True)
class Inspection:
    """A model with some images.

    Args:
        name: the run's.
        classes: what the outputs stand for.
        notes: what a person must not overlook.
        pictures: the images; all have the same steps.
        bytes_in: whether the images hold bytes, 0 to 255; else real numbers.
    """

    name: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    pictures: Sequence[InspectedImage]
    bytes_in: bool


def write_page(file: Path, inspection: Inspection) -> int:
    """Write the page, whole or not at all; return how many bytes it has.

    Args:
        file: where to.
        inspection: what it shows.
    """
    content = page(inspection).encode()
    with storage(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, content)
    return len(content)


def page(inspection: Inspection) -> str:
    """Return the page. Its content security policy lets nothing be fetched and no other script run.

    Args:
        inspection: what it shows.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    parts = [(_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    script = "\n".join(['"use strict";', *parts])
    weights, described = _described(inspection)
    # JSON for a script element, which no text in it ends.
    text = json.dumps(described, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for ending in "<\u2028\u2029":
        text = text.replace(ending, f"\\u{ord(ending):04x}")
    images = [_encoded([step.values for step in picture.steps]) for picture in inspection.pictures]
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string((_FOLDER / "page.html").read_text(encoding="utf-8"))
    return template.render(
        title=inspection.name,
        policy=f"script-src {_hash(script)}; style-src {_hash(style)}",
        style=Markup(style),
        script=Markup(script),
        description=Markup(text),
        weights=weights,
        images=images,
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _encoded(arrays: Sequence[np.ndarray]) -> str:
    """Numbers one after the other as float32: the first bytes of all, then the second ones, so that
    they compress better; deflated, in base64."""
    flat = np.concatenate([np.zeros(0, "<f4"), *(a.reshape(-1).astype("<f4") for a in arrays)])
    planes = flat.view(np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(zlib.compress(planes, 6)).decode()


def _described(inspection: Inspection) -> tuple[str, dict[str, Any]]:
    """The encoded weights, and all but the numbers: each step with where its numbers are."""
    steps = inspection.pictures[0].steps
    arrays: list[np.ndarray] = []
    described, at, held = [], 0, 0
    for step, module in zip(steps, modules(steps), strict=True):
        weights = {}
        for name, array in step.weights.items():
            weights[name] = {"at": held, "shape": list(array.shape)}
            arrays.append(array)
            held += array.size
        described.append(
            {
                "name": step.name,
                "kind": step.kind,
                "form": step.form,
                "shape": list(step.values.shape),
                "at": at,
                "inputs": list(step.inputs),
                "weights": weights,
                "settings": dict(step.settings),
                "followedBy": step.followed_by,
                "module": module,
            }
        )
        at += step.values.size
    pictures = [{"name": p.name, "truth": p.truth, "answer": p.answer} for p in inspection.pictures]
    return _encoded(arrays), {
        "name": inspection.name,
        "classes": list(inspection.classes),
        "notes": list(inspection.notes),
        "bytes": inspection.bytes_in,
        "pictures": pictures,
        "steps": described,
    }
