"""A photograph in which a network sees more and more of what it knows.

Shows: a run whose result is a picture, octaves as epochs.

The layers, sizes and steps of Keras's and TensorFlow's examples, after Mordvintsev and others,
2015: InceptionV3, up the sum of the means of mixed3 and mixed5, gradients divided by their standard
deviation, 100 steps of 0.01 (of values from -1 to 1, so 1.275 grey levels) in each of five sizes,
1.3 times as large from one to the next.

    tfpipe run pipelines/deep_dream.py data.content=sky.jpg
    tfpipe run pipelines/deep_dream.py::DeepDreamOwn data.content=sky.jpg \\
        model.network=RUN/checkpoints/best.keras
    tfpipe run pipelines/deep_dream.py --sample
"""

from tfpipe import Pipeline, keras, models
from tfpipe.data import Pictures


class DeepDream(Pipeline):
    """InceptionV3."""

    data = Pictures("data/content.jpg")
    model = models.DeepDream("InceptionV3", ("mixed3", "mixed5"), octaves=5, factor=1.3)
    optimizer = keras.optimizers.SGD(0.01 * 127.5)
    batch_size = 1
    steps_per_epoch = 100
    epochs = 5


class DeepDreamOwn(DeepDream):
    """A VGG-11 that was trained here; see pipelines/tiny_imagenet_vgg.py."""

    model = models.DeepDream(
        "runs/tiny_imagenet_vgg/best.keras", ("activation_3", "activation_5"), weights=None
    )
