"""Raccoons: one class, 160 photographs to learn from and 40 to be tested on.

The set is github.com/datitran/raccoon_dataset, under the MIT licence, in the form of Pascal VOC; by
number, the last 40 of its 200 images are the test.
"""

from tfpipe import Pipeline, keras
from tfpipe.data import VOC, augment
from tfpipe.models import SSD

EPOCHS, STEPS = 40, 9


class Raccoon(Pipeline):
    """From scratch, which so few photographs of one animal in all poses are little for."""

    data = VOC(
        "raccoon", size=(256, 256), validation=16, test=40, classes=("raccoon",), on_bad="skip"
    )
    augment = (
        augment.flip(),
        augment.random_resized_crop(scale=(0.5, 1.0)),
        augment.zoom(0.4, direction="out"),
        augment.brightness(0.2),
        augment.saturation(0.6, 1.6),
    )
    model = SSD(
        sizes=((0.12, 0.18), (0.25, 0.35), (0.45, 0.55), (0.65, 0.75), (0.85, 0.95)),
        ratios=(0.8, 0.5, 1.4),
        class_loss="hard_negatives",
        box_loss="smooth_l1",
        overlap=0.45,
    )
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * STEPS))
    batch_size = 16
    epochs = EPOCHS


class RaccoonPretrained(Raccoon):
    """On the blocks of `tiny_imagenet_vgg.py::TinyImageNetBlocks`, which have seen photographs."""

    model = Raccoon.model.replace(backbone="tiny_imagenet_blocks.keras", taps=2, blocks=(128, 128))
