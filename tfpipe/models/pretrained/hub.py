"""Hub: a module of TensorFlow Hub on images or texts, and a last layer for the task."""

from typing import TYPE_CHECKING, Any, ClassVar, Self

from tfpipe.declare.field_types import Fraction, NonNegative, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.layers import add_head
from tfpipe.models.pretrained.contracts import Contract, Scaling
from tfpipe.tasks import task_for

if TYPE_CHECKING:
    import keras

    from tfpipe.models.pretrained.hub_module import HubModule

# What takes the place of a module that would have to be fetched, on generated data.
STAND_IN = "(stand-in)"
_STAND_IN_WIDTH = 16
# What published modules of images take.
_SCALING = Scaling("hub", (1 / 255,) * 3, (0.0,) * 3, False, "0..1")


class Hub(ModelBuilder):
    """A module of TensorFlow Hub, then hidden dense layers, and a last layer for the task.

    The module says what it takes. Images come as the data has them: inside the model grey ones
    become three channels, all are resized to the module's size and scaled to 0..1, as modules of
    images have it. Texts go in as they are. A saved model needs the module where it was, or in the
    cache; an export needs nothing.

    Args:
        handle: an address such as "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/
            feature_vector/5", fetched once into $TFHUB_CACHE_DIR; or a folder or .tar.gz.
        trainable: whether the module is trained too (FineTune's phases decide instead where
            declared). Then its dropout drops and its batch normalisation learns.
        output_dim: how wide the module's output is, where it does not say so itself.
        head: the width of each hidden dense layer between the module and the last layer; None for
            none of these and no last layer: what the module gives are the logits.
        activation: after each hidden layer.
        dropout: the share of values left out before the last layer and after each hidden layer.
        l2: the strength of the penalty on the kernels of the head, the last layer's included.
        signature: which of the module's signatures to call; the module itself when None.
        output_key: which of several outputs to use; "default" when None.
        size: (height, width) of the images that the module sees, where it does not say so itself;
            the data's when None.
        values: what black and white are in the data.

    Raises:
        ConfigError: for fields of a head where there is none.
        ModelError: when the module cannot be had, or offers something else than the data needs.

    Example:
        >>> Hub("modules/mobilenet.tar.gz", head=(64,), dropout=0.2)
        Hub('modules/mobilenet.tar.gz', head=(64,), dropout=0.2)
    """

    handle: str
    trainable: bool = False
    output_dim: Positive | None = None
    head: tuple[Positive, ...] | None = ()
    activation: str = "relu"
    dropout: Fraction = 0.0
    l2: NonNegative = 0.0
    signature: str | None = None
    output_key: str | None = None
    size: tuple[Positive, Positive] | None = None
    values: tuple[float, float] = (0.0, 255.0)
    contract: ClassVar[str] = (
        "images of 1 or 3 channels, values of 0..255 or as declared in `values`, which inside the "
        "model are resized to the module's size and become 0..1; or one text in UTF-8"
    )

    def validate(self) -> None:
        """Refuse what would do nothing."""
        if self.head is None:
            for field in ("dropout", "l2"):
                if getattr(self, field):
                    raise ConfigError(
                        f"Hub.{field} is for the head, and head=None has none. Leave it out, or "
                        "give head=()."
                    )
        black, white = getattr(self.values, "value", self.values)
        if not black < white:
            raise ConfigError(
                f"Hub.values={self.values}: what white is has to be more than what black is."
            )

    def check(self, spec: ElementSpec) -> None:
        if spec.is_table:
            raise ModelError(
                f"Hub reads one image or one text; {spec.features[0].name!r} is a column of a "
                "table. Use MLP or Linear."
            )
        feature = spec.feature
        if feature.kind not in ("image", "text"):
            raise ModelError(
                f"Hub reads one image or one text; {feature.name!r} holds numbers of shape "
                f"{feature.shape}. Use MLP."
            )
        from tfpipe.models.pretrained.hub_handle import resolve

        if self.handle != STAND_IN:
            resolve(self.handle)

    def check_samples(self, model: "keras.Model", spec: ElementSpec, features: Any) -> None:
        if spec.feature.kind == "image":
            self._check_values(model, spec, features)
        if self.head is None:
            _check_no_probabilities(model, features)

    def offline(self) -> tuple[Self, str]:
        from tfpipe.models.pretrained.hub_handle import is_here

        if is_here(self.handle):
            return self, ""
        return self.replace(handle=STAND_IN), (
            f"A small network stood in for the TF-Hub module {self.handle}, which was not fetched: "
            "the parameters, the memory and the time of a step are not the module's."
        )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        self.check(spec)
        feature = spec.feature
        text = feature.kind == "text"
        inputs = keras.Input(feature.shape, name=feature.name, dtype="string" if text else None)
        if self.handle == STAND_IN:
            x = self._stand_in(inputs, feature, task_for(spec, task).units)
        else:
            x = self._module(inputs, feature)
        if self.head is None:
            self._check_width(x, spec, task)
        else:
            x = add_head(x, self, "Hub", spec, task)
        model = keras.Model(inputs, x, name="hub")
        if self.handle != STAND_IN:
            model.input_contract = self._input_contract(model, feature)  # for the export
        return model

    def _module(self, inputs: Any, feature: Feature) -> Any:
        """What the module gives for raw samples."""
        from tfpipe.models.pretrained.hub_handle import absolute
        from tfpipe.models.pretrained.hub_module import HubModule

        layer = HubModule(
            absolute(self.handle),
            self.signature,
            self.output_key,
            self.output_dim,
            trainable=self.trainable,
            name="module",
        )
        if self.trainable and not layer.trainable_weights:
            raise ModelError(
                f"{self.handle} has nothing to train: leave trainable=True out. {layer.offers}"
            )
        if feature.kind == "text":
            _check_takes_texts(layer, feature)
            return layer(inputs)
        return layer(self._image(inputs, layer, feature))

    def _image(self, x: Any, layer: "HubModule", feature: Feature) -> Any:
        """Raw images as the module expects them."""
        import keras

        from tfpipe.models.pretrained.preprocessing import resized

        size, channels = _image_size(layer, feature, self.size)
        if feature.shape[2] == 1 and channels == 3:
            x = keras.layers.Concatenate(dtype="float32", name="grey_to_rgb")([x, x, x])
        x = resized(x, size)
        black, white = self.values
        scale = 1.0 / (white - black)
        return keras.layers.Rescaling(scale, -black * scale, dtype="float32", name="rescaling")(x)

    def _input_contract(self, model: "keras.Model", feature: Feature) -> dict[str, Any]:
        """What the module expects and the model's first layers do, as the export tells it."""
        contract: dict[str, Any] = {"network": self.handle, "family": "TF-Hub"}
        if feature.kind == "text":
            return contract | {"expects": {"in_words": "texts in UTF-8, as they are"}}
        black, white = self.values
        return contract | {
            "size": list(model.get_layer("module").input.shape[1:3]),
            "resize": "bilinear, antialiased where it shrinks, not rounded",
            "data": {"black": black, "white": white},
            "expects": {"black": 0.0, "white": 1.0, "in_words": _SCALING.described},
        }

    def _check_values(self, model: "keras.Model", spec: ElementSpec, features: Any) -> None:
        """Refuse images whose values are not those declared; raises ModelError."""
        from tfpipe.models import image_checks
        from tfpipe.models.base import base_of

        images = image_checks.images(
            model, base_of(model), spec.feature.name, features, self.values
        )
        network = Contract(self.handle, "TF-Hub", _SCALING, 0, 1, (), "")
        image_checks.refuse_values(images, network, _SCALING)

    def _check_width(self, x: Any, spec: ElementSpec, task: TaskName) -> None:
        """Refuse a module that answers about other classes than the data has."""
        of, width = task_for(spec, task), x.shape[-1]
        if width == of.units:
            return
        background = ", the first of which is 'background'" if width == 1001 else ""
        raise ModelError(
            f"{self.handle} gives {width:,} number(s) a sample{background}; the task, {of.name}, "
            f"needs {of.units:,}. head=None takes them as they are: give head=() for a last "
            "layer of this data's own, or data with the classes that the module was trained on."
        )

    def _stand_in(self, inputs: Any, feature: Feature, units: int) -> Any:
        """What a small network gives in place of a module that is not fetched."""
        import keras

        layers = keras.layers
        x = taken = keras.Input(feature.shape, dtype=inputs.dtype)
        if feature.kind == "text":
            x = layers.Hashing(64, output_mode="one_hot")(keras.ops.expand_dims(x, -1))
        else:
            black, white = self.values
            scale = 1.0 / (white - black)
            x = layers.GlobalAveragePooling2D(dtype="float32")(x)
            x = layers.Rescaling(scale, -black * scale, dtype="float32")(x)
        width = units if self.head is None else self.output_dim or _STAND_IN_WIDTH
        base = keras.Model(taken, layers.Dense(width, dtype="float32")(x), name="module")
        base.trainable = self.trainable
        return base(inputs)

    @classmethod
    def example(cls) -> Self:
        return cls(STAND_IN)


