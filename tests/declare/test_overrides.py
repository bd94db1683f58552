"""`a.b=value` on the command line."""

import pytest

from tfpipe import Pipeline, deferred, hp, keras
from tfpipe.data import TFDS, Arrays, augment
from tfpipe.declare.field_types import Duration
from tfpipe.declare.hp import same
from tfpipe.declare.overrides import (
    apply_overrides,
    declared_at,
    read_override,
    write_override,
)
from tfpipe.declare.tree import flatten
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6, MLP


class Job(Pipeline):
    data = TFDS("cifar10", validation=0.05)
    model = CNN_2_4_6(convs=6, dropout=(0.2, 0.3, 0.3))
    augment = (augment.flip(), augment.rotate(15))
    optimizer = keras.optimizers.SGD(
        learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True), momentum=0.9
    )
    callbacks = (keras.callbacks.EarlyStopping(patience=5), keras.callbacks.TerminateOnNaN())
    title: str = "plain"
    share: float | None = None


SCHEDULE = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=1000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Numbers, texts and words
        ("batch_size=64", 64),
        ("batch_size = 64", 64),
        ("seed=1_000", 1000),
        ("share=1e-3", 1e-3),
        ("share=.5", 0.5),
        ("share=3", 3.0),
        ("share=none", None),
        ("share=null", None),
        ("share=None", None),
        ("shuffle=false", False),
        ("shuffle=True", True),
        ("cache=auto", "auto"),
        ("cache=true", True),
        ("title=plain text, with (all) = of it", "plain text, with (all) = of it"),
        ("title=32", "32"),
        ("title=true", "true"),
        ("title=none", "none"),
        ('title="32"', "32"),
        ("title='quoted'", "quoted"),
        ("title=", ""),
        ("precision=bfloat16", "bfloat16"),
        ("checkpoint_every=10m", Duration(600)),
        ("checkpoint_every=1h30m", Duration(5400)),
        ("checkpoint_every=500", 500),
        # Lists and tuples
        ("augment=()", ()),
        ("augment=[]", ()),
        ('metrics=["accuracy"]', ("accuracy",)),
        ("metrics=('accuracy',)", ("accuracy",)),
        ("model.dropout=[0, 0.1, 0.2]", (0.0, 0.1, 0.2)),
        ("model.dropout=0,0.1,0.2", (0.0, 0.1, 0.2)),
        ("model.dropout=0.4", 0.4),
        # Parts by their calls
        ("model=MLP(units=(64, 32))", MLP(units=(64, 32))),
        ("model=MLP()", MLP()),
        ("data=TFDS('mnist')", TFDS("mnist")),
        ("augment=(flip(), rotate(30))", (augment.flip(), augment.rotate(30))),
        ("augment=[augment.flip()]", (augment.flip(),)),
        ("optimizer=adam", "adam"),
        ("optimizer=Adam(learning_rate=1e-3)", keras.optimizers.Adam(learning_rate=1e-3)),
        ("optimizer=Adam(1e-3)", keras.optimizers.Adam(learning_rate=1e-3)),
        ("optimizer=keras.optimizers.Adam(1e-3)", keras.optimizers.Adam(1e-3)),
        (
            "optimizer=Adam(learning_rate=CosineDecay(1e-3, decay_steps=1000))",
            keras.optimizers.Adam(SCHEDULE),
        ),
        ("optimizer.learning_rate=CosineDecay(1e-3, decay_steps=1000)", SCHEDULE),
        (
            "optimizer=SGD(hp.Float(0.1, min=0.01, max=1))",
            keras.optimizers.SGD(hp.Float(0.1, min=0.01, max=1)),
        ),
        ("callbacks=(TerminateOnNaN(),)", (keras.callbacks.TerminateOnNaN(),)),
        ("loss=Huber(delta=2)", keras.losses.Huber(delta=2)),
        ("loss=keras.losses.Huber", keras.losses.Huber),
        ("loss=mse", "mse"),
        ("metrics=('accuracy', AUC())", ("accuracy", keras.metrics.AUC())),
        ("model.initializer=HeNormal(seed=1)", keras.initializers.HeNormal(seed=1)),
        ("model.dropout=Float(0.2, min=0, max=0.5)", hp.Float(0.2, min=0, max=0.5)),
        ("batch_size=hp.Choice(32, values=[32, 64])", hp.Choice(32, values=(32, 64))),
        # Inside parts, tuples, deferred Keras and ranges
        ("data.validation=0.2", 0.2),
        ("data.validation=test", "test"),
        ("augment.1.degrees=30", 30.0),
        ("augment.1=flip(vertical=True)", augment.flip(vertical=True)),
        ("callbacks.0.patience=9", 9),
        ("callbacks.0.monitor=val_loss", "val_loss"),
        ("callbacks.1=EarlyStopping()", keras.callbacks.EarlyStopping()),
        ("optimizer.learning_rate=0.01", 0.01),
        ("optimizer.nesterov=true", True),
    ],
)
def test_a_value_is_read_by_its_fields_type(text, value):
    changed = apply_overrides(Job(), [text])
    found = flatten(changed)[text.partition("=")[0].strip()]
    assert found == value
    assert type(found) is type(value)


