"""Three ways to use a ready-made network, compared on Fashion-MNIST.

Shows: a pretrained network from scratch, fine-tuned and frozen; weights of a run of one's own;
features computed once; the curves of several runs in one figure.

| class      | the network                             | learning rate | trained of 24,114,826 |
| ---------- | --------------------------------------- | ------------- | --------------------- |
| Scratch    | starts at random                        | 0.001         | all                   |
| FineTuned  | starts pretrained, all of it is trained | 0.0001        | all                   |
| Frozen     | stays as pretrained                     | 0.001         | the head, 527,114     |
| Pretrained | makes weights for the two, on CIFAR-10  | 0.001         | all                   |

Each has the same head: average pooling, Dense 256, Dense 10. The network is ResNet50 on 32x32
pixels; the published comparison has InceptionV3 on 75x75, ResNet50 and DenseNet121 on 32x32 and
VGG16 on 160x160, which model.name and model.size make of it. It divided grey images by 255 for
networks that expect something else, and validated on one batch. Here each gets what it expects,
inside the model, and all of the validation split counts.

With ImageNet's weights, which are downloaded:

    tfpipe run pipelines/fashion_three_ways.py::Scratch
    tfpipe run pipelines/fashion_three_ways.py::FineTuned
    tfpipe run pipelines/fashion_three_ways.py::Frozen
    tfpipe run pipelines/fashion_three_ways.py::Frozen model.name=VGG16 model.size=[160,160]
    tfpipe runs compare RUN RUN RUN --figure curves.png

With weights of one's own, where there is no network:

    tfpipe run pipelines/fashion_three_ways.py::Pretrained
    tfpipe run pipelines/fashion_three_ways.py::Frozen model.weights=RUN/checkpoints/best.keras
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS
from tfpipe.models import Application


class ThreeWays(Pipeline):
    """What they have in common."""

    data = TFDS(
        "fashion_mnist",
        validation=0.05,
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    )
    optimizer = keras.optimizers.Adam(learning_rate=0.001)
    batch_size = 128
    epochs = 5
    precision = "auto"


class Scratch(ThreeWays):
    """The network with random weights."""

    model = Application("ResNet50", weights=None, size=(32, 32), head=(256,), trainable=True)


class FineTuned(ThreeWays):
    """The pretrained network, of which everything is trained, batch normalisation too."""

    model = Application(
        "ResNet50", size=(32, 32), head=(256,), trainable=True, batch_norm="trained"
    )
    optimizer = keras.optimizers.Adam(learning_rate=0.0001)


class Frozen(ThreeWays):
    """A head on the pretrained network, whose answers to each image are computed once."""

    model = Application("ResNet50", size=(32, 32), head=(256,))
    cache_features = True


class Pretrained(ThreeWays):
    """The network trained on other images, for its weights."""

    data = TFDS("cifar10", validation=0.05)
    model = Scratch.model
    epochs = 10
