"""The batches of a split as workers take them."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe import Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.models import MLP
from tfpipe.training.datasets import dataset, distributed, own_batches


class Job(Pipeline):
    """Thirty images in batches of eight, the classes weighted."""

    data = Arrays(
        lambda: (
            np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8),
            np.repeat(["dark", "bright"], [25, 15]),
        ),
        validation=0.25,
    )
    model = MLP(units=(4,))
    augment = (augment.flip(), augment.brightness(0.5))
    batch_size = 8
    class_weights = "balanced"


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("workers", "replicas"), [(2, 1), (2, 2), (3, 1)])
def test_replicas_of_all_workers_make_each_batch_once(
    split: str, workers: int, replicas: int
) -> None:
    job, place = Job(), (1, 1)
    count = workers * replicas
    made = []
    for index in range(workers):
        worker = tf.distribute.InputContext(workers, index, count)
        own = [*own_batches(job, split, worker, *place).as_numpy_iterator()]
        made += [own[replica::replicas] for replica in range(replicas)]
    whole = [*dataset(job, split, *place).as_numpy_iterator()]
    assert [len(parts) for parts in made] == [len(whole)] * count
    for batch, *parts in zip(whole, *made, strict=True):
        for column, *rows in zip(batch, *parts, strict=True):
            np.testing.assert_array_equal(np.concatenate(rows), column)


def test_one_process_makes_whole_batches() -> None:
    batches = distributed(Job(), "train", tf.distribute.get_strategy())
    assert [len(y) for _, y, _ in batches] == [8, 8, 8, 6]


class Own(Job):
    """An input_fn that knows nothing of workers."""

    def input_fn(self, split: str) -> tf.data.Dataset:  # type: ignore[override]
        """Return batches that no shard is asked of."""
        return super().input_fn(split)


def test_an_own_input_fn_makes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfpipe.training.datasets.is_multi_worker", lambda strategy: True)
    batches = distributed(Own(), "train", tf.distribute.get_strategy())
    assert [len(y) for _, y, _ in batches] == [8, 8, 8, 6]
    policy = batches.options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.DATA