def test_an_override_changes_nothing_else():
    changed = apply_overrides(Job(), ["callbacks.0.patience=9"])
    before, after = flatten(Job()), flatten(changed)
    assert {n for n in after if after[n] != before[n]} == {
        "callbacks",
        "callbacks.0",
        "callbacks.0.patience",
    }


def test_one_number_of_a_tuple_can_be_set():
    assert apply_overrides(Job(), ["model.dropout.1=0.5"]).model.dropout == (0.2, 0.5, 0.3)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("class_weights.cat=3", {"cat": 3.0, "a.b": 2.0, "1": 1.0}),
        ("class_weights.a.b=3", {"cat": 1.0, "a.b": 3.0, "1": 1.0}),
        ("class_weights.1=0.5", {"cat": 1.0, "a.b": 2.0, "1": 0.5}),
    ],
)
def test_one_value_of_a_mapping_can_be_set(text, weights):
    job = Job(class_weights={"cat": 1.0, "a.b": 2.0, "1": 1.0})
    changed = apply_overrides(job, [text]).class_weights
    assert changed == weights
    assert list(changed) == list(weights)


def test_a_range_in_a_mapping_can_be_set_or_given_other_bounds():
    job = Job(class_weights={"cat": hp.Float(1.0, min=0.5, max=2)})
    assert apply_overrides(job, ["class_weights.cat=3"]).class_weights == {"cat": 3.0}
    changed = apply_overrides(job, ["class_weights.cat.max=4"]).class_weights
    assert changed == {"cat": hp.Float(1.0, min=0.5, max=4)}


def test_arguments_in_mappings_of_calls_can_be_set():
    layer = keras.layers.Layer(config={"units": 3, 4: keras.regularizers.L2(0.1)})

    class Own(Job):
        layer: object = None

    changed = apply_overrides(Own(layer=layer), ["layer.config.4.l2=0.2", "layer.config.units=5"])
    assert changed.layer.kwargs["config"] == {"units": 5, 4: keras.regularizers.L2(0.2)}


@pytest.mark.parametrize(
    ("weights", "text", "message"),
    [
        (
            {"cat": 1.0, "dog": 2.0},
            "class_weights.dgo=1",
            "class_weights.dgo=1: 'class_weights' has no key 'dgo'. Did you mean 'dog'?",
        ),
        (
            {},
            "class_weights.dog=1",
            "class_weights.dog=1: 'class_weights' has no key 'dog'. It is empty: set the whole.",
        ),
        (
            {"cat": 1.0},
            "class_weights.cat=0",
            "class_weights.cat=0: Job.class_weights takes 'balanced', a mapping of a text to a "
            "number above 0 or none, got {'cat': 0} (dict).",
        ),
    ],
)
def test_what_does_not_fit_a_mapping_is_refused(weights, text, message):
    with pytest.raises(ConfigError) as caught:
        apply_overrides(Job(class_weights=weights), [text])
    assert str(caught.value) == message


def small():
    return None


def large():
    return None


OWN = deferred("callbacks.confusion")


