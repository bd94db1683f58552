"""The stages of a declared source: reading, decoding, batches, augmentation."""

from collections.abc import Iterator

from tfpipe.data.sources.base import StoredSplits
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.data.rates import best_pace, elements, evict, pace
from tfpipe.evaluation.data.stages import Stage
from tfpipe.training.datasets import dataset


def source_stages(pipeline: Pipeline, spec: ElementSpec, seconds: float) -> Iterator[Stage]:
    """Yield the stages with their rates in the first epoch and in the next one.

    Args:
        pipeline: the declaration, its ranges resolved; its data is read anew.
        spec: the element spec of its data.
        seconds: how long to look at each stage.
    """
    assert pipeline.data is not None
    size, data = spec.splits["train"], pipeline.data.replace()  # which has read nothing yet
    fresh = pipeline.replace(data=data)
    if isinstance(data, StoredSplits):
        again = data.keeps(pipeline.cache) == "nowhere"
        for name, steps in data.passes().items():
            evict(data.read_from())
            cold = pace(steps, seconds, size, once=True)
            yield Stage(name, None, True, cold, best_pace(steps, seconds, size) if again else None)
        evict(data.read_from())
    plain = fresh.replace(augment=(), class_weights=None)

    def first() -> Iterator[int]:  # which reads and decodes what is kept from then on
        return elements(dataset(plain, "train"), True, seconds)()

    cold = pace(first, seconds, size, once=True)
    batches = dataset(plain, "train")
    warm = best_pace(elements(batches, True, seconds), seconds, size)
    yield Stage("batch", batches, True, cold, warm)
    if pipeline.augment:
        changed = dataset(fresh.replace(class_weights=None), "train")
        warm = best_pace(elements(changed, True, seconds), seconds, size)
        yield Stage("augment", changed, True, None, warm)
    whole = dataset(fresh, "train")
    warm = best_pace(elements(whole, True, seconds), seconds, size)
    yield Stage("to the model", whole, True, None, warm)
