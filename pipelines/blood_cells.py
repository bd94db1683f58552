"""Blood cells: an SSD on 205 photographs of the BCCD set, from scratch and on a trained backbone.

The set is github.com/Shenggan/BCCD_Dataset, under the MIT licence, in the form of Pascal VOC: three
classes, lists of 205, 87 and 72 images. Red cells are many and overlap; platelets are small.
"""

from tfpipe import Pipeline, hp, keras
from tfpipe.data import VOC, augment
from tfpipe.models import SSD

EPOCHS, STEPS = 40, 13


class BloodCells(Pipeline):
    """From scratch. Two broken boxes are left out; the anchors are as large as the cells."""

    data = VOC(
        "bccd",
        size=(256, 256),
        validation="val",
        test="test",
        classes=("Platelets", "RBC", "WBC"),
        on_bad="skip",
    )
    augment = (
        augment.flip(vertical=True),
        augment.zoom(0.2),
        augment.shift(0.1),
        augment.brightness(0.1),
        augment.saturation(0.7, 1.4),
    )
    model = SSD(
        sizes=((0.08, 0.18), (0.24, 0.32), (0.42, 0.52), (0.65, 0.75), (0.88, 0.96)),
        ratios=(0.8, 1.2),
        class_loss="hard_negatives",
        box_loss="smooth_l1",
        overlap=0.45,
    )
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            hp.Float(2e-3, min=1e-4, max=1e-2, log=True), EPOCHS * STEPS
        )
    )
    batch_size = 16
    epochs = EPOCHS


class BloodCellsPretrained(BloodCells):
    """On the blocks of `tiny_imagenet_vgg.py::TinyImageNetBlocks`, which have seen photographs."""

    model = BloodCells.model.replace(
        backbone="tiny_imagenet_blocks.keras", taps=2, blocks=(128, 128)
    )
