"""The chain of augmentations over a batch: what each draws, and when pixels are made anew."""

from typing import NamedTuple

import tensorflow as tf

from tfpipe.data.augment.base import Geometric, Pixelwise
from tfpipe.data.augment.matrices import stretch
from tfpipe.data.images.decoding import seen
from tfpipe.data.images.sizes import centre
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature

# Numbers of float32 in [0, 1) that have an exact 1 - u below 1.
_STEPS = 2**24


class Rows(NamedTuple):
    """Which rows of a split the images of a batch are.

    Args:
        numbers: [batch] int64, the same for the same image in every pass.
        size: how many samples a pass over the split has.
    """

    numbers: tf.Tensor
    size: int


def check_all(augmentations: tuple[Augmentation, ...], image: Feature) -> None:
    """Refuse augmentations that images do not fit; raise ConfigError."""
    draws = _draw_their_part(augmentations)
    size = image.stored_shape if any(draws) else image.shape
    for augmentation, drawn in zip(augmentations, draws, strict=True):
        if isinstance(augmentation, (Geometric, Pixelwise)):
            augmentation.check(Feature(image.name, size, image.dtype, image.kind))
        size = image.shape if drawn else size


def apply_all(
    augmentations: tuple[Augmentation, ...],
    images: tf.Tensor,
    start: tf.Tensor,
    seed: tf.Tensor,
    feature: Feature | None = None,
    stored: Rows | None = None,
) -> tf.Tensor:
    """Return a batch of images with every augmentation applied.

    Args:
        augmentations: in order of application.
        images: [batch, height, width, channels], values 0 to 255, as the source holds them.
        start: how many samples came before this batch since training began.
        seed: two int64, of which the first is the pipeline's seed.
        feature: what the model gets of them; None where that is what they are.
        stored: which rows they are; None where each sample is another one.
    """
    return _applied(augmentations, images, start, seed, feature, stored).settled()


