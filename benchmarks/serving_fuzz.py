"""Fuzzing of both protocols of `tfpipe serve` from its own OpenAPI description: no answer of 500.

    pip install schemathesis
    python -m benchmarks.serving_fuzz SAVED_MODEL [SECONDS]      SECONDS (300) for each protocol

Schemathesis makes requests that the description allows and requests that it does not, and chains of
them. What answers with 500 or more is printed with the command that repeats it, and the exit code
is 1.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tfpipe.serving.bench.over_http import serving

PROTOCOLS = {"TensorFlow Serving": "^/v1/", "Open Inference": "^/v2/"}


def main(saved: str, seconds: str = "300") -> None:
    """Fuzz each protocol, print what fails."""
    tool, failed = Path(sys.executable).with_name("schemathesis"), False
    with serving(Path(saved)) as address, tempfile.TemporaryDirectory() as folder:
        for name, paths in PROTOCOLS.items():
            print(f"{name}: {seconds} s", flush=True)
            words = [
                *("run", f"{address}/openapi.json", "--checks", "not_a_server_error"),
                *("--include-path-regex", paths, "--max-time", seconds),
                *("--continue-on-failure", "--no-color", "--generation-database", ":memory:"),
            ]
            done = subprocess.run([tool, *words], cwd=folder, check=False)
            failed |= done.returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