def _check_takes_texts(layer: "HubModule", feature: Feature) -> None:
    takes = layer.endpoint.takes
    if takes.dtype != "string" or takes.shape.rank not in (None, 1):
        raise ModelError(
            f"Hub reads no texts with {layer.handle}, and {feature.name!r} is a text. Use a module "
            f"that takes string [batch]. {layer.offers}"
        )


def _image_size(
    layer: "HubModule", feature: Feature, declared: tuple[int, int] | None
) -> tuple[tuple[int, int], int]:
    """The height, width and channels that the module sees; raises ModelError."""
    takes = layer.endpoint.takes
    if not takes.dtype.is_floating or takes.shape.rank not in (None, 4):
        raise ModelError(
            f"Hub reads no images with {layer.handle}, and {feature.name!r} is an image. Use a "
            f"module that takes float32 [batch, height, width, channels]. {layer.offers}"
        )
    lengths = [None] * 4 if takes.shape.rank is None else list(takes.shape)
    height, width, channels = lengths[1:]
    own = feature.shape[2]
    channels = channels or (3 if own == 1 else own)
    if own != channels and (own, channels) != (1, 3):
        raise ModelError(
            f"{layer.handle} takes images of {channels} channel(s); {feature.name!r} has {own}."
        )
    size = declared or feature.shape[:2]
    if declared is not None and any(
        n not in (None, d) for n, d in zip((height, width), declared, strict=True)
    ):
        raise ModelError(
            f"Hub.size={declared}: {layer.handle} takes images of {height}x{width} alone, to which "
            "they are resized. Leave size out."
        )
    return (height or size[0], width or size[1]), channels


def _check_no_probabilities(model: "keras.Model", features: Any) -> None:
    """Refuse a classifier that gives probabilities where logits are needed; raises ModelError."""
    import numpy as np

    given = np.asarray(model(features, training=False))
    if given.shape[-1] > 1 and given.min() >= 0 and np.allclose(given.sum(-1), 1, atol=1e-3):
        raise ModelError(
            "The module gives probabilities, and models give logits here. Use its version that "
            "gives logits, or its feature vector with head=()."
        )