class Own(Job):
    data = hp.Choice(Arrays(small), values=(Arrays(small), Arrays(large)))
    callbacks = (OWN.Confusion(every=2),)
    called: object = OWN.normalised


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("data=Arrays(large)", Arrays(large)),
        ("data=Arrays(small, validation=0.1)", Arrays(small, validation=0.1)),
        ("callbacks=(callbacks.confusion.Confusion(every=3),)", (OWN.Confusion(every=3),)),
        ("called=callbacks.confusion.normalised", OWN.normalised),
        (
            "metrics=(keras.metrics.AUC, keras.metrics.Recall)",
            (keras.metrics.AUC, keras.metrics.Recall),
        ),
        ("title=small", "small"),
    ],
)
def test_what_a_declaration_names_can_be_written(text, value):
    assert declared_at(apply_overrides(Own(), [text]), text.partition("=")[0]) == value


def test_a_function_where_only_a_function_fits_is_written_by_its_name():
    made = apply_overrides(Own(), ["data=Arrays(small)", "data.load=large"])
    assert made.data == Arrays(large)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "data=Arrays(smal)",
            "data=Arrays(smal): there is no 'smal' for data. Did you mean 'small' or 'Sample'?",
        ),
        ("data=small()", "data=small(): small is a function, and no part to declare."),
        (
            "callbacks=(callbacks.confusion.Other(),)",
            "callbacks=(callbacks.confusion.Other(),): there is no 'callbacks.confusion.Other' "
            "for callbacks. Did you mean 'callbacks.confusion.normalised' or "
            "'callbacks.confusion.Confusion'?",
        ),
    ],
)
def test_what_a_declaration_does_not_name_is_refused(text, message):
    with pytest.raises(ConfigError) as caught:
        apply_overrides(Own(), [text])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("epochs", 3, "epochs=3"),
        ("share", 1e-07, "share=1e-07"),
        ("share", None, "share=None"),
        ("shuffle", False, "shuffle=False"),
        ("title", "plain text, with (all) = of it", "title=plain text, with (all) = of it"),
        ("title", "none", "title=none"),
        ("share_or_text", "none", "share_or_text='none'"),
        ("share_or_text", " 1", "share_or_text=' 1'"),
        ("checkpoint_every", "90m", "checkpoint_every=90m"),
        ("augment", (), "augment=()"),
        ("augment", (augment.flip(),), "augment=(flip(),)"),
        ("model", MLP(units=(8,)), "model=MLP(units=(8,))"),
        ("model.dropout", (0.1, 0.2, 0.3), "model.dropout=(0.1, 0.2, 0.3)"),
        ("model.dropout.0", 0.5, "model.dropout.0=0.5"),
        ("class_weights", {"a": 1.0}, "class_weights={'a': 1.0}"),
        (
            "optimizer",
            keras.optimizers.Adam(SCHEDULE),
            "optimizer=keras.optimizers.Adam(learning_rate="
            "keras.optimizers.schedules.CosineDecay(initial_learning_rate=0.001, "
            "decay_steps=1000))",
        ),
        ("optimizer.nesterov", True, "optimizer.nesterov=True"),
        ("optimizer.name", "1", "optimizer.name='1'"),
        ("loss", keras.losses.Huber, "loss=keras.losses.Huber"),
        ("data", Arrays(large), "data=Arrays(large)"),
        (
            "batch_size",
            hp.Choice(32, values=(32, 64)),
            "batch_size=hp.Choice(32, values=(32, 64))",
        ),
    ],
)
def test_a_value_is_written_so_that_it_reads_back(name, value, text):
    class Job(Own):
        share_or_text: float | str | None = None

    assert write_override(Job(), name, value) == text
    assert same(read_override(Job(), text), declared_at(apply_overrides(Job(), [text]), name))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epoch", 3, "Own has no field 'epoch'. Did you mean 'epochs'?"),
        (
            "epochs",
            0,
            "Own.epochs takes a whole number of at least 1, got 0 (int).",
        ),
        (
            "called",
            (lambda: None),
            "called: <lambda> cannot be written as an override, and so given to a "
            "run. What can: numbers, texts, none, parts, Keras objects, named functions that the "
            "declaration uses, and tuples and mappings of these.",
        ),
    ],
)
def test_what_no_text_gives_is_refused(name, value, message):
    with pytest.raises(ConfigError) as caught:
        write_override(Own(), name, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 10),
        ("model.dropout.1", 0.3),
        ("optimizer.momentum", 0.9),
        ("optimizer.nesterov", False),  # Keras's default
        ("optimizer.clipnorm", None),
    ],
)
def test_a_declared_value_is_found_by_its_name(name, value):
    assert same(declared_at(Job(), name), value)


