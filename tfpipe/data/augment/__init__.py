"""Augmentations: random changes of training images, drawn per sample from the declared seed.

    augment = (augment.flip(), augment.rotate(15), augment.shift(0.1))

They are applied in the order of the declaration, to whole batches, on the training split only.
Neighbouring geometric ones are composed into one transformation, so an image is resampled once.
Pixels are 0 to 255. The numbers for a sample depend on the seed and its place in training alone, so
the same declaration makes the same images on one worker or several, straight or resumed.

Where the source declares a `resize`, the model sees the centre of each picture. In training an
augmentation such as `random_resized_crop` draws its part from the whole picture instead; without
one, they change the centre, and what they move into it comes from the picture around it.
"""

from tfpipe.data.augment.colours import brightness, contrast, hue, invert, saturation
from tfpipe.data.augment.geometry import (
    flip,
    quarter_turn,
    random_resized_crop,
    rotate,
    shift,
    zoom,
)
from tfpipe.data.augment.patches import crop, cutout

__all__ = [
    "brightness",
    "contrast",
    "crop",
    "cutout",
    "flip",
    "hue",
    "invert",
    "quarter_turn",
    "random_resized_crop",
    "rotate",
    "saturation",
    "shift",
    "zoom",
]
