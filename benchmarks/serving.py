"""`tfpipe serve` beside Flask, on the same model, the same bodies and the same load.

    python -m benchmarks.serving SAVED_MODEL MODEL.keras [ROUNDS]     three minutes on two cores

SAVED_MODEL is an image model's version, such as saved_models/cifar10_cnn/1, and MODEL.keras the
model that it was exported from, such as a run's checkpoints/best.keras. Three servers run: `tfpipe
serve`, Flask that calls `model.predict` and Flask that calls the signature. Each round puts the
same load on each of them in turn, from 32 connections and from one, and times the bare signature in
process; then each is started anew, and the seconds until it is ready are taken. Ratios are those of
a round; what is printed is their median, with the lowest and the highest. The figures are written
to benchmarks/serving.json.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tfpipe.serving.bench.over_http import load_on, measure_http, model_name, request_bodies
from tfpipe.serving.bench.timing import bare_call, golden_samples, time_batches

ROOT = Path(__file__).resolve().parent.parent
SECONDS, CONNECTIONS = 2.0, 32
FORMATS = {"bytes": "serving_bytes", "arrays": "serving_default"}

Round = dict[str, float]


def main(saved: str, keras_file: str, rounds: str = "5") -> None:
    """Measure, print, write."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.modules["keras"] = None  # type: ignore[assignment]
    folder = Path(saved)
    flask = [sys.executable, "-m", "benchmarks.contender_flask"]
    ways: dict[str, Callable[[str], list[str]]] = {
        "tfpipe": lambda port: [sys.executable, "-m", "tfpipe", "serve", saved, "--port", port],
        "predict": lambda port: [*flask, "predict", keras_file, port],
        "signature": lambda port: [*flask, "signature", saved, port],
    }
    figures: list[Round] = []
    with contextlib.ExitStack() as stack:
        servers = {n: stack.enter_context(started(command))[0] for n, command in ways.items()}
        bare = bare_latencies(folder)
        for number in range(int(rounds)):
            figures.append({})
            for way, address in servers.items():
                figures[-1] |= under_load(way, f"{address}/v1/models/{model_name(folder)}", folder)
            figures[-1] |= bare()
            print(f"  round {number + 1} of {rounds}", flush=True)
    for each in figures:
        for way, command in ways.items():
            with started(command) as (_, seconds):
                each[f"start {way}"] = seconds
    results = {"ratios": ratios(figures), "rounds": figures}
    print(json.dumps(results["ratios"], indent=2))
    (ROOT / "benchmarks" / "serving.json").write_text(json.dumps(results, indent=2) + "\n")


@contextlib.contextmanager
def started(command: Callable[[str], list[str]]) -> Iterator[tuple[str, float]]:
    """A server on a free port: its address, and the seconds until it was ready."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address, began = f"http://127.0.0.1:{port}", time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command(str(port)), cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"{address}/readyz"):
                    break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    sys.exit(f"{' '.join(command(str(port)))} ended with {process.returncode}")
                time.sleep(0.02)
        yield address, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def under_load(way: str, address: str, folder: Path) -> Round:
    """Requests in a second and percentiles of the latency, for each format of the body."""
    found = {}
    samples = golden_samples(folder)
    for form, signature in FORMATS.items():
        bodies = request_bodies(signature, samples[signature])
        for count in (1, CONNECTIONS):
            load = measure_http(load_on(address, SECONDS), bodies, count)
            if set(load["statuses"]) != {"200"}:
                sys.exit(f"{way} refused {form}: {load['statuses']} {load['refused']}")
            for name in ("per_second", "p50", "p99", "client"):
                found[f"{way} {form} {count} {name}"] = load[name]
    return found


def bare_latencies(folder: Path) -> Callable[[], Round]:
    """A call that times the bare signatures on one example."""
    import tensorflow as tf

    loaded, samples = tf.saved_model.load(str(folder)), golden_samples(folder)
    calls = {form: bare_call(loaded.signatures[name]) for form, name in FORMATS.items()}

    def latencies() -> Round:
        timed = {f: time_batches(calls[f], samples[n], SECONDS, 1)[0] for f, n in FORMATS.items()}
        return {f"bare {form} p50": figures["p50"] for form, figures in timed.items()}

    return latencies


def ratios(rounds: list[Round]) -> dict[str, dict[str, float]]:
    """What is claimed, of each round: the median, the lowest and the highest."""
    claims: dict[str, Callable[[Round], float]] = {}
    for form in FORMATS:
        at = f"{form} {CONNECTIONS}"
        for other in ("predict", "signature"):
            claims[f"requests/s, {form}: tfpipe over Flask with {other}"] = (
                lambda r, at=at, other=other: (  # type: ignore[misc]
                    r[f"tfpipe {at} per_second"] / r[f"{other} {at} per_second"]
                )
            )
        claims[f"p99 over p50 of tfpipe, {form}"] = (
            lambda r, at=at: r[f"tfpipe {at} p99"] / r[f"tfpipe {at} p50"]  # type: ignore[misc]
        )
        claims[f"ms that HTTP adds to the bare signature, {form}"] = (
            lambda r, form=form: r[f"tfpipe {form} 1 p50"] - r[f"bare {form} p50"]  # type: ignore[misc]
        )
    claims["start to ready: tfpipe over Keras"] = lambda r: r["start tfpipe"] / r["start predict"]
    found = {}
    for name, claim in claims.items():
        values = [claim(r) for r in rounds]
        lowest, highest = min(values), max(values)
        found[name] = {"median": statistics.median(values), "low": lowest, "high": highest}
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
