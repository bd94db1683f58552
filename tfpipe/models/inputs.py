"""What goes into a model: raw samples as they come, made into numbers by its first layers.

Bytes are scaled, numbers standardised, categories looked up; texts are the business of
`tfpipe.models.text_classifier`. What these layers hold (means, variances, words) is learnt from the
training split and part of the model, so raw rows go in wherever it is used. It is held as
constants, and no precision below float32 touches raw numbers.
"""

from typing import TYPE_CHECKING, Any, Literal

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import COLUMN_KINDS, ElementSpec, Feature
from tfpipe.errors import ModelError

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.models.training_statistics import TrainingStatistics

Normalize = Literal["auto"] | bool
Encoding = Literal["one_hot", "dummy"]
Range = tuple[float, float]


def image_feature(spec: ElementSpec, builder: str, beside: bool = False) -> Feature:
    """The image that a network of convolutions reads; raises ModelError for anything else.

    Args:
        spec: the element spec of the data.
        builder: who asks, for the message.
        beside: whether there may be other inputs beside one image.
    """
    refuse_texts(spec, builder, "images")
    if spec.is_table:
        columns = ", ".join(f.name for f in spec.features[:3])
        raise ModelError(
            f"{builder} reads images; the data is a table with {len(spec.features)} column(s) "
            f"({columns}{', ...' if len(spec.features) > 3 else ''}). Use MLP or Linear."
        )
    images = [f for f in spec.features if f.kind == "image"]
    if beside and len(spec.features) > 1 and len(images) != 1:
        names = ", ".join(f"{f.name} ({f.kind})" for f in spec.features)
        raise ModelError(
            f"{builder} reads one image, and numbers beside it; the data has {names}. Use MLP, or "
            "Custom with a model of your own."
        )
    feature = images[0] if beside and images else spec.feature
    if len(feature.shape) != 3:
        raise ModelError(
            f"{builder} reads images of shape (height, width, channels); {feature.name!r} has "
            f"shape {feature.shape}, which is of rank {len(feature.shape)}, not 3. "
            "Use MLP, or reshape the data to images."
        )
    return feature


def refuse_texts(spec: ElementSpec, builder: str, reads: str) -> None:
    """Refuse data with a text in it; raises ModelError."""
    texts = [f.name for f in spec.features if f.kind == "text"]
    if texts:
        raise ModelError(f"{builder} reads {reads}; {texts[0]!r} holds texts. Use TextClassifier.")


def raw_input(feature: Feature, scale: Range = (0.0, 1.0), prefix: str = "") -> tuple[Any, Any]:
    """The model's input for raw images or arrays, and the same scaled.

    Bytes are scaled from 0..255 to a range inside the model, so that raw images go in everywhere;
    numbers of other types go in as they are.

    Args:
        feature: what the input is.
        scale: what 0 and 255 become.
        prefix: of the layer's name, where there are several inputs.
    """
    import keras

    inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
    if feature.dtype != "uint8":
        return inputs, inputs
    low, high = scale
    rescaling = keras.layers.Rescaling((high - low) / 255, offset=low, name=f"{prefix}rescaling")
    return inputs, rescaling(inputs)


def numbers(
    spec: ElementSpec,
    builder: str,
    train: Training | None,
    *,
    normalize: Normalize = "auto",
    categories: Encoding = "one_hot",
    scale: Range = (0.0, 1.0),
    prefix: str = "",
) -> tuple[Any, Any]:
    """The model's inputs, and all of them as one row of numbers.

    Args:
        spec: the element spec of the data: a table's columns, or one image, vector or array.
        builder: who asks, for the message.
        train: gives the training split's features, to learn from.
        normalize: whether numbers are standardised with the training split's mean and variance;
            "auto" does so for the columns of a table. A number that is missing becomes the mean.
        categories: "one_hot" gives each word a column, and one for words that training has not
            seen; "dummy" gives one to each word but the first, which with all that are unknown is
            a row of zeros.
        scale: what bytes of 0 and 255 become.
        prefix: of the names of layers, where several inputs are read one after the other.

    Raises:
        ModelError: for a text, for a column's name that Keras does not take, and where no column
            says anything.
    """
    import keras

    from tfpipe.models.training_statistics import training_statistics

    refuse_texts(spec, builder, "numbers")
    if spec.is_table:
        inputs, x = _columns(spec, train, normalize, categories)
        if x.shape[-1] == 0:
            names = ", ".join(inputs) if isinstance(inputs, dict) else spec.feature.name
            raise ModelError(
                f"{builder} has nothing to read: each column ({names}) holds one word only in the "
                "training split, and categories='dummy' gives the first word no column. Use "
                "categories='one_hot', or other columns."
            )
        return inputs, x
    if len(spec.features) > 1:
        return _mixed(spec, builder, train, normalize=normalize, categories=categories, scale=scale)
    feature = spec.feature
    inputs, x = raw_input(feature, scale, prefix)
    if normalize is True:
        moments = training_statistics((feature,), train).moments.get(feature.name)
        if moments is not None:
            if feature.dtype == "uint8":
                moments = moments.scaled((scale[1] - scale[0]) / 255, scale[0])
            x = _standardize(moments.mean, moments.variance, feature.shape, prefix)(x)
    if len(feature.shape) == 1:
        return inputs, x
    raw = feature.dtype != "uint8"
    return inputs, keras.layers.Flatten(dtype="float32" if raw else None)(x)


