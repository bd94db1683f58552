"""Time an exported ONNX model on an AMD GPU with MIGraphX: parse, compile, tune, warm up, measure.

    python scripts/migraphx_bench.py model.onnx [--batch 32] [--seconds 5] [--fp16] [--no-tune]

Needs ROCm with the Python module of MIGraphX (AMD's package `migraphx`, its lib folder on
PYTHONPATH), and nothing of tfpipe. Parsing, compiling and the first calls are timed apart from the
measurement: compilation looks for kernels, and with MIOPEN_FIND_ENFORCE=3 MIOpen searches for the
fastest convolution of each shape and keeps it in its user database, so that only the first run pays
for that.
"""

import argparse
import json
import os
import sys
import time
from typing import Any

WARM_UP = 10  # calls that do not count
TUNE = "3"  # MIOPEN_FIND_ENFORCE: search again and keep what was found


def main(words: list[str] | None = None) -> int:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a .onnx file that tfpipe export has written")
    parser.add_argument("--batch", type=int, default=32, help="samples in a call; 32")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to measure; 5")
    parser.add_argument("--fp16", action="store_true", help="compute in half precision")
    parser.add_argument("--no-tune", action="store_true", help="take MIOpen's first choice")
    asked = parser.parse_args(words)
    if not asked.no_tune:  # read when MIOpen is loaded, so before MIGraphX is imported
        os.environ.setdefault("MIOPEN_FIND_ENFORCE", TUNE)
    try:
        import migraphx
    except ImportError:
        print(
            "There is no module `migraphx`: install AMD's package migraphx and put its lib folder "
            "(usually /opt/rocm/lib) on PYTHONPATH.",
            file=sys.stderr,
        )
        return 2
    print(json.dumps(measure(migraphx, asked)))
    return 0


def measure(migraphx: Any, asked: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of each stage, and samples a second.

    Args:
        migraphx: the module.
        asked: the words of the command line.
    """
    began = time.perf_counter()
    program = migraphx.parse_onnx(asked.model, default_dim_value=asked.batch)
    parsed = time.perf_counter()
    if asked.fp16:
        migraphx.quantize_fp16(program)
    program.compile(migraphx.get_target("gpu"), offload_copy=True)
    compiled = time.perf_counter()
    inputs = {
        name: migraphx.generate_argument(shape, seed)
        for seed, (name, shape) in enumerate(sorted(program.get_parameter_shapes().items()))
    }
    for _ in range(WARM_UP):
        program.run(inputs)
    warm = time.perf_counter()
    calls = 0
    while calls == 0 or time.perf_counter() - warm < asked.seconds:
        program.run(inputs)
        calls += 1
    seconds = time.perf_counter() - warm
    return {
        "parse_seconds": parsed - began,
        "compile_seconds": compiled - parsed,
        "warm_up_seconds": warm - compiled,
        "milliseconds_a_call": 1000 * seconds / calls,
        "samples_a_second": calls * asked.batch / seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