def apply_with_boxes(
    augmentations: tuple[Augmentation, ...],
    images: tf.Tensor,
    boxes: tf.Tensor,
    start: tf.Tensor,
    seed: tf.Tensor,
    feature: Feature,
    stored: Rows,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a batch of images with every augmentation applied, and where their boxes are then.

    A box whose centre is moved out of the image is left out; of the others what is in the image
    stays. Of a turned box it is what contains its corners. Where a change of colours stands between
    moves, or another fill, what the first ones move out of the image does not come back.

    Args:
        augmentations: in order of application.
        images: [batch, height, width, channels], values 0 to 255, as the source holds them.
        boxes: [batch, boxes, 6]: corners from 0 to 1, class, whether it is ignored.
        start: as for `apply_all`.
        seed: as for `apply_all`.
        feature: what the model gets of the images.
        stored: which rows they are.
    """
    canvas = _applied(augmentations, images, start, seed, feature, stored)
    changed = canvas.settled()
    for moves, old, new in canvas.made:
        boxes = moved_boxes(boxes, moves, old, new)
    return changed, boxes


def _applied(
    augmentations: tuple[Augmentation, ...],
    images: tf.Tensor,
    start: tf.Tensor,
    seed: tf.Tensor,
    feature: Feature | None,
    stored: Rows | None,
) -> "_Canvas":
    """Return images with every augmentation, of which the last moves are still to be made."""
    needed = sum(a.draws_needed for a in augmentations)
    draws = uniform(start, tf.shape(images)[0], needed, seed)
    canvas = _canvas(augmentations, images, feature)
    used = 0
    for augmentation in augmentations:
        own = draws[:, used : used + augmentation.draws_needed]
        used += augmentation.draws_needed
        if augmentation.alternates:
            own = _alternating(start, tf.shape(images)[0], augmentation.draws_needed, seed, stored)
        if isinstance(augmentation, Geometric):
            canvas.move(augmentation.matrices(own, *canvas.size), augmentation.fill)
            if augmentation.draws_its_part and feature is not None:
                canvas.stretch(feature.shape[:2])
        else:
            assert isinstance(augmentation, Pixelwise)
            canvas.images = augmentation.apply(canvas.settled(), own)
    return canvas


class _Canvas:
    """Images, and how they are still to be moved.

    Args:
        images: [batch, height, width, channels].

    Attributes:
        made: moves that were carried out at once, and (height, width) before and after them: what
            they brought out of the image is lost to those that follow.
    """

    def __init__(self, images: tf.Tensor) -> None:
        self.images = tf.cast(images, tf.float32)
        self.made: list[tuple[list[tf.Tensor], tuple[int, ...], tuple[int, ...]]] = []
        self._shape = tuple(images.shape[1:3])
        self._moves: list[tf.Tensor] = []
        self._fill: str | None = None

    @property
    def size(self) -> tuple[float, float]:
        """The height and width that the images will have."""
        return float(self._shape[0]), float(self._shape[1])

    def move(self, matrices: tf.Tensor, fill: str | None = None) -> None:
        """Note a move; the ones before are carried out where they fill what lies outside else."""
        if fill is not None and self._fill not in (None, fill):
            self.settled()
        self._fill = fill or self._fill
        self._moves.append(matrices)

    def stretch(self, shape: tuple[int, ...]) -> None:
        """Note that the images are to be stretched to another (height, width)."""
        if shape != self._shape:
            self.show(shape, self.size, (0.0, 0.0))

    def show(
        self, shape: tuple[int, ...], part: tuple[float, ...], corner: tuple[float, ...]
    ) -> None:
        """Note that only a part is shown, as large as `shape`; see `matrices.stretch`."""
        self._moves.append(stretch(part, shape, corner))
        self._shape = shape

    def settled(self) -> tf.Tensor:
        """Carry out all moves at once, in the order they were noted; return the images."""
        if not self._moves:
            return self.images
        self.made.append((self._moves, tuple(self.images.shape[1:3]), self._shape))
        combined = _combined(self._moves)
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=self.images,
            transforms=tf.reshape(combined, [-1, 9])[:, :8],
            output_shape=self._shape,
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode=(self._fill or "nearest").upper(),
        )
        self.images = tf.ensure_shape(moved, [None, *self._shape, self.images.shape[3]])
        self._moves, self._fill = [], None
        return self.images


def _combined(moves: list[tf.Tensor]) -> tf.Tensor:
    combined = moves[0]
    for matrix in moves[1:]:
        combined = tf.matmul(combined, matrix)
    return combined


def moved_boxes(
    boxes: tf.Tensor, moves: list[tf.Tensor], old: tuple[int, ...], new: tuple[int, ...]
) -> tf.Tensor:
    """Return boxes where moves of the image that are carried out at once have brought them.

    Args:
        boxes: [batch, boxes, 6]: corners from 0 to 1, class, whether it is ignored.
        moves: 3x3 matrices from places in the new image to places in the old, in pixels; at least
            one.
        old: (height, width) of the image before.
        new: (height, width) of the image now.
    """
    # From shares of the old image to its pixels, which are places at their centres, half a pixel
    # from their edges; to those of the new one; and back to shares. One matrix, as TensorFlow joins
    # sums and products of constants otherwise in one graph than in another.
    before = tf.constant([[old[1], 0, -0.5], [0, old[0], -0.5], [0, 0, 1]], tf.float32)
    after = tf.constant(
        [[1 / new[1], 0, 0.5 / new[1]], [0, 1 / new[0], 0.5 / new[0]], [0, 0, 1]], tf.float32
    )
    there = tf.linalg.inv(_combined(moves))
    there = tf.einsum("ij,bjk,kl->bil", after, there, before)[:, tf.newaxis]
    x1, y1, x2, y2 = tf.unstack(boxes[..., :4], axis=-1)
    corners = tf.stack([x1, y1, x2, y1, x1, y2, x2, y2], axis=-1)
    corners = tf.reshape(corners, [tf.shape(boxes)[0], -1, 4, 2])
    places = tf.concat([corners, tf.ones_like(corners[..., :1])], axis=-1)
    moved = tf.matmul(places, there, transpose_b=True)[..., :2]
    low, high = tf.reduce_min(moved, axis=2), tf.reduce_max(moved, axis=2)
    middle = (low + high) / 2
    low, high = tf.clip_by_value(low, 0.0, 1.0), tf.clip_by_value(high, 0.0, 1.0)
    seen = tf.reduce_all((middle >= 0) & (middle <= 1) & (high > low), axis=-1)
    there_still = (seen & (boxes[..., 4] >= 0))[..., tf.newaxis]
    nothing = tf.constant([0, 0, 0, 0, -1, 0], boxes.dtype)
    return tf.where(there_still, tf.concat([low, high, boxes[..., 4:]], axis=-1), nothing)


def _canvas(
    augmentations: tuple[Augmentation, ...], images: tf.Tensor, feature: Feature | None
) -> _Canvas:
    """Return the images to begin with: whole where a part is drawn of them, else their centre."""
    if feature is None or feature.resize is None or any(_draw_their_part(augmentations)):
        return _Canvas(images)
    stored, (whole, corner) = feature.stored_shape[:2], centre(feature)
    if whole == stored and not isinstance(augmentations[0], Geometric):
        return _Canvas(seen(images, feature))  # nothing is moved into it, so it is just cut out
    canvas = _Canvas(images)
    # In the pixels of what is held, of which `whole` is an enlargement.
    scale = tuple(h / w for h, w in zip(stored, whole, strict=True))
    part = tuple(s * length for s, length in zip(scale, feature.shape, strict=False))
    canvas.show(feature.shape[:2], part, tuple(s * c for s, c in zip(scale, corner, strict=True)))
    return canvas


def _draw_their_part(augmentations: tuple[Augmentation, ...]) -> list[bool]:
    return [isinstance(a, Geometric) and a.draws_its_part for a in augmentations]


def uniform(start: tf.Tensor, rows: tf.Tensor, columns: int, seed: tf.Tensor) -> tf.Tensor:
    """[rows, columns] uniform numbers, of which row i depends on the seed and start + i alone.

    The counter-based generator Philox gives four numbers a count, so a row of a multiple of four
    starts at a count of its own and a batch can begin anywhere.
    """
    width = -(-columns // 4) * 4
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    skipped = tf.cast(start * (width // 4), tf.uint64)
    counter = tf.stack([counter[0] + skipped, counter[1]])
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=[rows, width], key=key, counter=counter, alg=1, dtype=tf.float32
    )


def _alternating(
    start: tf.Tensor, count: tf.Tensor, columns: int, seed: tf.Tensor, stored: Rows | None
) -> tf.Tensor:
    """[count, columns] numbers u that depend on the seed and the row, and 1 - u in odd passes."""
    places = start + tf.range(tf.cast(count, tf.int64), dtype=tf.int64)
    rows, size = (places, 2**62) if stored is None else stored
    odd = (places // size % 2 == 1)[:, None]
    shuffled = [
        tf.raw_ops.RandomIndexShuffle(
            index=rows % _STEPS,
            seed=tf.stack([*tf.unstack(tf.cast(seed, tf.int64)), column]),
            max_index=tf.constant(_STEPS - 1, tf.int64),
            rounds=16,  # after TensorFlow's own four, neighbouring rows are still alike
        )
        for column in range(columns)
    ]
    u = tf.stack(shuffled, axis=1)
    return tf.cast(tf.where(odd, _STEPS - 1 - u, u), tf.float32) / _STEPS
