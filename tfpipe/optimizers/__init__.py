"""Optimizers and schedules that Keras lacks, declared by name.

optimizers = tfpipe.deferred("tfpipe.optimizers")
optimizer = optimizers.LookaheadSGD(optimizers.Triangular(1.5), momentum=0.85, nesterov=True)
"""

from tfpipe.optimizers.conv_muon import ConvMuon
from tfpipe.optimizers.lbfgs import LBFGS
from tfpipe.optimizers.lookahead_sgd import LookaheadSGD
from tfpipe.optimizers.triangular import Triangular

__all__ = ["LBFGS", "ConvMuon", "LookaheadSGD", "Triangular"]
