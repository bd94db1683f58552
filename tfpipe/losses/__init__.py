"""Losses that Keras lacks, declared by name.

losses = tfpipe.deferred("tfpipe.losses")
loss = losses.Perceptual(FeatureExtractor("VGG19", ("block5_conv4",)))
"""

from tfpipe.losses.perceptual import Perceptual
from tfpipe.losses.structure import Structure

__all__ = ["Perceptual", "Structure"]
