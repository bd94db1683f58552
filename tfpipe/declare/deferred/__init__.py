"""Keras, deferred: declared by name, checked against the real signatures, built at last.

    keras.optimizers.SGD(learning_rate=0.01)                    a `Deferred`; nothing is imported
    deferred("callbacks.confusion_matrix").ConfusionMatrix()    the same for any other module

Names and arguments are Keras's own. `check_signatures` compares them with the real objects before
any data is touched, and `build` instantiates them, inside the strategy's scope.
"""

from tfpipe.declare.deferred.build import build, build_named
from tfpipe.declare.deferred.call import Deferred, Name, deferred, keras
from tfpipe.declare.deferred.signatures import check_signatures

__all__ = ["Deferred", "Name", "build", "build_named", "check_signatures", "deferred", "keras"]
