"""A TF-Hub module as a Keras 3 layer, and what such a module offers.

Keras finds the layer by its registered name when a saved model is loaded; a program that does not
otherwise use tfpipe imports this module first. The module itself must be where it was, or in the
cache: a saved model fetches nothing by itself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpipe.errors import ModelError, suggest
from tfpipe.models.pretrained.hub_handle import resolve

# What modules of images and of texts take; the batch comes first.
IMAGE_RANK, TEXT_RANK = 4, 1


@dataclass(frozen=True)
class Endpoint:
    """A way to call a module.

    Args:
        name: the signature's; empty for the module itself.
        function: what is called.
        argument: the name of what goes in.
        takes: the shape and type of that.
        gives: the shape and type of what comes out; a mapping where there are several.
        switch: whether it is told if it is trained.
    """

    name: str
    function: Any
    argument: str
    takes: tf.TensorSpec
    gives: Any
    switch: bool

    def __str__(self) -> str:
        outputs = self.gives if isinstance(self.gives, dict) else {"": self.gives}
        given = ", ".join(f"{key} {_shown(spec)}".strip() for key, spec in outputs.items())
        called = f"signature={self.name!r}" if self.name else "a call"
        return f"{called} takes {self.argument} {_shown(self.takes)} and gives {given or 'lists'}"

    def __call__(self, x: Any, training: bool) -> Any:
        if self.name:
            return self.function(**{self.argument: x})
        return self.function(x, training=training) if self.switch else self.function(x)


class Module:
    """A loaded module.

    Args:
        folder: its SavedModel.
        handle: what it is called in messages.

    Raises:
        ModelError: when it does not load, or is in the format of TensorFlow 1.
    """

    def __init__(self, folder: Path, handle: str) -> None:
        self.handle = handle
        if (folder / "tfhub_module.pb").is_file():
            raise ModelError(
                f"{handle} is a module in the TF1 Hub format, which TensorFlow 2 cannot train. Its "
                f"signatures: {', '.join(_signatures_of(folder)) or 'none'}. Take the module's "
                "version for TensorFlow 2, whose address mostly ends in a higher number."
            )
        try:
            self.loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{handle} does not load: {reason}") from None
        self.endpoints = {e.name: e for e in _endpoints(self.loaded)}
        self.variables = _variables(self.loaded)
        listed = getattr(self.loaded, "trainable_variables", None)
        self._trained = None if listed is None else {v.ref() for v in listed}

    def trains(self, variable: tf.Variable) -> bool:
        """Whether the module means a variable to be trained."""
        return variable.trainable if self._trained is None else variable.ref() in self._trained

    @property
    def moves(self) -> bool:
        """Whether it changes variables itself while it is trained."""
        return any(map(_assigns, filter(_is_for_training, _traces(self.loaded))))

    @property
    def offers(self) -> str:
        """What a person can do with it."""
        trained = sum(map(self.trains, self.variables))
        offers = [str(e) for e in self.endpoints.values()] or ["nothing that takes one tensor"]
        count = f"{len(self.variables)} variable(s), {trained} of them trainable"
        return f"It offers: {'; '.join(offers)}. It has {count}."

    def endpoint(self, signature: str | None) -> Endpoint:
        """The module itself, or one of its signatures; raises ModelError where there is none."""
        endpoint = self.endpoints.get(signature or "")
        if endpoint is not None:
            return endpoint
        if signature is None:
            missing = "cannot be called, as it has no call that takes one tensor. Name a signature"
            raise ModelError(f"{self.handle} {missing} where it has one. {self.offers}")
        known = [name for name in self.endpoints if name]
        raise ModelError(
            f"{self.handle} has no signature {signature!r}. {suggest(signature, known)} "
            f"{self.offers}"
        )

    def output(self, endpoint: Endpoint, key: str | None) -> tuple[str | None, tf.TensorSpec]:
        """The output to use, by its key where there are several; raises ModelError."""
        outputs = endpoint.gives
        if not isinstance(outputs, dict):
            if key is not None:
                raise ModelError(
                    f"{self.handle} gives one output, which has no key: leave output_key="
                    f"{key!r} out."
                )
            return None, outputs
        if not outputs:
            raise ModelError(f"{self.handle} gives no tensor, alone or by a key. {self.offers}")
        if key is None:
            key = next(iter(outputs)) if len(outputs) == 1 else "default"
            if key not in outputs:
                raise ModelError(
                    f"{self.handle} gives several outputs: {', '.join(outputs)}. Choose one with "
                    "output_key."
                )
        if key not in outputs:
            raise ModelError(
                f"{self.handle} has no output {key!r}. {suggest(key, outputs)} {self.offers}"
            )
        return key, outputs[key]


@keras.saving.register_keras_serializable(package="tfpipe")
class HubModule(keras.layers.Layer):
    """A module whose variables are weights of this layer; the two share their storage.

    While it is trained the module is told so: its dropout drops and its batch normalisation
    learns. Frozen, it is called as for prediction, and none of its variables moves. It computes in
    the types that it was saved with, whatever the precision of the rest.

    Args:
        handle: an address whose module is in the cache, or a folder or archive.
        signature: which signature to call; the module itself when None.
        output_key: which of several outputs to give.
        output_dim: how wide the output is, where the module does not say.

    Raises:
        ModelError: when there is no such module, or it offers something else.
    """

    is_base = True  # what tfpipe.models.base looks for

    def __init__(
        self,
        handle: str,
        signature: str | None = None,
        output_key: str | None = None,
        output_dim: int | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("dtype", "float32")
        super().__init__(**options, autocast=False)
        self._convert_input_args = False  # texts stay texts
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.handle, self.signature = handle, signature
        module = Module(resolve(handle, fetch=False), handle)
        self.endpoint = module.endpoint(signature)
        self.output_key, gives = module.output(self.endpoint, output_key)
        self.output_dim = _width(module, gives, output_dim)
        self.offers = module.offers
        # Tracked by TensorFlow, so that an export finds the module's tables and files.
        self._loaded = module.loaded
        self._penalties = list(getattr(module.loaded, "regularization_losses", ()))
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self._moves = self._replicas > 1 and module.moves
        for variable in module.variables:
            self._share(variable, module.trains(variable))
        self.built = True
        self._refuse_replicas(self.trainable)

    @property
    def trainable(self) -> bool:
        """Whether the module is trained."""
        return bool(self._trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._refuse_replicas(value)
        keras.layers.Layer.trainable.fset(self, value)

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = tf.convert_to_tensor(inputs)
        outputs = self.endpoint(x, bool(training) and self.trainable)
        if self.trainable:
            for penalty in self._penalties:
                self.add_loss(penalty())
        values = outputs if self.output_key is None else outputs[self.output_key]
        return tf.ensure_shape(tf.cast(values, tf.float32), [None, self.output_dim])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return (input_shape[0], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "handle": self.handle,
            "signature": self.signature,
            "output_key": self.output_key,
            "output_dim": self.output_dim,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "HubModule":
        return cls(**{n: v for n, v in config.items() if n != "autocast"})

    def _refuse_replicas(self, trained: bool) -> None:
        """Refuse a training in which each replica would keep statistics of its own."""
        if trained and self._moves:
            raise ModelError(
                f"{self.handle} moves statistics while it is trained, such as those of batch "
                f"normalisation, and each of the {self._replicas} replicas would keep its own. "
                "Train it on one device, or freeze it with trainable=False."
            )

    def _share(self, variable: tf.Variable, trainable: bool) -> None:
        """Make a weight of a variable, as Keras's own TFSMLayer does: without a copy."""
        with keras.name_scope(self.name, caller=self):
            weight = keras.Variable(
                initializer=variable,
                trainable=trainable,
                dtype=variable.dtype.name,
                shape=variable.shape,
                name=variable.name.partition(":")[0].replace("/", "_"),  # Keras takes no slashes
            )
        self._track_variable(weight)


