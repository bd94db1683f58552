"""InceptionV3 on Tiny ImageNet: every layer of a pretrained network trained further.

Shows: Tiny ImageNet's own layout, small pictures enlarged batch by batch, a learning rate that
falls in steps.

| what           | here                                                                         |
| -------------- | ---------------------------------------------------------------------------- |
| images         | 200 classes of 500 to train on and 50 for validation, all of 64x64            |
| training       | a random part resized to 299x299, mirrored                                    |
| validation     | resized to 342x342, of which the middle 299x299                               |
| network        | InceptionV3 from its ImageNet weights, average pooling, dropout 0.5, Dense 200 |
| parameters     | 22,212,584, all trained but the statistics of batch normalisation, 34,432     |
| optimizer      | SGD 0.1, momentum 0.9, weight decay 1e-4; times 0.1 every 30 epochs           |
| length         | 90 epochs of 3,125 batches of 32                                              |

The published run prints no accuracy. Tiny ImageNet's test images come without their classes, so
there is no test split. The images are held at 64x64, 1.2 GB in all; at 342x342 they would take 35.

    tfpipe run pipelines/inception_tiny_imagenet.py data.path=tiny-imagenet-200
    tfpipe run pipelines/inception_tiny_imagenet.py --sample 64 epochs=1
"""

from tfpipe import Pipeline, keras
from tfpipe.data import ImageFolder, augment
from tfpipe.models import InceptionV3

STEPS = 3_125


class InceptionTinyImageNet(Pipeline):
    """InceptionV3, average pooling, dropout, Dense 200."""

    data = ImageFolder(
        "data/tiny-imagenet-200",
        size=(299, 299),
        resize=(342, 342),
        kept=(64, 64),
        channels=3,
        validation="val",
        test=None,
        classes=200,
        names="words.txt",
    )
    augment = (augment.random_resized_crop(), augment.flip())
    model = InceptionV3(dropout=0.5, trainable=True, batch_norm="trained")
    optimizer = keras.optimizers.SGD(
        learning_rate=keras.optimizers.schedules.ExponentialDecay(
            0.1, decay_steps=30 * STEPS, decay_rate=0.1, staircase=True
        ),
        momentum=0.9,
        weight_decay=1e-4,
    )
    batch_size = 32
    epochs = 90
