"""tfpipe: a training job is one declarative Python class.

    from tfpipe import Pipeline, hp, keras
    from tfpipe.data import TFDS
    from tfpipe.models import CNN_2_4_6

Every name is imported when it is first used, so that `tfpipe --help` stays quick and nothing
here loads TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # To editors and type checkers the deferred Keras is Keras itself.
    import keras as keras

    from tfpipe import errors as errors
    from tfpipe.declare import hp_typed as hp
    from tfpipe.declare.deferred import deferred as deferred
    from tfpipe.declare.fine_tune import FineTune as FineTune
    from tfpipe.declare.fine_tune import Phase as Phase
    from tfpipe.declare.part import Part as Part
    from tfpipe.declare.pipeline import Pipeline as Pipeline
    from tfpipe.verbs.check import check as check
    from tfpipe.verbs.compare_models import compare_models as compare_models
    from tfpipe.verbs.config import config as config
    from tfpipe.verbs.data_bench import data_bench as data_bench
    from tfpipe.verbs.data_show import data_show as data_show
    from tfpipe.verbs.evaluate import evaluate as evaluate
    from tfpipe.verbs.inspect import inspect as inspect
    from tfpipe.verbs.predict import predict as predict
    from tfpipe.verbs.profile import profile as profile
    from tfpipe.verbs.resume import resume as resume
    from tfpipe.verbs.run import run as run
    from tfpipe.verbs.search.search import search as search
    from tfpipe.verbs.serving.bench import bench as bench
    from tfpipe.verbs.serving.export import export as export
    from tfpipe.verbs.serving.serve import serve as serve
    from tfpipe.verbs.serving.verify import verify as verify

_WHERE = {
    "FineTune": "tfpipe.declare.fine_tune",
    "Part": "tfpipe.declare.part",
    "Phase": "tfpipe.declare.fine_tune",
    "Pipeline": "tfpipe.declare.pipeline",
    "bench": "tfpipe.verbs.serving.bench",
    "check": "tfpipe.verbs.check",
    "compare_models": "tfpipe.verbs.compare_models",
    "config": "tfpipe.verbs.config",
    "data_bench": "tfpipe.verbs.data_bench",
    "data_show": "tfpipe.verbs.data_show",
    "deferred": "tfpipe.declare.deferred",
    "errors": "tfpipe.errors",
    "evaluate": "tfpipe.verbs.evaluate",
    "export": "tfpipe.verbs.serving.export",
    "hp": "tfpipe.declare.hp",
    "inspect": "tfpipe.verbs.inspect",
    "keras": "tfpipe.declare.deferred",
    "predict": "tfpipe.verbs.predict",
    "profile": "tfpipe.verbs.profile",
    "resume": "tfpipe.verbs.resume",
    "run": "tfpipe.verbs.run",
    "search": "tfpipe.verbs.search.search",
    "serve": "tfpipe.verbs.serving.serve",
    "verify": "tfpipe.verbs.serving.verify",
}

__all__ = [  # noqa: RUF022 (the order of the README)
    "Pipeline",
    "hp",
    "keras",
    "deferred",
    "Part",
    "FineTune",
    "Phase",
    "run",
    "resume",
    "search",
    "evaluate",
    "predict",
    "inspect",
    "export",
    "verify",
    "serve",
    "bench",
    "compare_models",
    "check",
    "config",
    "data_show",
    "data_bench",
    "profile",
    "errors",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tfpipe' has no attribute {name!r}")
    module = import_module(_WHERE[name])
    value = module if name in ("hp", "errors") else getattr(module, name)
    globals()[name] = value
    return value
