"""`--sample` alone: a first look at a pipeline, in about a minute, on as few epochs as show it."""

from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve

SOURCE = "--sample"  # where the epochs come from, as `tfpipe config` says it of a run
_EPOCHS, _EPOCHS_OF_PHASE = 3, 2


def for_first_look(loaded: Loaded, sample: int | bool | None) -> Loaded:
    """Return a declaration with fewer epochs, where nobody has said how many samples or epochs.

    Args:
        loaded: the pipeline.
        sample: what `--sample` is: True where no number was given.
    """
    names = {text.partition("=")[0].strip() for text in loaded.overrides}
    asked = "epochs" in loaded.declared._given or any(n.endswith("epochs") for n in names)
    if sample is not True or asked:
        return loaded
    pipeline: Pipeline = resolve(loaded.pipeline)
    if pipeline.fine_tune is None:
        texts = [f"epochs={_EPOCHS}"] if pipeline.epochs > _EPOCHS else []
    else:
        texts = [
            f"fine_tune.phases.{index}.epochs={_EPOCHS_OF_PHASE}"
            for index, phase in enumerate(pipeline.fine_tune.phases)
            if phase.epochs > _EPOCHS_OF_PHASE
        ]
        if pipeline.epochs == pipeline.all_epochs:  # which are declared twice, and must agree
            fewer = (min(phase.epochs, _EPOCHS_OF_PHASE) for phase in pipeline.fine_tune.phases)
            texts = [*texts, f"epochs={sum(fewer)}"] if texts else []
    return loaded.with_overrides(texts, SOURCE)


def instead_of(loaded: Loaded) -> str:
    """Return what was left out for a first look, as a part of a sentence; empty for nothing."""
    if SOURCE not in loaded.sources.values():
        return ""
    declared: Pipeline = resolve(loaded.declared)
    epochs = declared.epochs if declared.fine_tune is None else declared.all_epochs
    return f", for fewer epochs than the {epochs} that are declared"
