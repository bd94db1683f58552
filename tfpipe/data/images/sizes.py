"""Sizes of images: which go together, and what covers what, without TensorFlow."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

    Pixels: TypeAlias = int | tf.Tensor

Size = tuple[int, int]


def check_sizes(owner: str, size: Size | None, resize: Size | None, kept: Size | None) -> None:
    """Refuse sizes that do not go together; raise ConfigError.

    Args:
        owner: whose fields they are, such as "ImageFolder".
        size: what the model sees.
        resize: what is covered before `size` is cut out.
        kept: what is held in memory.
    """
    if resize is None:
        if kept is not None:
            raise ConfigError(
                f"{owner}.kept={kept} is the size at which pictures are held before they are "
                "resized, and there is no resize. Declare it too, or leave kept out."
            )
        return
    if size is None:
        raise ConfigError(
            f"{owner}.resize={resize} needs size=(height, width), which is cut out of the middle "
            "of the resized picture."
        )
    if any(inner > outer for inner, outer in zip(size, resize, strict=True)):
        raise ConfigError(
            f"{owner}.resize={resize} is smaller than size={size}, which is cut out of it. Give a "
            "resize of at least size."
        )
    if kept is not None and any(k > r for k, r in zip(kept, resize, strict=True)):
        raise ConfigError(
            f"{owner}.kept={kept} is larger than resize={resize}: pictures are held at most as "
            "large as they are resized to. Leave kept out, which holds them at resize."
        )


def centre(feature: Feature) -> tuple[Size, Size]:
    """Return what stored images are resized to, and (top, left) of what is cut out of that."""
    assert feature.resize is not None
    whole = covering(feature.stored_shape[:2], feature.resize)
    top, left = ((w - s) // 2 for w, s in zip(whole, feature.shape, strict=False))
    return whole, (top, left)


def covering(
    size: "Sequence[Pixels]", outer: "Sequence[Pixels]", larger: "Callable[..., Pixels]" = max
) -> "tuple[Pixels, Pixels]":
    """(height, width) of a picture that keeps its proportions and just covers another size.

    Args:
        size: the picture's (height, width); numbers, or scalar tensors.
        outer: what to cover.
        larger: the larger of two; tf.maximum for tensors.
    """
    (height, width), (least_height, least_width) = size, outer
    # To the nearest pixel; of the two sides, one is exactly what is asked for.
    return (
        larger(least_height, (height * least_width + width // 2) // width),
        larger(least_width, (width * least_height + height // 2) // height),
    )


def within(
    size: "Sequence[Pixels]", outer: "Sequence[Pixels]", smaller: "Callable[..., Pixels]" = min
) -> "tuple[tuple[Pixels, Pixels], tuple[Pixels, Pixels]]":
    """Return how a picture lies in a frame that it just fits in, its proportions kept.

    Args:
        size: the picture's (height, width); numbers, or scalar tensors.
        outer: the frame's.
        smaller: the smaller of two; tf.minimum for tensors.

    Returns:
        (height, width) of the resized picture, and (top, left) of it in the frame.
    """
    (height, width), (most_height, most_width) = size, outer
    # To the nearest pixel, at least one; of the two sides, one is exactly the frame's.
    inner = (
        smaller(most_height, (height * most_width + width // 2) // width),
        smaller(most_width, (width * most_height + height // 2) // height),
    )
    corner = (most_height - inner[0]) // 2, (most_width - inner[1]) // 2
    return inner, corner
