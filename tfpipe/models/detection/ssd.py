"""SSD: a detector that asks each of many anchors what is there, in one pass."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from tfpipe.declare.field_types import Fraction, NonNegative, Positive, PositiveFloat
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.inputs import image_feature

if TYPE_CHECKING:
    import keras

Sizes = tuple[tuple[PositiveFloat, ...], ...]


class SSD(ModelBuilder):
    """A network whose maps, from fine to coarse, each say of anchors what is there and where.

    Liu and others, 2016, arXiv:1512.02325; the small form that is the default is that of Zhang and
    others, Dive into Deep Learning, 2023, chapter 14.7: 5,444 anchors on images of 256x256.

    The maps are the last `taps` of the backbone, one of each further block, each half as large, and
    the maximum of the last one, a map of one place. On each, two convolutions of 3x3 give the
    classes and the boxes of its anchors.

    Args:
        backbone: None for blocks of two convolutions, batch normalisation, ReLU and a pool, of
            `filters`; else another builder, such as Application("MobileNetV2"), whose head is left
            out; or a file of Keras, such as RUN/checkpoints/best.keras, of a network trained
            before.
        filters: of the blocks that halve the image, where there is no other backbone.
        taps: how many maps of the backbone are asked, the coarsest ones.
        blocks: the filters of each further block.
        sizes: of each map, the sizes of its anchors, as shares of the image's height.
        ratios: of widths to heights; each map has its sizes with the first, and its first size with
            the others.
        class_loss: "crossentropy" of all anchors, "focal", or that of "hard_negatives".
        box_loss: "l1" or "smooth_l1".
        least: the intersection over union with an object by which an anchor has to find it.
        score: the score that a box has to have to be found.
        overlap: of boxes of a class with a larger intersection over union, one is left out.
        most: how many boxes are found in an image.
        l2: the strength of the penalty on the kernels of all convolutions beside the backbone's.

    Raises:
        ConfigError: for sizes of another number of maps.
        ModelError: for images that are too small, or labels that are no boxes.

    Example:
        >>> SSD(filters=(8, 16, 32), blocks=(32, 32, 32))
        SSD(filters=(8, 16, 32), blocks=(32, 32, 32))
    """

    backbone: ModelBuilder | str | None = None
    filters: tuple[Positive, ...] = (16, 32, 64)
    taps: Positive = 1
    blocks: tuple[Positive, ...] = (128, 128, 128)
    sizes: Sizes = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))
    ratios: tuple[PositiveFloat, ...] = (1.0, 2.0, 0.5)
    class_loss: Literal["crossentropy", "focal", "hard_negatives"] = "crossentropy"
    box_loss: Literal["l1", "smooth_l1"] = "l1"
    least: Fraction = 0.5
    score: Fraction = 0.01
    overlap: Fraction = 0.5
    most: Positive = 100
    l2: NonNegative = 0.0
    contract: ClassVar[str] = (
        "images of bytes with boxes; scaled from 0..255 to 0..1 inside the model, or as the "
        "backbone expects"
    )
    finds_boxes: ClassVar[bool] = True

    def validate(self) -> None:
        """Refuse sizes for another number of maps, and a backbone that is none."""
        wanted = self._taps + len(self.blocks) + 1
        if isinstance(self.sizes, tuple) and len(self.sizes) != wanted:
            raise ConfigError(
                f"SSD.sizes has {len(self.sizes)} maps, and there are {wanted}: {self._taps} of "
                f"the backbone, {len(self.blocks)} of blocks, and one of the whole image. Give as "
                "many."
            )
        if not self.ratios:
            raise ConfigError("SSD.ratios is empty: give at least one, such as (1.0,).")
        if self.backbone is not None and not self._is_default("filters"):
            raise ConfigError(
                "SSD.filters are of its own blocks, which a backbone takes the place of. Leave one "
                "of them out."
            )
        if self.backbone is None and len(self.filters) < self._taps:
            raise ConfigError(
                f"SSD.taps={self._taps} maps are wanted of {len(self.filters)} blocks. Use fewer."
            )

    @property
    def _taps(self) -> int:
        return int(getattr(self.taps, "value", self.taps))

    def check(self, spec: ElementSpec) -> None:
        feature = image_feature(spec, "SSD")
        if not spec.finds_boxes:
            raise ModelError(
                f"SSD finds boxes, and the labels are of kind {spec.label.kind!r}. Use VOC, COCO "
                "or another source of boxes, or a classifier."
            )
        halved = (len(self.filters) if self.backbone is None else 3) + len(self.blocks)
        if min(feature.shape[:2]) < 2**halved:
            raise ModelError(
                f"SSD halves the image {halved} times, and {feature.name!r} has "
                f"{feature.shape[0]}x{feature.shape[1]} pixels. Use fewer blocks, or data.size of "
                f"at least {2**halved}."
            )
        if isinstance(self.backbone, ModelBuilder):
            self.backbone.check(spec)

    def fetch(self) -> None:
        if isinstance(self.backbone, ModelBuilder):
            self.backbone.fetch()

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.boxes.heads import AnchorHead

        self.check(spec)
        feature = spec.feature
        inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
        maps = self._maps(inputs, spec)
        numbers, grids = [], []
        for x, sizes in zip(maps, self.sizes, strict=True):
            each = len(sizes) + len(self.ratios) - 1
            grids.append((int(x.shape[1]), int(x.shape[2])))
            parts = [self._asked(x, each, width) for width in (4, len(spec.classes) + 1)]
            numbers.append(keras.layers.Concatenate(dtype="float32")(parts))
        joined = keras.layers.Concatenate(axis=1, dtype="float32")(numbers)
        head = AnchorHead(
            grids,
            self.sizes,
            self.ratios,
            (feature.shape[0], feature.shape[1]),
            self.least,
            self.class_loss,
            self.box_loss,
            score=self.score,
            overlap=self.overlap,
            most=self.most,
        )
        return keras.Model(inputs, head(joined), name="ssd")

    def _maps(self, inputs: Any, spec: ElementSpec) -> list[Any]:
        """Return the maps that are asked, from fine to coarse."""
        import keras

        if self.backbone is None:
            x, maps = keras.layers.Rescaling(1 / 255)(inputs), []
            for filters in self.filters:
                x = self._block(x, filters)
                maps.append(x)
            maps = maps[-self._taps :]
        else:
            from tfpipe.models.detection.backbone import backbone_maps

            maps = backbone_maps(self.backbone, spec, self._taps, inputs)
            x = maps[-1]
        for filters in self.blocks:
            x = self._block(x, filters)
            maps.append(x)
        return [*maps, keras.layers.GlobalMaxPooling2D(keepdims=True)(x)]

    def _block(self, x: Any, filters: int) -> Any:
        """Return a map half as large."""
        import keras

        for _ in range(2):
            x = keras.layers.Conv2D(filters, 3, padding="same", kernel_regularizer=self._l2())(x)
            x = keras.layers.BatchNormalization()(x)
            x = keras.layers.ReLU()(x)
        return keras.layers.MaxPooling2D()(x)

    def _asked(self, x: Any, each: int, width: int) -> Any:
        """Return some numbers of each anchor of a map, [batch, anchors, width]."""
        import keras

        asked = keras.layers.Conv2D(each * width, 3, padding="same", kernel_regularizer=self._l2())
        return keras.layers.Reshape((-1, width), dtype="float32")(asked(x))

    def _l2(self) -> Any:
        from tfpipe.models.layers import l2

        return l2(self.l2)

    def offline(self) -> tuple[Self, str]:
        if isinstance(self.backbone, ModelBuilder):
            backbone, note = self.backbone.offline()
            return self.replace(backbone=backbone), note
        if isinstance(self.backbone, str) and not Path(self.backbone).expanduser().is_file():
            from tfpipe.models.cnn.vgg import VGG

            blocks = ((2, 16), (2, 32), (2, 64), (2, 128))
            return self.replace(backbone=VGG(blocks, units=(), normalization="batch")), (
                f"Four blocks with random weights stood in for {self.backbone}, which is not there."
            )
        return self, ""

    @classmethod
    def example(cls) -> Self:
        return cls(filters=(8, 8, 16), blocks=(16, 16), sizes=cls._defaults["sizes"][1:])
