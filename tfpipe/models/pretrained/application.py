"""Application: a network of keras.applications with a head for the task.

    model = Application("MobileNetV2", size=(96, 96), dropout=0.2)

What the network expects of an image is in `tfpipe.models.pretrained.contracts`, and
applied inside the model.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from tfpipe.declare.field_types import Fraction, NonNegative, OpenFraction, Positive, PositiveFloat
from tfpipe.declare.fine_tune import BatchNorm
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.inputs import image_feature
from tfpipe.models.layers import add_head
from tfpipe.models.pretrained.contracts import CONTRACTS, Contract, Scaling, contract_of

if TYPE_CHECKING:
    import keras

Size = tuple[int, int]

_CLASSES = 1000
# What keras.applications calls them; without one, its network gives all values.
_POOLINGS = {"average": "avg", "max": "max", "flatten": None}
_OF_THE_HEAD = ("pooling", "activation", "dropout", "l2")


class Application(ModelBuilder):
    """A network of keras.applications, pretrained or not, and a head for the task.

    Raw images go in: what each network expects of them (how values are scaled, the order of the
    channels, the size) is done inside the model, and `check` looks at real samples. The network is
    one nested model, `tfpipe.models.base.base_of(model)`, which `FineTune` freezes and unfreezes.

    Args:
        name: the network, such as "MobileNetV2" or "EfficientNetB0";
            `tfpipe.models.pretrained.contracts` has them all, with the papers.
        weights: "imagenet", the path of a file of weights, or None for random ones.
        size: the height and width in pixels that the network sees, to which images are resized
            inside the model; when None, the data's own, or with its own head the network's.
        head: the widths of hidden layers between the network and the last layer; "imagenet" for
            the network's own 1,000 classes instead of a head for the task.
        pooling: what becomes of the network's output: "average" and "max" keep one value a
            filter, "flatten" keeps all.
        activation: after each hidden layer.
        dropout: the share of values left out before the last layer and after each hidden layer.
        l2: the strength of the penalty on the weights of the head, its last layer included.
        trainable: whether the network is trained too, and not the head alone. The phases of
            `FineTune` decide it instead where they are declared.
        batch_norm: what becomes of batch normalisation in a trained network: "inference" keeps its
            statistics and trains its scale and offset, "frozen" keeps all of it, "trained" trains
            it as any. "auto" is "inference" for what is pretrained, else "trained".
        batch_norm_momentum: how much of its running statistics each step keeps; the network's own
            when None. That of MobileNetV2 and some others, 0.999, takes thousands of steps to
            forget where it began, and until then validation says nothing.
        alpha: the factor on the number of filters of MobileNet, MobileNetV2 and MobileNetV3; 1
            when None.
        channels: the order of the channels in the data. "auto" takes red, green, blue, and `check`
            looks whether they are swapped; "rgb" is known to be so; "bgr" is swapped in the model.
        values: what black and white are in the data.

    Raises:
        ConfigError: for an unknown network, or fields that do not go together.
        ModelError: when the images are too small or are none, or the weights cannot be had.

    Example:
        >>> Application("MobileNetV2", size=(96, 96), head=(128,), dropout=0.5)
        Application('MobileNetV2', size=(96, 96), head=(128,), dropout=0.5)
    """

    name: str
    weights: str | None = "imagenet"
    size: tuple[Positive, Positive] | None = None
    head: tuple[Positive, ...] | Literal["imagenet"] = ()
    pooling: Literal["average", "max", "flatten"] = "average"
    activation: str = "relu"
    dropout: Fraction = 0.0
    l2: NonNegative = 0.0
    trainable: bool = False
    batch_norm: BatchNorm | Literal["auto"] = "auto"
    batch_norm_momentum: OpenFraction | None = None
    alpha: PositiveFloat | None = None
    channels: Literal["auto", "rgb", "bgr"] = "auto"
    values: tuple[float, float] = (0.0, 255.0)
    contract: ClassVar[str] = (
        "images of 1 or 3 channels, values of 0..255 or as declared in `values`; inside the model "
        "other sizes are resized and values become what the network expects; at least 32 pixels a "
        "side, 71 for Xception, 75 for InceptionV3 and InceptionResNetV2"
    )

    def validate(self) -> None:
        """Refuse an unknown network, and fields that have nothing to act on."""
        for name in _plain(self.name):
            network = contract_of(name)
            if self.alpha is not None and not network.alphas:
                able = [c.network for c in CONTRACTS.values() if c.alphas]
                raise ConfigError(
                    f"{self._own}.alpha is for {', '.join(able)}; {name} has one width. Leave it "
                    "out."
                )
        if isinstance(self.values, tuple) and self.values[0] == self.values[1]:
            raise ConfigError(
                f"{self._own}.values={self.values}: black and white must differ, as in (0, 255)."
            )
        if self.head == "imagenet":
            self._refuse_head()

    def fetch(self) -> None:
        from tfpipe.models.pretrained.weights import find

        own = self._contract.size
        known = self.size or (None if self._contract.alphas else (own, own))
        if self.weights is not None and (known or self.weights != "imagenet"):
            find(self.name, self.weights, **self._which(known or (own, own)))

    def check(self, spec: ElementSpec) -> None:
        from tfpipe.models.pretrained.weights import find

        feature = image_feature(spec, self._own)
        _refuse_channels(feature, self._own)
        self._refuse_size(feature)
        if self._own_head and len(spec.classes) != _CLASSES:
            raise ModelError(
                f"head='imagenet' gives {self.name}'s own {_CLASSES:,} classes; the data has "
                f"{len(spec.classes)}. Leave it out for a head for the data's classes."
            )
        if self.weights is not None:
            find(self.name, self.weights, **self._which(self._size(feature)))

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.models.base import unfreeze
        from tfpipe.models.pretrained.preprocessing import preprocessed, scaling_of

        self.check(spec)
        feature = spec.feature
        size = self._size(feature)
        base = self._base(size)
        scaling = scaling_of(self._contract, base)
        inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
        bgr = self.channels == "bgr"
        x = preprocessed(inputs, scaling, size, values=self.values, bgr=bgr)
        outputs = self._answers(base(x), spec, task)
        model = keras.Model(inputs, outputs, name=f"application_{self.name.lower()}")
        unfreeze(base, "all" if self.trainable else None, self._batch_norm)
        model.input_contract = self._input_contract(scaling, size)  # for the export
        return model

    def check_samples(self, model: "keras.Model", spec: ElementSpec, features: Any) -> None:
        from tfpipe.models import image_checks
        from tfpipe.models.base import base_of
        from tfpipe.models.pretrained.preprocessing import scaling_of

        base, network = base_of(model), self._contract
        images = image_checks.images(model, base, spec.feature.name, features, self.values)
        image_checks.refuse_values(images, network, scaling_of(network, base))
        if self.channels == "auto":
            image_checks.refuse_swapped(images, network)

    def offline(self) -> tuple[Self, str]:
        from tfpipe.models.pretrained.weights import imagenet_file

        if self.weights != "imagenet":
            return self, ""
        size = self.size or (self._contract.size,) * 2
        if imagenet_file(self.name, **self._which(size)).path.exists():
            return self, ""
        return self.replace(weights=None), (
            f"Random weights stood in for {self.name}'s ImageNet weights, which are not on this "
            "machine: what was learnt says nothing about the network."
        )

    @classmethod
    def example(cls) -> Self:
        return cls("MobileNet", weights=None, size=(32, 32), trainable=True, alpha=0.25)

    # What is refused

    def _refuse_head(self) -> None:
        """Refuse fields of a head where the network brings its own."""
        for field in _OF_THE_HEAD:
            if not self._is_default(field):
                raise ConfigError(
                    f"{self._own}.{field} is for a head of the task's own; head='imagenet' is the "
                    "network's. Leave one of them out."
                )

    def _refuse_size(self, feature: Feature) -> None:
        """Refuse images that the network is too deep for; raises ModelError."""
        size, network = self._size(feature), self._contract
        if min(size) >= network.smallest:
            return
        whose = "model.size is" if self.size else f"{feature.name!r} has images of"
        raise ModelError(
            f"{self.name} needs at least {network.smallest}x{network.smallest} pixels; {whose} "
            f"{size[0]}x{size[1]}. Declare model.size=({network.smallest}, {network.smallest}) or "
            f"larger, to which images are resized inside the model; it was trained on "
            f"{network.size}x{network.size}."
        )

    # What is built

    def _base(self, size: Size) -> "keras.Model":
        """The network with its weights."""
        import keras

        from tfpipe.models.pretrained.preprocessing import keep_float32
        from tfpipe.models.pretrained.weights import find, load

        options: dict[str, Any] = {"weights": None, "input_shape": (*size, 3)}
        options |= {"include_top": self._own_head, "pooling": _POOLINGS[self.pooling]}
        if self._own_head:
            options["classifier_activation"] = None
        if self.alpha is not None:
            options["alpha"] = self.alpha
        base = getattr(keras.applications, self.name)(**options)
        if self.weights is not None:
            load(base, find(self.name, self.weights, **self._which(size)))
        keep_float32(base)
        for layer in base.layers if self.batch_norm_momentum else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = self.batch_norm_momentum
        return base

    def _input_contract(self, scaling: Scaling, size: Size) -> dict[str, Any]:
        """What the network expects and the model's first layers do, as the export tells it."""
        return {
            "network": self.name,
            "family": self._contract.family,
            "size": list(size),
            "resize": "bilinear, antialiased where it shrinks, not rounded",
            "data": {
                "black": self.values[0],
                "white": self.values[1],
                "channels": "bgr" if self.channels == "bgr" else "rgb",
            },
            "expects": {
                "black": list(scaling.of(0)),
                "white": list(scaling.of(255)),
                "channels": "bgr" if scaling.bgr else "rgb",
                "in_words": scaling.described,
            },
        }

    def _answers(self, x: Any, spec: ElementSpec, task: TaskName) -> Any:
        """The logits of what the network gives."""
        import keras

        if self._own_head:
            return keras.layers.Activation("linear", dtype="float32", name="logits")(x)
        x = keras.layers.Flatten()(x) if self.pooling == "flatten" else x
        return add_head(x, self, self._own, spec, task)

    # What was declared

    @property
    def _own(self) -> str:
        return type(self).__name__

    @property
    def _contract(self) -> Contract:
        return contract_of(self.name)

    @property
    def _own_head(self) -> bool:
        return self.head == "imagenet"

    @property
    def _batch_norm(self) -> BatchNorm:
        if self.batch_norm != "auto":
            return self.batch_norm
        return "trained" if self.weights is None else "inference"

    def _size(self, feature: Feature) -> Size:
        """What the network sees: what is declared, what it was trained on, or the data's."""
        own = self._contract.size
        data = feature.shape[0], feature.shape[1]
        return self.size or ((own, own) if self._own_head else data)

    def _which(self, size: Size) -> dict[str, Any]:
        """Which file of weights."""
        return {"top": self._own_head, "alpha": self.alpha, "size": size}


def _plain(value: Any) -> tuple[str, ...]:
    """The names that a field may hold: one, or each candidate of a range."""
    if hasattr(value, "candidates"):
        return tuple(value.candidates())
    return (value,)


def _refuse_channels(feature: Feature, builder: str) -> None:
    """Refuse images of other than 1 or 3 channels; raises ModelError."""
    first, height, last = feature.shape
    if last in (1, 3):
        return
    if first in (1, 3):
        raise ModelError(
            f"{builder} reads images of shape (height, width, channels); {feature.name!r} has "
            f"shape {feature.shape}, channels first. Transpose it to {(height, last, first)}."
        )
    raise ModelError(
        f"{builder} reads images of 1 or 3 channels; {feature.name!r} has {last}. "
        + ("Leave out the last one, which is transparency." if last == 4 else "Select 1 or 3.")
    )
