"""YOLOv3: a detector of three grids on Darknet-53, with Darknet's weights or to be fine-tuned."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tfpipe.declare.field_types import Fraction, Positive, PositiveFloat
from tfpipe.declare.fine_tune import BatchNorm
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.models.detection.darknet import ANCHORS, BESIDE, HALVED, convolutions, network
from tfpipe.models.detection.darknet_weights import COCO, DarknetFile, load, opened
from tfpipe.models.inputs import image_feature, raw_input

if TYPE_CHECKING:
    import keras

logger = logging.getLogger("tfpipe.models")

_STEP = 2**HALVED  # what height and width are multiples of
_STAND_IN = 0.125  # the width of what stands in for the network on generated data
_PRIOR = -4.595  # the logit of 0.01, of objectness at first; Lin and others, 2017, section 4.1


class YOLOv3(ModelBuilder):
    """Darknet-53, and on three grids, of 1/32, 1/16 and 1/8 of the image, three anchors a cell.

    Redmon and Farhadi, 2018, arXiv:1804.02767. For 80 classes it has 62,001,757 weights, 52,608 of
    them statistics of batch normalisation; other numbers of classes change the three output
    convolutions alone. On images of 416x416 it has 10,647 anchors.

    All but the output convolutions, conv_58, conv_66 and conv_74, are one nested model,
    `tfpipe.models.base.base_of(model)`, which `FineTune` freezes and unfreezes: its convolutions
    are named conv_0 to conv_73 in Darknet's order, the backbone ends with conv_51.

    Args:
        weights: the path of a weight file of Darknet, such as yolov3.weights; None for random
            weights. A file of COCO's 80 classes serves data with another number of them too: then
            the output convolutions begin at random, and are to be trained.
        width: the factor on the filters, for a smaller network of the same form.
        trainable: whether all of the network is trained, and not the output convolutions alone. The
            phases of `FineTune` decide it instead where they are declared.
        batch_norm: what becomes of batch normalisation in a trained network: "inference" keeps its
            statistics and trains its scale and offset, "frozen" keeps all of it, "trained" trains
            it as any. "auto" is "inference" with weights of a file, else "trained".
        least: the intersection over union with an object above which an anchor that is not to find
            it is not told that nothing is there.
        score: the score that a box has to have to be found.
        overlap: of boxes of a class with a larger intersection over union, one is left out.
        most: how many boxes are found in an image.

    Raises:
        ModelError: for images whose sides are no multiples of 32, labels that are no boxes, or a
            file that is missing, too short, too long, or of other classes.

    Example:
        >>> YOLOv3("yolov3.weights", score=0.5)
        YOLOv3('yolov3.weights', score=0.5)
    """

    weights: str | None = None
    width: PositiveFloat = 1.0
    trainable: bool = False
    batch_norm: BatchNorm | Literal["auto"] = "auto"
    least: Fraction = 0.5
    score: Fraction = 0.65
    overlap: Fraction = 0.5
    most: Positive = 100
    contract: ClassVar[str] = (
        "colour images of bytes with boxes, sides multiples of 32, letterboxed where weights are "
        "Darknet's; scaled from 0..255 to 0..1 inside the model"
    )
    finds_boxes: ClassVar[bool] = True

    def fetch(self) -> None:
        if self.weights is not None and not Path(self.weights).expanduser().is_file():
            opened(self.weights, COCO)

    def check(self, spec: ElementSpec) -> None:
        feature = image_feature(spec, "YOLOv3")
        if not spec.finds_boxes:
            raise ModelError(
                f"YOLOv3 finds boxes, and the labels are of kind {spec.label.kind!r}. Use VOC, "
                "COCO or another source of boxes, or a classifier."
            )
        if feature.shape[2] != 3:
            raise ModelError(
                f"YOLOv3 reads images of 3 channels; {feature.name!r} has {feature.shape[2]}."
            )
        size = feature.shape[:2]
        if any(side % _STEP or not side for side in size):
            near = tuple(max(1, (side + _STEP // 2) // _STEP) * _STEP for side in size)
            raise ModelError(
                f"YOLOv3 reads images whose sides are multiples of {_STEP}; those of "
                f"{feature.name!r} are {size[0]}x{size[1]}. The nearest is data.size={near}; it "
                "was trained on (416, 416)."
            )
        self._file(spec)

    def is_trained(self, spec: ElementSpec) -> bool | None:
        file = self._file(spec)
        return file is not None and file.classes == len(spec.classes)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.boxes.yolo_head import YOLOHead
        from tfpipe.models.base import unfreeze

        self.check(spec)
        table = convolutions(len(spec.classes), self.width)
        base = network(spec.feature.shape, table)
        inputs, x = raw_input(spec.feature)
        maps, numbers = base(x), []
        for row, grid in zip((r for r in table if not r.normalised), maps, strict=True):
            convolution = keras.layers.Conv2D(row.filters, 1, name=row.name, dtype="float32")
            anchors = keras.layers.Reshape((-1, BESIDE + len(spec.classes)), dtype="float32")
            numbers.append(anchors(convolution(grid)))
            bias = convolution.bias.numpy().reshape(len(ANCHORS[0]), -1)
            bias[:, BESIDE - 1] = _PRIOR
            convolution.bias.assign(bias.ravel())
        joined = keras.layers.Concatenate(axis=1, dtype="float32")(numbers)
        head = YOLOHead(
            [tuple(grid.shape[1:3]) for grid in maps],
            ANCHORS,
            spec.feature.shape[:2],
            self.least,
            score=self.score,
            overlap=self.overlap,
            most=self.most,
        )
        model = keras.Model(inputs, head(joined), name="yolov3")
        self._load(model, spec)
        usual: BatchNorm = "trained" if self.weights is None else "inference"
        batch_norm = usual if self.batch_norm == "auto" else self.batch_norm
        unfreeze(base, "all" if self.trainable else None, batch_norm)
        return model

    def _file(self, spec: ElementSpec) -> DarknetFile | None:
        """Return what the weight file holds; raise ModelError where it does not fit."""
        if self.weights is None:
            return None
        return opened(self.weights, len(spec.classes), self.width)

    def _load(self, model: "keras.Model", spec: ElementSpec) -> None:
        """Load the weight file, and say what it leaves at random."""
        file, classes = self._file(spec), len(spec.classes)
        if file is None:
            return
        same = file.classes == classes
        load(model, file, outputs=same)
        if not same:
            logger.info(
                "%s is of %d classes, and the data has %d: the output convolutions of YOLOv3 begin "
                "at random, and are to be trained.",
                self.weights,
                file.classes,
                classes,
            )
        if not spec.feature.letterbox:
            logger.info(
                "YOLOv3's weights are of images that keep their proportions, and those of the data "
                "may be stretched. Declare data.fit='letterbox'."
            )

    def offline(self) -> tuple[Self, str]:
        if self.weights is None or Path(self.weights).expanduser().is_file():
            return self, ""
        return self.replace(weights=None, width=self.width * _STAND_IN), (
            f"A YOLOv3 of an eighth of the filters with random weights stood in for "
            f"{self.weights}, which is not there: what was learnt says nothing about the network."
        )

    @classmethod
    def example(cls) -> Self:
        return cls(width=0.0625, trainable=True)
