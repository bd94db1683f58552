"""The contender `tfpipe run`: the six convolutions of pipelines/cifar10_cnn.py."""

import tfpipe
from pipelines.cifar10_cnn import Cifar10CNN6


class Contender(Cifar10CNN6):
    """The declared recipe, timed."""

    callbacks = (tfpipe.deferred("benchmarks.stopwatch").Stopwatch(),)
