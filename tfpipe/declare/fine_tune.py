"""Fine-tuning: phases of one training, each with its own epochs, optimizer and trainable layers."""

from typing import Annotated, ClassVar, Literal

import annotated_types

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.field_types import Positive
from tfpipe.declare.part import Part
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError

# Nothing, everything ("all"), the last n layers, "752:" for a layer's number on, or a layer's name.
Unfreeze = Positive | str | None
# How batch normalisation behaves in the layers that are trained.
BatchNorm = Literal["inference", "frozen", "trained"]
Factor = Annotated[float, annotated_types.Gt(0), annotated_types.Le(1)]


class Phase(Part):
    """A part of a training during which the same layers of the base are trained.

    Of a `GAN` it is a part during which both networks are trained, or the generator alone.

    Args:
        epochs: how many times to go through the training data.
        optimizer: a Keras optimizer, which starts anew; the pipeline's when None.
        unfreeze: which layers of the base to train beside the head: None for none, "all", a number
            for the last n layers, "752:" for those from number 752 on (the first is 0), or a
            layer's name for those from it on.
        batch_norm: how batch normalisation behaves in the trained layers. "inference" keeps its
            statistics, which a small data set would spoil, and trains its scale and offset as
            other weights; "frozen" keeps all of it; "trained" trains all of it.
        depth_factor: what the learning rate is multiplied by from each trained block of layers to
            the one before it; 1 for the same rate everywhere. The head has the full rate. A
            block is a trained layer with weights. (Howard and Ruder, 2018, arXiv:1801.06146,
            divide by 2.6.)
        loss: the loss; the pipeline's when None.
        pretrain: of a GAN: whether the generator is trained by itself.

    Raises:
        ConfigError: for an `unfreeze` that names nothing, or a factor with nothing to apply it to.

    Example:
        >>> Phase(epochs=10, unfreeze="752:")
        Phase(10, unfreeze='752:')
    """

    described: ClassVar[str] = "a phase such as Phase(epochs=10, unfreeze='all')"
    epochs: Positive
    optimizer: Deferred | str | None = None
    unfreeze: Unfreeze = None
    batch_norm: BatchNorm = "inference"
    depth_factor: Factor = 1.0
    loss: Deferred | Name | str | None = None
    pretrain: bool = False

    def validate(self) -> None:
        """Refuse what would do nothing."""
        what = resolve(self.unfreeze)
        if isinstance(what, str) and not what.strip():
            raise ConfigError(
                "Phase.unfreeze is empty. Use None, 'all', a number of layers, '752:' or a layer's "
                "name."
            )
        usual = self._is_default("batch_norm")
        if what is None and not (usual and self._is_default("depth_factor")):
            field = "depth_factor" if usual else "batch_norm"
            raise ConfigError(
                f"Phase.{field} is for layers of the base that are trained, and unfreeze=None "
                "trains none. Set unfreeze, or leave it out."
            )


class FineTune(Part):
    """A training in phases: the head first, then more and more of a pretrained base.

    Each phase compiles the model anew, and goes on with the weights that the one before it left.
    Callbacks that wait for an improvement, such as EarlyStopping, begin each phase afresh; one that
    stops a phase early begins the next. The epochs are counted through, so there is one history.

    Args:
        phases: the phases in order.

    Raises:
        ConfigError: when there is none.

    Example:
        fine_tune = FineTune(
            phases=(
                Phase(epochs=20, optimizer=keras.optimizers.RMSprop(1e-3)),
                Phase(epochs=10, optimizer=keras.optimizers.RMSprop(1e-4), unfreeze="752:"),
            )
        )
    """

    described: ClassVar[str] = "phases such as FineTune(phases=(Phase(epochs=10),))"
    phases: tuple[Phase, ...]

    def validate(self) -> None:
        """Refuse a training without phases."""
        if not self.phases:
            raise ConfigError("FineTune.phases is empty: give at least one Phase(epochs=...).")

    @property
    def one_loss(self) -> bool:
        """Whether all phases have the same loss, so that their epochs can be compared."""
        return all(phase.loss == self.phases[0].loss for phase in self.phases)

    @property
    def epochs(self) -> int:
        """The epochs of all phases."""
        return sum(resolve(phase.epochs) for phase in self.phases)
