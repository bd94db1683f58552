"""A network's convolutions as the backbone of a detector: its maps, the finer ones first."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.errors import ModelError

if TYPE_CHECKING:
    import keras


def backbone_maps(backbone: ModelBuilder | str, spec: ElementSpec, taps: int, x: Any) -> list[Any]:
    """Return the last map of each of a network's coarsest sizes, the finer ones first.

    Args:
        backbone: what builds a network of convolutions, whose head is left out; or a file of Keras,
            such as RUN/checkpoints/best.keras, of one that was trained before.
        spec: the element spec of the images.
        taps: how many maps.
        x: the images, values from 0 to 255.

    Raises:
        ModelError: for a network without so many sizes of maps, or a file that is none.
    """
    import keras

    from tfpipe.models.base import base_of

    if isinstance(backbone, str):
        model = _of_file(backbone)
    else:
        # A head for classes, which is left out again.
        of_classes = spec.replace(labels=(Label("label", "class", (), ("a", "b")),))
        model = backbone.build(of_classes)
    base = base_of(model)
    if base is None:
        base = model
    else:  # what comes before the network, such as its scaling
        given = base._inbound_nodes[-1].input_tensors[0]
        if given is not model.inputs[0]:
            x = _applied(keras.Model(model.inputs[0], given, name="preprocessing"), x)[0]
    maps = [layer.output for layer in _tapped(base, taps, backbone)]
    return _applied(keras.Model(base.inputs[0], maps, name="backbone"), x)


def _applied(network: "keras.Model", x: Any) -> list[Any]:
    """Return what a network makes of images, which may be of another size than it was built for."""
    import keras

    image = network.inputs[0]
    if image.shape[1:] != x.shape[1:]:
        if image.shape[-1] != x.shape[-1]:
            raise ModelError(
                f"SSD.backbone reads images of {image.shape[-1]} channels; those of the data have "
                f"{x.shape[-1]}. Use a network that was trained on such images."
            )
        anew = keras.Input(x.shape[1:], dtype=image.dtype)
        again = keras.models.clone_model(
            network, input_tensors=anew, clone_function=lambda layer: layer
        )
        network = keras.Model(anew, again.outputs, name=network.name)
    found = network(x)
    return [*found] if isinstance(found, (list, tuple)) else [found]


def _tapped(base: Any, taps: int, backbone: ModelBuilder | str) -> list[Any]:
    """Return the last layer of each of the coarsest sizes of maps, the finer ones first."""
    import keras

    last: dict[tuple[int, ...], Any] = {}
    for layer in base.layers:
        if isinstance(layer, keras.layers.ZeroPadding2D):  # which is of the next map
            continue
        shape = getattr(layer.output, "shape", ())
        if len(shape) == 4 and None not in shape[1:3] and min(shape[1:3]) > 1:
            last[tuple(shape[1:3])] = layer
    sizes = sorted(last, reverse=True)[1:]  # without the image itself
    if len(sizes) < taps:
        name = backbone if isinstance(backbone, str) else type(backbone).__name__
        raise ModelError(
            f"SSD.backbone: {name} has maps of {len(sizes)} sizes below the image's, and taps="
            f"{taps} are wanted. Use fewer taps, or a deeper network."
        )
    return [last[size] for size in sizes[-taps:]]


def _of_file(file: str) -> "keras.Model":
    import keras

    from tfpipe.models.known_layers import know_layers

    path = Path(file).expanduser()
    if not path.is_file():
        raise ModelError(
            f"SSD.backbone={file}: there is no such file. Give RUN/checkpoints/best.keras of a "
            "network trained before, or a builder such as Application('MobileNetV2')."
        )
    know_layers()
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"SSD.backbone={file} cannot be loaded: {reason}") from None
    return model