def _width(module: Module, gives: tf.TensorSpec, declared: int | None) -> int:
    """How wide the output is, as the module says or as it was declared; raises ModelError."""
    shape = gives.shape
    if shape.rank not in (None, 2):
        raise ModelError(
            f"{module.handle} gives {_shown(gives)}, and [batch, numbers] is needed: one row of "
            "numbers for each sample, as from a feature vector, a text embedding or a classifier. "
            f"{module.offers}"
        )
    width = shape[1] if shape.rank == 2 else None
    if width is None and declared is None:
        raise ModelError(
            f"{module.handle} does not say how wide its output is, {_shown(gives)}. Say it with "
            "output_dim."
        )
    if width is not None and declared not in (None, width):
        raise ModelError(
            f"output_dim={declared}: {module.handle} gives {width} numbers a sample. Leave "
            f"output_dim out, or say {width}."
        )
    return int(width or declared or 0)


def _endpoints(loaded: Any) -> list[Endpoint]:
    """Every way to call it that takes one tensor."""
    endpoints = []
    traces = [(_tensors(f), f) for f in _traces(loaded)]
    alone = [(next(iter(t.items())), f) for t, f in traces if len(t) == 1]
    if alone:
        # The trace that takes most: its lengths are the least fixed.
        (name, takes), function = max(alone, key=lambda pair: _open_lengths(pair[0][1]))
        switch = any(_is_for_training(f) for _, f in alone)
        endpoints.append(Endpoint("", loaded, name, takes, _outputs(function), switch))
    for name, function in sorted(loaded.signatures.items()):
        inputs = _tensors(function)
        if len(inputs) == 1:
            argument, takes = next(iter(inputs.items()))
            endpoints.append(Endpoint(name, function, argument, takes, _outputs(function), False))
    return endpoints


