"""`--profile`: which steps are traced, whatever becomes of the run."""

from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

import tfpipe as tfpipe_package
from tfpipe.declare.loading import load
from tfpipe.errors import Interrupted


def traces(folder: Path = Path()) -> list[Path]:
    return sorted(folder.glob("runs/*/*/tensorboard/train/plugins/profile/*/*.xplane.pb"))


def test_steps_are_traced_and_counted_over_the_whole_run(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small, "--no-export", "--profile", "4..7")  # of 5 an epoch
    assert answer.code == 0, answer.err
    (trace,) = traces()
    assert trace.stat().st_size > 1000
    where = trace.parents[1]
    assert f"the profile of 4 steps is in {where}\n" in answer.out.partition("Next:")[0]
    went_on = tfpipe("resume", "last", "epochs=3", "--no-export", "--profile", "5")
    assert "Nothing was profiled: step 5 was over before.\n" in went_on.out
    went_on = tfpipe("resume", "last", "epochs=4", "--no-export", "--profile", "21..30")
    assert "Nothing was profiled: training ended before step 21.\n" in went_on.out
    assert traces() == [trace]


def test_the_trace_is_written_where_a_run_is_stopped_within_it(small: Path, tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                raise KeyboardInterrupt

    given: dict[str, Any] = {"root": tmp_path, "export": False, "quiet": True}
    with pytest.raises(Interrupted, match=r"^Stopped at once"):
        tfpipe_package.run(load(str(small)), extra=[Stop()], profile=(2, 50), **given)
    assert len(traces(tmp_path)) == 1
    tf.profiler.experimental.start(str(tmp_path / "free"))  # which one that was left would hinder
    tf.profiler.experimental.stop(save=False)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("a..b", "'a..b' are no steps: write 10..20, or 10 for one."),
        ("20..10", "'20..10': steps count from 1 up."),
        ("0..2", "'0..2': steps count from 1 up."),
    ],
)
def test_what_is_no_range_of_steps(tfpipe: Any, small: Path, given: str, error: str) -> None:
    answer = tfpipe("run", small, "--profile", given)
    assert answer.code == 2
    assert f"Error: Invalid value for '--profile': {error}\n" in answer.err
