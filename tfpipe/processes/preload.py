"""What multiprocessing's fork server imports before children are forked from it.

The server imports this module, and by it TensorFlow and what training needs, so that a trial need
not. It has no threads of its own then and has asked no driver for a device, or this module says
that nothing should be forked from it.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import traceback
import warnings
from pathlib import Path

from tfpipe.devices.startup import import_tensorflow
from tfpipe.processes.bootstrap import redirect_output

SETTINGS = "TFPIPE_FORK_SERVER"  # the variable that holds, in JSON, modules, log and status

_DRIVERS = ("/dev/nvidia", "/dev/kfd", "/dev/dri", "/dev/accel", "/dev/vfio", "/dev/dxg")


def why_not_fork() -> str:
    """Return why nothing should be forked from this process; empty when it can be."""
    tasks = [t.read_text().strip() for t in Path("/proc/self/task").glob("*/comm")]
    # These stop before a fork and start after it, of themselves.
    unknown = len(tasks) - 1 - tasks.count("jemalloc_bg_thd") - _blas_threads()
    if unknown > 0:
        return f"{unknown} unknown thread{' runs' if unknown == 1 else 's run'} in it"
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if (target := os.readlink(fd)).startswith(_DRIVERS):
                return f"it has opened {target}"
    return ""


def _blas_threads() -> int:
    """Return how many threads OpenBLAS may have beside the main one."""
    import threadpoolctl  # of scikit-learn's

    pools = threadpoolctl.threadpool_info()
    return sum(pool["num_threads"] - 1 for pool in pools if pool["internal_api"] == "openblas")


def _prepare(modules: list[str], log: str, status: str) -> None:
    """Import the modules; write into a file whether children can be forked from this process."""
    redirect_output(Path(log))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They are for whoever started it; the children have handlers of their own.
        signal.signal(number, signal.SIG_IGN)
    try:
        for module in modules:
            import_tensorflow() if module == "tensorflow" else importlib.import_module(module)
        why_not = why_not_fork()
    except Exception as error:  # noqa: BLE001 (children can be started without it)
        traceback.print_exc()
        why_not = f"it cannot import what training needs: {error}"
    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    gc.collect()
    gc.freeze()  # so that a collection in a child does not touch, and so copy, all of this
    Path(status + ".part").write_text(why_not)
    os.replace(status + ".part", status)


if _settings := os.environ.pop(SETTINGS, None):
    _prepare(**json.loads(_settings))
