"""ImageToImage: an image for an image, such as one of more pixels, in colour, without noise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, keras
from tfpipe.declare.spec import Label
from tfpipe.tasks.keras_objects import Expects
from tfpipe.tasks.task import Named, Task

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from keras.metrics import Metric

    from tfpipe.tasks.keras_objects import Translator


class ImageToImage(Task):
    """An image that a model makes of another; its outputs are values from 0 to 255.

    Where a network without padding answers for the inside of an image alone, losses and metrics
    compare that.
    """

    name = "images"
    has_accuracy = False
    reads_logits = False
    output = "image"
    judged_as = "image"

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "image"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "image"

    @classmethod
    def describe(cls, label: Label) -> str:
        return "images"

    @property
    def units(self) -> int:
        return self.label.shape[-1]

    @property
    def border(self) -> int:
        """Pixels of each side that the literature leaves out: as many as the scale."""
        return self.label.scale if self.label.scale > 1 else 0

    @property
    def loss(self) -> Deferred:
        loss: Deferred = keras.losses.MeanAbsoluteError()
        return loss

    @property
    def metrics(self) -> "tuple[Metric, ...]":
        from tfpipe.tasks.metrics.psnr import PSNR
        from tfpipe.tasks.metrics.ssim import SSIM

        border, colours = self.border, self.label.colours
        return PSNR(border=border, colours=colours), SSIM(border=border, colours=colours)

    def translator(self, expects: Expects) -> "Translator":
        from tfpipe.tasks.metrics.pixels import aligned

        return aligned

    def answers(self, outputs: Any) -> "tf.Tensor":
        """Images of bytes."""
        import tensorflow as tf

        from tfpipe.tasks.metrics.pixels import in_bytes

        return tf.cast(in_bytes(outputs), tf.uint8)

    def kept(self, answers: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
        """Of each image PSNR, SSIM, MS-SSIM and the mean absolute error, [rows, 4]."""
        import tensorflow as tf

        from tfpipe.tasks.metrics.pixels import aligned
        from tfpipe.tasks.metrics.psnr import psnr
        from tfpipe.tasks.metrics.ssim import ms_ssim, ssim

        how = self.border, self.label.colours
        likeness = [measure(labels, answers, *how) for measure in (psnr, ssim, ms_ssim)]
        truth, answer = aligned(labels, answers)
        return tf.stack([*likeness, tf.reduce_mean(tf.abs(truth - answer), [1, 2, 3])], axis=-1)

    def kept_labels(self, labels: "np.ndarray") -> "np.ndarray":
        """Nothing: what is true is as large as the data."""
        import numpy as np

        return np.zeros((len(labels), 0), np.float32)

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        return answers[:, -1]

    def bars(self, answer: Sequence[float]) -> Named:
        return ()

    def caption(self, answer: Sequence[float], label: "np.ndarray | int | float") -> str:
        psnr, ssim, *_ = map(float, answer)
        return f"PSNR {psnr:.2f} dB, SSIM {ssim:.3f}"

    def named(self, answer: Sequence[Any], top: int = 5) -> Named:
        """Nothing: an image has no name."""
        return ()