def _mixed(spec: ElementSpec, builder: str, train: Training | None, **options: Any) -> Any:
    """Arrays and columns of a table side by side, as one row of numbers."""
    import keras

    table = tuple(f for f in spec.features if f.kind in COLUMN_KINDS)
    groups = [*((f,) for f in spec.features if f not in table), *([table] if table else [])]
    inputs: dict[str, Any] = {}
    rows = []
    for features in groups:
        names = [f.name for f in features]
        alone = spec.replace(features=features)
        prefix = f"{names[0]}_" if len(names) == 1 else ""
        own, row = numbers(alone, builder, _only(train, names), prefix=prefix, **options)
        inputs |= own if isinstance(own, dict) else {names[0]: own}
        rows.append(row)
    return inputs, keras.layers.Concatenate(dtype="float32")(rows)


def _only(train: Training | None, names: list[str]) -> Training | None:
    """Training features of some inputs alone, as a data set with these inputs has them."""
    if train is None:
        return None
    if len(names) == 1:
        return lambda: train().map(lambda x: x[names[0]])
    return lambda: train().map(lambda x: {name: x[name] for name in names})


def beside_image(
    spec: ElementSpec, image: Feature, builder: str, train: Training | None
) -> tuple[dict[str, Any], Any]:
    """The inputs beside an image and all of them as one row; none and None where there are none."""
    others = tuple(f for f in spec.features if f is not image)
    if not others:
        return {}, None
    names = [f.name for f in others]
    inputs, row = numbers(spec.replace(features=others), builder, _only(train, names))
    return (inputs if isinstance(inputs, dict) else {names[0]: inputs}), row


def _columns(
    spec: ElementSpec, train: Training | None, normalize: Normalize, categories: Encoding
) -> tuple[Any, Any]:
    """The columns of a table: numbers first, then each category, in order of declaration."""
    import keras

    from tfpipe.models.text_columns import stacked_columns
    from tfpipe.models.training_statistics import training_statistics

    _refuse_names(spec)
    statistics = training_statistics(spec.features, train)
    inputs = {f.name: keras.Input((), name=f.name, dtype=f.dtype) for f in spec.features}
    values = [f for f in spec.features if f.kind in ("number", "date")]
    parts = []
    if values:
        stacked = stacked_columns(values, inputs)
        parts.append(_filled(stacked, values, statistics, normalize is not False))
    for feature in spec.features:
        if feature.kind == "category":
            words = statistics.categories(feature)
            parts.append(_looked_up(inputs[feature.name], feature.name, words, categories))
    x = keras.layers.Concatenate(dtype="float32")(parts) if len(parts) > 1 else parts[0]
    return (inputs if len(inputs) > 1 else next(iter(inputs.values()))), x


def _refuse_names(spec: ElementSpec) -> None:
    """Refuse columns whose names Keras cannot use, or uses for layers; raises ModelError."""
    for feature in spec.features:
        if "/" in feature.name or feature.name in ("logits", "normalization"):
            raise ModelError(
                f"The column {feature.name!r} has a name that Keras cannot take for an input: "
                "rename it, without '/' and to neither 'logits' nor 'normalization'."
            )


def _filled(
    x: Any, features: list[Feature], statistics: "TrainingStatistics", standardize: bool
) -> Any:
    """Standardised numbers, the mean in place of missing ones."""
    import keras

    from tfpipe.models.training_statistics import Moments

    moments = [statistics.moments.get(f.name, Moments()) for f in features]
    widths = [f.width for f in features]
    mean = _row(widths, [m.mean for m in moments])
    if not standardize:
        return keras.ops.where(keras.ops.isnan(x), keras.ops.cast(mean, "float32"), x)
    variance = _row(widths, [m.variance for m in moments])
    x = _standardize(mean, variance, mean.shape)(x)
    return keras.ops.where(keras.ops.isnan(x), keras.ops.zeros_like(x), x)


def _row(widths: list[int], values: list[Any]) -> "np.ndarray":
    """Statistics of features as one row; each has as many numbers as its feature."""
    import numpy as np

    filled = (np.broadcast_to(v, (n,)) for n, v in zip(widths, values, strict=True))
    return np.concatenate([*filled])


def _standardize(
    mean: "np.ndarray", variance: "np.ndarray", shape: tuple[int, ...], prefix: str = ""
) -> Any:
    import keras
    import numpy as np

    axis = tuple(range(1, len(shape) + 1)) or None
    return keras.layers.Normalization(
        axis=axis,
        mean=np.asarray(mean, np.float32),
        variance=np.asarray(variance, np.float32),
        dtype="float32",
        name=f"{prefix}normalization",
    )


def _looked_up(x: Any, name: str, words: tuple[str, ...], encoding: Encoding) -> Any:
    """A column for unknown words, then one a word; or, as dummies, one a word but the first."""
    import keras

    lookup = keras.layers.StringLookup(
        vocabulary=["[UNK]", *words], output_mode="one_hot", name=f"{name}_lookup"
    )
    # Without an axis of its own, a batch of one word would lose the axis of the batch.
    x = lookup(keras.ops.expand_dims(x, -1))
    return x[:, 2:] if encoding == "dummy" else x
