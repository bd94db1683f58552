"""Pipelines taken apart, their stages measured, and put together otherwise."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.evaluation.data.changes import own_changes
from tfpipe.evaluation.data.rates import elements, evict, pace
from tfpipe.evaluation.data.stages import Stage, costs, rebuilt, stages_of, timed


def heavy(x: tf.Tensor) -> tf.Tensor:
    return x + 1


def test_a_pipeline_is_taken_apart_and_put_together_otherwise() -> None:
    whole = (
        tf.data.Dataset.range(50)
        .map(heavy)
        .shuffle(10, seed=1)
        .filter(lambda x: x > 3)
        .batch(8, drop_remainder=True)
        .prefetch(2)
    )
    stages = stages_of(whole)
    names = ["read", "map: heavy", "shuffle", "filter", "batch", "prefetch"]
    assert [stage.name for stage in stages] == names
    assert [stage.batched for stage in stages] == [False] * 4 + [True] * 2
    measured = list(timed(stages, 0.05, 50))
    assert all(stage.cold and stage.warm for stage in measured)
    assert len(costs(measured)) == 6
    again = rebuilt(stages, 1, lambda dataset: dataset.cache())
    assert again is not None
    assert {int(v) for batch in again for v in batch} <= set(range(4, 51))
    assert [len(batch) for batch in again] == [8] * 5
    unknown = tf.data.Dataset.range(9).map(heavy).scan(0, lambda s, x: (s, x)).batch(2)
    assert rebuilt(stages_of(unknown), 1, lambda dataset: dataset) is None


def test_what_is_a_batch_is_told_by_the_steps_behind_it() -> None:
    apart = tf.data.Dataset.from_tensors(tf.zeros((6, 2))).unbatch().batch(3)
    flags = {s.name: s.batched for s in stages_of(apart)}
    assert (flags["read"], flags["unbatch"], flags["batch"]) == (True, False, True)
    given = tf.data.Dataset.from_tensors(tf.zeros((6, 2))).map(heavy)
    assert [s.batched for s in stages_of(given)] == [True, True]


def test_a_pass_is_judged_by_its_start_and_what_follows() -> None:
    def passing() -> Iterator[int]:
        time.sleep(0.1)
        while True:
            yield 10
            time.sleep(0.01)

    # 0.1 s, and 10 samples in each 0.01 s of what is left: 1.1 s for 1,000 samples.
    assert pace(passing, 0.2, 1000) == pytest.approx(1000 / 1.1, rel=0.4)

    def short() -> Iterator[int]:
        time.sleep(0.01)
        yield 10

    assert pace(short, 0.1, 10) == pytest.approx(1000, rel=0.4)


def test_elements_are_counted_as_samples(tmp_path: Path) -> None:
    numbers = tf.data.Dataset.range(1000)
    assert sum(elements(numbers, False, 0.1)()) == 1000
    assert sum(elements(numbers.batch(300), True, 0.1)()) == 1000
    (tmp_path / "file").write_bytes(b"abc")
    assert evict([tmp_path / "file", tmp_path / "none"]) in (True, False)
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_what_each_stage_adds_and_what_happens_once() -> None:
    stages = [
        Stage("read", None, True, 50.0, None),
        Stage("batch", None, True, 50.0, 1000.0),
        Stage("augment", None, True, None, 100.0),
    ]
    assert costs(stages) == pytest.approx([0.0, 0.001, 0.009])


def waiting(seconds: float) -> Any:
    def wait(values: np.ndarray) -> np.ndarray:
        time.sleep(seconds)
        return values

    return wait


def changes(dataset: tf.data.Dataset, size: int = 200) -> dict[str, float]:
    """How many times as fast each change makes a pipeline whose map is slow."""
    stages = list(timed(stages_of(dataset), 0.2, size))
    slow = next(i for i, stage in enumerate(stages) if stage.name.startswith("map"))
    tried = own_changes(stages, slow, 0.3, size)
    return {t.change: 0.0 if t.after is None else t.after / t.before for t in tried}


def test_a_python_function_runs_beside_itself_only_without_a_state() -> None:
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(0)

    def slow(x: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(waiting(0.003), [x], tf.float32), (4,))

    found = changes(tf.data.Dataset.from_tensor_slices(tf.zeros((200, 4))).map(slow).batch(20))
    kept, parallel, stateless = sorted(found, key=lambda name: name[:5])
    assert kept == ".cache() behind 'map: slow', if it gives the same in each epoch"
    assert found[kept] > 3
    assert parallel == ".map(slow, num_parallel_calls=tf.data.AUTOTUNE)"
    assert found[parallel] < found[stateless]
    assert stateless.startswith("tf.numpy_function(..., stateful=False) in slow, and .map(slow,")
    assert found[stateless] > 1.4
    assert tf.numpy_function.__name__ == "numpy_function", "which is as it was"


def test_a_function_that_takes_batches_as_well_is_called_once_a_batch() -> None:
    def slow(x: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(waiting(0.003), [x], tf.float32) + 1

    found = changes(tf.data.Dataset.from_tensor_slices(tf.zeros((200, 4))).map(slow).batch(20))
    text = ".batch(...) before .map(slow), which gives the same then"
    assert found[text] > 5

    def summed(x: tf.Tensor) -> tf.Tensor:  # over all samples of a batch, were it behind it
        return tf.reduce_sum(x)

    found = changes(tf.data.Dataset.from_tensor_slices(tf.zeros((200, 4)) + 1).map(summed).batch(9))
    assert text.replace("slow", "summed") not in found


def test_what_is_drawn_anew_is_not_kept() -> None:
    tf.random.set_seed(0)

    def noisy(x: tf.Tensor) -> tf.Tensor:
        return x + tf.random.normal(x.shape)

    found = changes(tf.data.Dataset.from_tensor_slices(tf.zeros((200, 4))).map(noisy).batch(20))
    text = ".cache() behind 'map: noisy' would keep what 'map: noisy' draws anew in each epoch"
    assert found[text] == 0.0
    assert not any("before .map" in name for name in found)


def test_a_generator_is_one_stage_and_declared_data_is_not_kept() -> None:
    def rows() -> Iterator[np.ndarray]:
        for _ in range(100):
            time.sleep(0.001)
            yield np.zeros(2, np.float32)

    of = tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec((2,), tf.float32))
    stages = list(timed(stages_of(of.batch(10)), 0.2, 100))
    assert [stage.name for stage in stages] == ["read", "batch"]
    [kept] = own_changes(stages, 0, 0.2, 100)
    assert kept.change == ".cache() behind 'read', if it gives the same in each epoch"
    assert kept.after
    assert kept.after > 3 * kept.before
    declared = tf.data.experimental.from_variant(
        tf.data.experimental.to_variant(tf.data.Dataset.range(60).batch(6)),
        tf.TensorSpec([None], tf.int64),
    )
    stages = list(timed(stages_of(declared.map(heavy)), 0.05, 60))
    assert [stage.name for stage in stages] == ["super().input_fn", "map: heavy"]
    tried = {t.change: t.after for t in own_changes(stages, 1, 0.05, 60)}
    text = (
        ".cache() behind 'map: heavy' would keep what 'super().input_fn' draws anew in each epoch"
    )
    assert tried[text] is None


def test_a_python_function_of_eager_tensors_is_named() -> None:
    def slow(x: tf.Tensor) -> tf.Tensor:
        return tf.py_function(waiting(0.001), [x], tf.float32)

    found = changes(tf.data.Dataset.from_tensor_slices(tf.zeros((50, 4))).map(slow).batch(5), 50)
    [text] = [t for t in found if "py_function" in t]
    assert text.startswith("tf.numpy_function(..., stateful=False) in place of tf.py_function in")
    assert found[text] == 0.0
