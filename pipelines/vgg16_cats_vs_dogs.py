"""VGG16 on cats and dogs: a pretrained network whose features are used as they are.

Shows: a pretrained network with a head of one's own, a frozen base.

| what                | here                                                                    |
| ------------------- | ----------------------------------------------------------------------- |
| images              | 23,262 of TensorFlow Datasets' cats_vs_dogs, resized to 160x160          |
| splits              | 80% to train on, 10% for validation, 10% for the test                    |
| base                | VGG16 without its head, ImageNet weights, frozen: 14,714,688 parameters  |
| head                | average pooling, Dense 256, Dense 1                                      |
| parameters          | 14,846,273, of which 131,585 are trained                                 |
| optimizer           | Adam, batches of 32, 500 steps: five epochs of 100                       |
| published accuracy  | 0.934, measured on training images                                       |

The published run fed images that were scaled as for another network. Here VGG16 gets what it was
trained on, blue, green and red less their means, inside the model; and the accuracy is measured on
images that it was not trained on.

    tfpipe run pipelines/vgg16_cats_vs_dogs.py
    tfpipe run pipelines/vgg16_cats_vs_dogs.py --sample 64 steps_per_epoch=1 epochs=1
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS
from tfpipe.models import VGG16


class VGG16CatsVsDogs(Pipeline):
    """VGG16, average pooling, Dense 256, Dense 1."""

    data = TFDS(
        "cats_vs_dogs",
        train="train[:80%]",
        validation="train[80%:90%]",
        test="train[90%:]",
        size=(160, 160),
    )
    model = VGG16(head=(256,))
    optimizer = keras.optimizers.Adam()
    batch_size = 32
    steps_per_epoch = 100
    epochs = 5
