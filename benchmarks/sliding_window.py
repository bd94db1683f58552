"""A classifier as a detector: all windows in batches, beside one `predict` a window.

    python -m benchmarks.sliding_window         some three minutes on two cores

An image of 640x480, windows of 200x150 every 16 pixels, copies smaller by 1.5: 777 windows. The
published way cuts each window, resizes it and calls `model.predict` on it alone; here the whole
image goes into one model. Both ask the same network, of random weights: MobileNetV2 at 224 pixels,
and CNN_2_4_6 at 32, where nothing but the way is measured. Of the published way a part of the
windows is asked, as each takes the same; after a first call both take turns. The figures are
printed and written to benchmarks/sliding_window.json.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.turns import ROOT

SIZE, WINDOW, STEP, SHRINK, ROUNDS = (480, 640), (150, 200), 16, 1.5, 3


def networks() -> dict[str, tuple[Any, int]]:
    """What is asked, and how many pixels a side it takes."""
    import keras

    from tfpipe.declare.spec import ElementSpec, Feature, Label
    from tfpipe.models import CNN_2_4_6

    labels = (Label("label", "class", (), tuple("abcdefghij")),)
    image = Feature("image", (32, 32, 3), "uint8", "image")
    mobile = keras.Sequential(
        [
            keras.Input((224, 224, 3)),
            keras.layers.Rescaling(1 / 127.5, -1),
            keras.applications.MobileNetV2(weights=None, classes=10, classifier_activation=None),
        ]
    )
    small = CNN_2_4_6(convs=6).build(ElementSpec((image,), labels))
    return {"MobileNetV2": (mobile, 224), "CNN_2_4_6": (small, 32)}


def one_by_one(model: Any, side: int, image: Any, few: int) -> float:
    """Seconds of an image by one `predict` a window, of which `few` are asked."""
    import numpy as np
    from PIL import Image

    from tfpipe.boxes.windows import pyramid

    levels = pyramid(SIZE, WINDOW, STEP, SHRINK)
    count = sum(len(level.corners) for level in levels)
    began, asked = time.perf_counter(), 0
    for level in levels:
        copy = Image.fromarray(image).resize(level.size[::-1], Image.Resampling.BILINEAR)
        some = level.corners[:: max(1, count // few)]
        for top, left in some.tolist():
            box = (left, top, left + WINDOW[1], top + WINDOW[0])
            window = copy.crop(box).resize((side, side), Image.Resampling.BILINEAR)
            model.predict(np.asarray(window, np.float32)[None], verbose=0)
        asked += len(some)
    return (time.perf_counter() - began) * count / asked


def together(file: Path) -> Callable[[Any], float]:
    """Return what measures the seconds of an image by the detector of a classifier."""
    import tensorflow as tf

    from tfpipe.declare.spec import ElementSpec, Feature, Label
    from tfpipe.models import ClassifierAsDetector

    image = Feature("image", (*SIZE, 3), "uint8", "image")
    spec = ElementSpec((image,), (Label("boxes", "boxes", (1, 6), tuple("abcdefghij")),))
    builder = ClassifierAsDetector(str(file), WINDOW, STEP, SHRINK)
    model = tf.function(builder.build(spec))

    def seconds(pixels: Any) -> float:
        began = time.perf_counter()
        model(tf.constant(pixels[None])).numpy()
        return time.perf_counter() - began

    return seconds


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=200, help="windows of the published way")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (model, side) in networks().items():
            file = Path(folder) / f"{name}.keras"
            model.save(file)
            ask = together(file)
            ask(image), one_by_one(model, side, image, 5)  # which compile
            rounds = [
                (one_by_one(model, side, image, options.few), ask(image)) for _ in range(ROUNDS)
            ]
            alone, batched = (statistics.median(r) for r in zip(*rounds, strict=True))
            results[name] = {
                "one_predict_a_window_seconds": round(alone, 2),
                "tfpipe_seconds": round(batched, 2),
                "times_as_fast": round(statistics.median(a / b for a, b in rounds), 1),
            }
            print(name, json.dumps(results[name]), flush=True)
    (ROOT / "benchmarks" / "sliding_window.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