def test_the_bounds_of_a_range_can_be_set():
    changed = apply_overrides(Job(), ["optimizer.learning_rate.max=0.5"])
    assert changed.optimizer.kwargs["learning_rate"] == hp.Float(1e-3, min=1e-4, max=0.5, log=True)


def test_overrides_apply_in_their_order():
    texts = ["optimizer=Adam(0.1)", "optimizer.learning_rate=0.2", "epochs=2", "epochs=3"]
    changed = apply_overrides(Job(), texts)
    assert (changed.optimizer, changed.epochs) == (keras.optimizers.Adam(0.2), 3)


def test_a_field_of_ones_own_is_set_like_any():
    class Mine(Job):
        width: int = 64

    assert apply_overrides(Mine(), ["width=32"]).width == 32


def refused(text):
    with pytest.raises(ConfigError) as error:
        apply_overrides(Job(), [text])
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "epochs",
            "'epochs' is no override: write field=value, such as epochs=5 or "
            "optimizer.learning_rate=0.01.",
        ),
        (
            "=5",
            "'=5' is no override: write field=value, such as epochs=5 or "
            "optimizer.learning_rate=0.01.",
        ),
        ("epoch=5", "epoch=5: Job has no field 'epoch'. Did you mean 'epochs'?"),
        (
            "model.conv=4",
            "model.conv=4: CNN_2_4_6 has no field 'conv'. Did you mean 'convs'?",
        ),
        (
            "optimizer.learning_rte=1",
            "optimizer.learning_rte=1: keras.optimizers.SGD takes no argument 'learning_rte'. "
            "Did you mean 'learning_rate'?",
        ),
        (
            "callbacks.0.patienc=1",
            "callbacks.0.patienc=1: keras.callbacks.EarlyStopping takes no argument 'patienc'. "
            "Did you mean 'patience'?",
        ),
        (
            "optimizer.learning_rate.mx=1",
            "optimizer.learning_rate.mx=1: Float has no field 'mx'. Did you mean 'max'?",
        ),
        ("epochs.x=1", "epochs.x=1: 'epochs' is 10 and has no field 'x'."),
        ("loss.x=1", "loss.x=1: 'loss' is None and has no field 'x'."),
        (
            "callbacks.2.patience=1",
            "callbacks.2.patience=1: 'callbacks' has numbers 0 to 1, got '2'.",
        ),
        (
            "epochs=2.5",
            "epochs=2.5: Job.epochs takes a whole number of at least 1, got 2.5 (float).",
        ),
        (
            "epochs=true",
            "epochs=true: Job.epochs takes a whole number of at least 1, got True (bool).",
        ),
        (
            "epochs=1+1",
            "epochs=1+1: Job.epochs takes a whole number of at least 1, got '1+1' (str).",
        ),
        (
            "batch_size=0",
            "batch_size=0: Job.batch_size takes a whole number of at least 1, got 0 (int).",
        ),
        (
            "model.dropout=1",
            "model.dropout=1: CNN_2_4_6.dropout takes a number of at least 0 and below 1 or a "
            "tuple, each item a number of at least 0 and below 1, got 1 (int).",
        ),
        (
            "precision=fp16",
            "precision=fp16: Job.precision takes one of 'auto', 'float32', 'bfloat16', "
            "'float16', got 'fp16' (str).",
        ),
        (
            "checkpoint_every=soon",
            "checkpoint_every=soon: Job.checkpoint_every takes a whole number of at least 1 or a "
            "duration such as 30s, 10m or 2h, got 'soon' (str).",
        ),
        (
            "callbacks.0=3",
            "callbacks.0=3: Job.callbacks takes a tuple, each item a Keras object such as "
            "keras.optimizers.SGD(learning_rate=0.01), got 3 (int) at callbacks[0].",
        ),
        (
            "optimizer.learning_rate.max=1e-5",
            "optimizer.learning_rate.max=1e-5: hp.Float: min=0.0001 must be below max=1e-05.",
        ),
        (
            "model=MPL()",
            "model=MPL(): there is no 'MPL' for model. Did you mean 'MLP'?",
        ),
        (
            "augment=(flp(),)",
            "augment=(flp(),): there is no 'flp' for augment. Did you mean 'flip'?",
        ),
        (
            "augment=(flip(verticl=True),)",
            "augment=(flip(verticl=True),): flip has no field 'verticl'. Did you mean 'vertical'?",
        ),
        (
            "optimizer=Adm(0.1)",
            "optimizer=Adm(0.1): there is no 'Adm' for optimizer. "
            "Did you mean 'Adam', 'Nadam' or 'AdamW'?",
        ),
        (
            "optimizer=keras.optimizers.Adm(0.1)",
            "optimizer=keras.optimizers.Adm(0.1): keras.optimizers has no 'Adm'. "
            "Did you mean 'Adam', 'Nadam' or 'AdamW'?",
        ),
        (
            "optimizer=keras.optimizer.Adam(0.1)",
            "optimizer=keras.optimizer.Adam(0.1): keras has no 'optimizer'. "
            "Did you mean 'Optimizer', 'optimizers' or 'Initializer'?",
        ),
        (
            "optimizer=Adam(0.1, learning_rate=0.2)",
            "optimizer=Adam(0.1, learning_rate=0.2): keras.optimizers.Adam got 'learning_rate' "
            "twice: by position and by name.",
        ),
        (
            "optimizer=Adam(**x)",
            "optimizer=Adam(**x): ** is not understood here; write the arguments out.",
        ),
        (
            "optimizer=Adam(1e-3 * 2)",
            "optimizer=Adam(1e-3 * 2): '0.001 * 2' is neither a value nor a part by its call.",
        ),
        (
            "data=MLP()",
            "data=MLP(): there is no 'MLP' for data. "
            "There is: Arrays, Bool, COCO, CSV, Choice, DrawnObjects, Float, Generated, "
            "ImageFiles, ImageFolder, ImagePairs, Int and 14 more.",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_override(text, message):
    assert refused(text) == message


@pytest.mark.parametrize("order", [1, -1])
def test_fields_that_must_fit_each_other_may_be_set_in_either_order(order):
    texts = ["model.convs=4", "model.dropout=(0.1, 0.2)"][::order]
    changed = apply_overrides(Dropped(), texts)
    assert changed.model == CNN_2_4_6(convs=4, dropout=(0.1, 0.2))


def test_fields_that_do_not_fit_each_other_name_their_overrides():
    with pytest.raises(ConfigError) as caught:
        apply_overrides(Dropped(), ["epochs=3", "model.convs=4"])
    assert str(caught.value) == (
        "model.convs=4: CNN_2_4_6.dropout has 3 rates; 4 convolutions are 2 blocks: give one "
        "number, or 2."
    )


class Dropped(Pipeline):
    data = TFDS("mnist")
    model = CNN_2_4_6(convs=6, dropout=(0.1, 0.2, 0.3))


def test_the_parts_of_a_part_can_be_written_too() -> None:
    from tfpipe.models import Block, ConvNet

    class Net(Pipeline):
        data = TFDS("cifar10")
        model = ConvNet(blocks=(Block(convs=(8,)),))

    found = apply_overrides(Net(), ["model.blocks=(Block((16,)), Block((32, 32), pool=0))"])
    assert found.model == ConvNet(blocks=(Block(convs=(16,)), Block(convs=(32, 32), pool=0)))
    with pytest.raises(ConfigError, match="there is no 'MLP' for data"):
        apply_overrides(Net(), ["data=MLP()"])


def test_a_part_that_others_derive_from_can_be_written_too() -> None:
    from tfpipe.models import Application

    class Net(Pipeline):
        data = TFDS("cifar10")
        model = Application("VGG16")

    found = apply_overrides(Net(), ["model=Application('MobileNet', weights=None)"])
    assert found.model == Application("MobileNet", weights=None)
