"""FeatureExtractor: what named layers of a network make of images, by which these are compared."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError, ModelError, suggest
from tfpipe.text import listed

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Extract = Callable[[tf.Tensor], list[tf.Tensor]]

# Layers of VGG16 that take the places of those of a network that is not there.
_STAND_IN = tuple(f"block{block}_conv{i}" for block in range(1, 6) for i in (1, 2))


class FeatureExtractor(Part):
    """Named layers of a network that is frozen: one of keras.applications, or one trained before.

    Images go in as values from 0 to 255, of any size, red, green, blue; what the network expects of
    them is done inside.

    Args:
        network: the name of a network of keras.applications, such as "VGG19"; or a file of Keras,
            such as RUN/checkpoints/best.keras, of a network of convolutions on colour images.
        layers: whose outputs are taken, by name.
        weights: of a network of keras.applications: "imagenet", a file, or None for random ones.
        activated: whether what a layer makes is taken after its activation; before it if not.

    Raises:
        ConfigError: when no layer is named.
        ModelError: for a network, a file or layers that are not there.

    Example:
        >>> FeatureExtractor("VGG19", ("block5_conv4",))
        FeatureExtractor('VGG19', ('block5_conv4',))
    """

    namespace: ClassVar[str] = "models"
    described: ClassVar[str] = 'features such as FeatureExtractor("VGG19", ("block5_conv4",))'
    network: str
    layers: tuple[str, ...]
    weights: str | None = "imagenet"
    activated: bool = True

    def validate(self) -> None:
        """Refuse features of nothing."""
        if not self.layers:
            raise ConfigError(
                "FeatureExtractor.layers is empty: name the layers whose outputs are compared."
            )

    @property
    def is_file(self) -> bool:
        """Whether the network was trained before and is in a file."""
        return self.network.endswith(".keras")

    def offline(self) -> tuple[Self, str]:
        """Return what needs no download and no file that is gone, and what that means."""
        from tfpipe.models.pretrained.weights import imagenet_file

        if self.is_file:
            if Path(self.network).expanduser().is_file():
                return self, ""
            stand_in = self.replace(
                network="VGG16", layers=_STAND_IN[: len(self.layers)], weights=None
            )
            return stand_in, (
                f"VGG16 with random weights stood in for {self.network}, which is not there: what "
                "images were compared by says nothing."
            )
        if self.weights != "imagenet" or imagenet_file(self.network, top=False).path.exists():
            return self, ""
        return self.replace(weights=None), (
            f"Random weights stood in for {self.network}'s ImageNet weights, which are not on this "
            "machine: what images were compared by says nothing."
        )

    def fetch(self) -> None:
        """Download what the network needs; raise ModelError where it cannot be had."""
        from tfpipe.models.pretrained.weights import find

        if self.is_file:
            self._existing()
        elif self.weights is not None:
            find(self.network, self.weights, top=False)

    def build(self) -> "Extract":
        """Return what gives of images [rows, height, width, 3] what each layer makes of them.

        It computes in float32. Nothing of it is trained, and it is in no saved state.
        """
        import keras

        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        try:
            base, x, inputs = self._of_file() if self.is_file else self._of_application()
            outputs = self._outputs(base, x)
            model = keras.Model(inputs, outputs, name="features")
        finally:
            keras.config.set_dtype_policy(policy)
        model.trainable = False
        return lambda images: keras.tree.flatten(model(images, training=False))

    def _of_application(self) -> "tuple[keras.Model, Any, Any]":
        """The network, and what it reads of the images."""
        import keras

        from tfpipe.models.pretrained.contracts import contract_of
        from tfpipe.models.pretrained.preprocessing import scaled, scaling_of
        from tfpipe.models.pretrained.weights import find, load

        contract = contract_of(self.network)
        make = getattr(keras.applications, self.network)
        base = make(weights=None, include_top=False, input_shape=(None, None, 3))
        self._check_layers(base, self.network)
        if self.weights is not None:
            load(base, find(self.network, self.weights, top=False))
        scaling = scaling_of(contract, base)
        inputs = keras.Input((None, None, 3), name="image")
        x = keras.ops.flip(inputs, axis=-1) if scaling.bgr else inputs
        return base, scaled(x, scaling, (0.0, 255.0)), inputs

    def _of_file(self) -> "tuple[keras.Model, Any, Any]":
        import keras

        path = self._existing()
        try:
            base = keras.models.load_model(path, compile=False)
        except (ValueError, TypeError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"FeatureExtractor.network={self.network} cannot be loaded: {reason}"
            ) from None
        self._check_layers(base, str(path))
        for layer in base.layers:  # trained in bfloat16 perhaps, in which nothing is compared
            layer.dtype_policy = keras.DTypePolicy("float32")
        if len(base.inputs) != 1 or base.inputs[0].shape[-1] != 3:
            raise ModelError(
                f"FeatureExtractor.network={self.network} should read colour images; it reads "
                f"{listed(str(i.shape[1:]) for i in base.inputs)}."
            )
        inputs = keras.Input((None, None, 3), name="image")
        return base, inputs, inputs

    def _existing(self) -> Path:
        """The network's file; raises ModelError where it is not there."""
        path = Path(self.network).expanduser()
        if path.is_file():
            return path
        raise ModelError(
            f"FeatureExtractor.network={self.network}: there is no such file. Give "
            "RUN/checkpoints/best.keras of a network trained before, or a name such as 'VGG19'."
        )

    def _check_layers(self, base: "keras.Model", called: str) -> None:
        names = [layer.name for layer in base.layers]
        for name in self.layers:
            if name not in names:
                raise ModelError(
                    f"FeatureExtractor.layers: {called} has no layer {name!r}. "
                    + suggest(name, names)
                )

    def _outputs(self, base: "keras.Model", x: Any) -> list[Any]:
        """Apply a network's layers to images of any size, as far as the named ones need them."""
        import keras

        found: dict[str, Any] = {}

        def call(layer: Any, *args: Any, **options: Any) -> Any:
            if self.activated or layer.name not in self.layers:
                made = layer(*args, **options)
                found[layer.name] = made
                return made
            if not hasattr(layer, "activation"):
                raise ModelError(
                    f"FeatureExtractor.layers: {layer.name!r} of {self.network} has no activation, "
                    "before which activated=False would take what it makes. Leave that out."
                )
            config = {**layer.get_config(), "activation": "linear"}
            linear = type(layer).from_config(config)
            found[layer.name] = linear(*args, **options)
            linear.set_weights(layer.get_weights())
            return layer.activation(found[layer.name])

        part = keras.Model(base.inputs[0], [base.get_layer(name).output for name in self.layers])
        image = keras.Input((None, None, 3))
        keras.models.clone_model(
            part, input_tensors=image, clone_function=lambda layer: layer, call_function=call
        )
        outputs = keras.Model(image, [found[name] for name in self.layers])(x)
        return outputs if isinstance(outputs, list) else [outputs]
