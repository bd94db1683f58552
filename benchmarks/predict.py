"""`tfpipe predict` beside `model.predict` called for each file, on the same model and pictures.

    python -m benchmarks.predict RUN FOLDER [ROWS.csv RUN_OF_ROWS]      a minute on two cores

RUN is a run on pictures, FOLDER holds JPEGs, of which the first 1,000 are copied and three of them
broken. Both ways run in one process, one after the other in turns, after a call each that does not
count. Beside pictures a second and their ratio it says what was broken. With ROWS.csv and a run on
such rows it answers them and says rows a second, and by how much the process grew from the first
tenth of the rows on. The figures are printed and written to benchmarks/predict.json.
"""

import gc
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNT, ROUNDS = 1_000, 3
BROKEN = {"empty": b"", "text": b"no picture", "cut": None}  # cut: the first half of a file


def main(run: str, folder: str, rows: str = "", run_of_rows: str = "") -> None:
    """Measure, print, write."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as temporary:
        results: dict[str, object] = {"pictures": pictures(run, folder, Path(temporary))}
    if rows:
        results["rows"] = table(run_of_rows, rows)
    print(json.dumps(results, indent=2))
    (ROOT / "benchmarks" / "predict.json").write_text(json.dumps(results, indent=2) + "\n")


def pictures(run: str, folder: str, copies: Path) -> dict[str, object]:
    """Pictures a second of each way, the ratio of each round, and how far answers differ."""
    import keras
    import numpy as np

    from tfpipe.verbs.predict import predictor

    files = sorted(Path(folder).rglob("*.jpg"))[:COUNT]
    for number, file in enumerate(files):
        shutil.copy(file, copies / f"{number:04}.jpg")
    for number, broken in zip((7, 500, 993), BROKEN.values(), strict=True):
        copy = copies / f"{number:04}.jpg"
        whole = copy.read_bytes()
        copy.write_bytes(whole[: len(whole) // 2] if broken is None else broken)
    ready = predictor(run)
    model, size = ready.model.model, ready.spec.feature.shape[:2]  # type: ignore[union-attr]

    def one_by_one() -> dict[str, np.ndarray]:
        found = {}
        for path in sorted(copies.iterdir()):
            try:
                image = keras.utils.load_img(path, target_size=size, interpolation="bilinear")
            except OSError:
                continue
            found[str(path)] = model.predict(np.asarray(image, np.uint8)[None], verbose=0)[0]
        return found

    def batched() -> dict[str, tuple[tuple[str, float], ...]]:
        return {p.file: p.values for p in ready.answers([str(copies)], top=1_000) if not p.error}

    answered, expected = batched(), one_by_one()
    classes = ready.task.label.classes
    differences = []
    for place, values in answered.items():
        softmax = np.exp(expected[place] - expected[place].max())
        found = dict(values)
        named = np.array([found[name] for name in classes])
        differences.append(np.abs(named - softmax / softmax.sum()).max())
    rounds = [(seconds(one_by_one), seconds(batched)) for _ in range(ROUNDS)]
    errors = {Path(p.file).name: p.error for p in ready.answers([str(copies)]) if p.error}
    return {
        "files": COUNT,
        "broken": errors,
        "model_predict_files_per_second": COUNT / statistics.median(one for one, _ in rounds),
        "tfpipe_files_per_second": COUNT / statistics.median(many for _, many in rounds),
        "ratios": [one / many for one, many in rounds],
        "largest_difference": float(max(differences)),
    }


def table(run: str, rows: str) -> dict[str, object]:
    """Rows a second, and the process's largest size after a tenth of the rows and after all."""
    from tfpipe.verbs.predict import predictor

    with open(rows, "rb") as file:
        total = sum(1 for _ in file) - 1
    ready, sizes = predictor(run), []
    _ = ready.model
    gc.freeze()  # as the command does
    began = time.perf_counter()
    for number, _ in enumerate(ready.answers([rows]), 1):
        if number in (total // 10, total):
            sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    spent = time.perf_counter() - began
    return {"rows": total, "rows_per_second": total / spent, "peak_bytes": sizes}


def seconds(do: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
