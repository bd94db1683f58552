"""A photograph in the style of a painting: an image is optimised, and no weights.

Shows: a run whose result is a picture, L-BFGS, features of any network, the loss in its parts.

After Gatys and others, 2015, arXiv:1508.06576; layers, sums and weights are those of Keras's
example:

| what        | here                                                                  |
| ----------- | --------------------------------------------------------------------- |
| picture     | begins as the content, 400 pixels high                                |
| features    | VGG16 without its top                                                 |
| content     | 0.025 times the squared differences at block5_conv2                   |
| style       | 10 times those of the Gram matrices at block1_conv1 to block5_conv1   |
| variation   | 1e-4 times that of neighbouring pixels                                |
| optimizer   | L-BFGS, 20 evaluations in each of 50 steps                            |

Published is a loss that falls from 1.34e12 to 9.29e8. StyleTransferAdam is the other common recipe:
VGG19, Adam, 500 steps. Each run writes picture.png, and the picture after each epoch.

    tfpipe run pipelines/style_transfer.py data.content=paris.jpg data.style=starry_night.jpg
    tfpipe run pipelines/style_transfer.py --sample epochs=2

Without weights of ImageNet a network of one's own serves, such as pipelines/tiny_imagenet_vgg.py:

    tfpipe run pipelines/style_transfer.py::StyleTransferOwn data.content=paris.jpg \\
        data.style=starry_night.jpg model.network=RUN/checkpoints/best.keras
"""

from tfpipe import Pipeline, deferred, keras, models
from tfpipe.data import Pictures

optimizers = deferred("tfpipe.optimizers")


class StyleTransfer(Pipeline):
    """VGG16 and L-BFGS."""

    data = Pictures("data/content.jpg", style="data/style.jpg", height=400)
    model = models.StyleTransfer()
    optimizer = optimizers.LBFGS(evaluations=20)
    batch_size = 1
    steps_per_epoch = 1
    epochs = 50


class StyleTransferAdam(StyleTransfer):
    """VGG19 and Adam, whose rate is times 0.8 every 50 steps."""

    data = Pictures("data/content.jpg", style="data/style.jpg", height=300)
    model = models.StyleTransfer(
        "VGG19",
        content=("block4_conv4",),
        style=("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"),
    )
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(
            0.3 * 255, decay_steps=50, decay_rate=0.8, staircase=True
        )
    )
    steps_per_epoch = 50
    epochs = 10


class StyleTransferOwn(StyleTransfer):
    """A VGG-11 that was trained here, whose answers are about 1, where VGG16's are hundreds."""

    model = models.StyleTransfer(
        "runs/tiny_imagenet_vgg/best.keras",
        content=("activation_7",),
        style=("activation", "activation_1", "activation_2", "activation_4", "activation_6"),
        weights=None,
        content_weight=2e-3,
        style_weight=1e4,
        variation_weight=2e-8,
    )