def _outputs(function: Any) -> Any:
    """What a traced function gives, or by its key each tensor of what it gives.

    A file has keys in no order, and tensors may stand beside lists of them.
    """
    outputs = function.structured_outputs
    if isinstance(outputs, tf.TensorSpec):
        return outputs
    named = sorted(outputs.items()) if isinstance(outputs, dict) else ()
    return {key: spec for key, spec in named if isinstance(spec, tf.TensorSpec)}


def _traces(loaded: Any) -> list[Any]:
    """The traced functions behind a call of it; none where it cannot be called."""
    return list(loaded.__call__.concrete_functions) if callable(loaded) else []


def _tensors(function: Any) -> dict[str, tf.TensorSpec]:
    """The tensors that a traced function takes, by name."""
    flat = tf.nest.flatten(function.structured_input_signature)
    specs = [s for s in flat if isinstance(s, tf.TensorSpec) and s.name != "training"]
    return {spec.name or f"input_{i}": spec for i, spec in enumerate(specs)}


def _is_for_training(function: Any) -> bool:
    """Whether a function was traced as it is called in training."""
    flat = tf.nest.flatten(function.structured_input_signature)
    flags = (isinstance(s, tf.TensorSpec) and s.name == "training" for s in flat)
    return any(flags) or any(s is True for s in flat)


def _assigns(function: Any) -> bool:
    """Whether a traced function writes to variables."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return any(node.op.startswith("Assign") for node in nodes)


def _open_lengths(spec: tf.TensorSpec) -> int:
    return 100 if spec.shape.rank is None else sum(n is None for n in spec.shape)


def _variables(loaded: Any) -> list[tf.Variable]:
    """The variables that its functions use and those that it lists, each once."""
    signatures = [function for _, function in sorted(loaded.signatures.items())]
    functions = [*_traces(loaded), *signatures]
    listed = [*getattr(loaded, "variables", ()), *(v for f in functions for v in f.variables)]
    return list({v.ref(): v for v in listed if isinstance(v, tf.Variable)}.values())


def _signatures_of(folder: Path) -> list[str]:
    """The names of a SavedModel's signatures, read without loading it."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except (OSError, ValueError):
        return []
    return sorted({name for graph in saved.meta_graphs for name in graph.signature_def})


def _shown(spec: tf.TensorSpec) -> str:
    """`float32 [batch, 224, 224, 3]`, with ? for a length that is not fixed."""
    if spec.shape.rank is None:
        return f"{spec.dtype.name} of any shape"
    lengths = ["?" if n is None else str(n) for n in spec.shape]
    if lengths and lengths[0] == "?":
        lengths[0] = "batch"
    return f"{spec.dtype.name} [{', '.join(lengths)}]"
