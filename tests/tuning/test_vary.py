"""Ranges from the command line."""

import pytest

from tfpipe import Pipeline, hp, keras
from tfpipe.data import Arrays
from tfpipe.declare.loading import from_instance, load
from tfpipe.declare.overrides import declared_at
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6
from tfpipe.tuning.vary import vary


def images():
    return None


class Job(Pipeline):
    data = Arrays(images)
    model = CNN_2_4_6(convs=6, dropout=0.7)
    optimizer = keras.optimizers.SGD(hp.Float(1e-3, min=1e-5, max=1e-2))
    callbacks = (keras.callbacks.EarlyStopping(patience=5),)
    class_weights = {"cat": 2.0}  # noqa: RUF012


SGD, ADAM = keras.optimizers.SGD, keras.optimizers.Adam


@pytest.mark.parametrize(
    ("text", "made"),
    [
        # Whole numbers and real ones, as the field has them
        ("epochs=2..20", hp.Int(10, min=2, max=20)),
        ("epochs = 2..20", hp.Int(10, min=2, max=20)),
        ("batch_size=1e1..1e3:log", hp.Int(32, min=10, max=1000, log=True)),
        ("clip_norm=1..5", hp.Float(3.0, min=1, max=5)),
        ("model.dropout=0..0.5", hp.Float(0.25, min=0, max=0.5)),
        ("model.dropout=.1...5", hp.Float(0.3, min=0.1, max=0.5)),
        ("callbacks.0.patience=2..6", hp.Int(5, min=2, max=6)),
        ("class_weights.cat=1..3", hp.Float(2.0, min=1, max=3)),
        ("optimizer.momentum=0..1", hp.Float(0.0, min=0, max=1)),
        ("callbacks.0.min_delta=-1e-2..1e-2", hp.Float(0.0, min=-0.01, max=0.01)),
        ("callbacks.0.start_from_epoch=1..4", hp.Int(2, min=1, max=4)),
        ("optimizer.clipnorm=0.5..2.0", hp.Float(1.25, min=0.5, max=2.0)),
        ("optimizer.clipnorm=1..2", hp.Int(2, min=1, max=2)),
        # Scales and steps
        (
            "optimizer.learning_rate=1e-4..1e-1:log",
            hp.Float(1e-3, min=1e-4, max=1e-1, log=True),
        ),
        (
            "optimizer.learning_rate=1e-2..1:log",
            hp.Float(0.1, min=1e-2, max=1, log=True),
        ),
        ("batch_size=64..512:log", hp.Int(181, min=64, max=512, log=True)),
        ("batch_size=16..256:log:2", hp.Int(32, min=16, max=256, step=2, log=True)),
        ("batch_size=64..512:2:log", hp.Int(256, min=64, max=512, step=2, log=True)),
        ("model.dropout=0..0.5:0.1", hp.Float(0.2, min=0, max=0.5, step=0.1)),
        ("model.convs=2..6:2", hp.Int(6, min=2, max=6, step=2)),
        ("epochs=20..30:5", hp.Int(25, min=20, max=30, step=5)),
        # Several values
        ("model.convs=2,4,6", hp.Choice(6, values=(2, 4, 6))),
        ("epochs=2, 4", hp.Choice(2, values=(2, 4))),
        ("clip_norm=none,1", hp.Choice(None, values=(None, 1.0))),
        ("precision=float32,bfloat16", hp.Choice("float32", values=("float32", "bfloat16"))),
        ("cache=true,auto,false", hp.Choice("auto", values=(True, "auto", False))),
        ("checkpoint_every=10m,1h", hp.Choice("10m", values=("10m", "1h"))),
        (
            "model.dropout=(0.1,0.2,0.3),0.4",
            hp.Choice((0.1, 0.2, 0.3), values=((0.1, 0.2, 0.3), 0.4)),
        ),
        ("optimizer=SGD(0.01),Adam(0.001)", hp.Choice(SGD(0.01), values=(SGD(0.01), ADAM(0.001)))),
        (
            "loss=mse,Huber(name='a,b')",
            hp.Choice("mse", values=("mse", keras.losses.Huber(name="a,b"))),
        ),
        (
            "optimizer=SGD(hp.Float(0.1, min=0.01, max=1)),adam",
            hp.Choice(
                SGD(hp.Float(0.1, min=0.01, max=1)),
                values=(SGD(hp.Float(0.1, min=0.01, max=1)), "adam"),
            ),
        ),
        # True and false
        ("model.batch_norm", hp.Bool(False)),
        ("shuffle", hp.Bool(True)),
        ("shuffle=true,false", hp.Bool(True)),
        ("shuffle=False,True", hp.Bool(True)),
    ],
)
def test_a_text_is_a_range_of_its_field(text, made):
    found = vary(from_instance(Job()), [text])
    name = text.partition("=")[0].strip()
    assert declared_at(found.pipeline, name) == made
    assert type(declared_at(found.pipeline, name).value) is type(made.value)


def test_ranges_become_overrides_of_the_declaration(small):
    loaded = load(str(small), ["epochs=3"])
    found = vary(loaded, ["epochs=2,3", "optimizer.learning_rate=1e-4..1e-2:log"])
    assert found.overrides == (
        "epochs=3",
        "epochs=hp.Choice(3, values=(2, 3))",
        "optimizer.learning_rate=hp.Float(0.01, min=0.0001, max=0.01, log=True)",
    )
    assert (found.name, found.path, found.declared) == (loaded.name, loaded.path, loaded.declared)
    assert vary(loaded, found.overrides[:0]) == loaded
    again = load(str(small), found.overrides).pipeline
    assert list(again.items())[1:] == list(found.pipeline.items())[1:]


def test_nothing_to_vary_changes_nothing():
    loaded = from_instance(Job())
    assert vary(loaded, []) == loaded


def test_ranges_that_must_fit_each_other_may_come_in_either_order():
    texts = ["model.dropout=(0.1,0.2),(0.3,0.4)", "model.convs=4,2"]
    for order in (texts, texts[::-1]):
        made = vary(from_instance(Job()), order).pipeline.model
        assert made.convs == hp.Choice(4, values=(4, 2))
        assert made.dropout == hp.Choice((0.1, 0.2), values=((0.1, 0.2), (0.3, 0.4)))


NO_RANGE = (
    " is no range: write START..END, START..END:log, START..END:STEP, or several values with "
    "commas between them. To set one value, leave --vary out."
)
SUFFIX = "after a range come log, a step above 0, or both, such as 16..256:log:2, got "
WHOLE = "Job.epochs takes a whole number of at least 1, got "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch=1..2", "epoch=1..2: Job has no field 'epoch'. Did you mean 'epochs'?"),
        ("epoch", "epoch: Job has no field 'epoch'. Did you mean 'epochs'?"),
        (
            "optimizer.momentm=0..1",
            "optimizer.momentm=0..1: keras.optimizers.SGD takes no argument 'momentm'. "
            "Did you mean 'momentum' or 'ema_momentum'?",
        ),
        (
            "class_weights.dog=1..2",
            "class_weights.dog=1..2: 'class_weights' has no key 'dog'. There is: cat.",
        ),
        ("=1..2", "'=1..2' names no field: write a.b=1e-4..1e-1:log or a.b=2,4,6."),
        ("", "'' names no field: write a.b=1e-4..1e-1:log or a.b=2,4,6."),
        ("epochs=6..2", "epochs=6..2: the range's end 2 is below its start 6."),
        ("epochs=3..3", "epochs=3..3: the range's end 3 is no more than its start 3."),
        ("epochs=0..9:log", "epochs=0..9:log: a logarithmic range starts above 0, got 0."),
        ("epochs=1..9:lg", f"epochs=1..9:lg: {SUFFIX}'lg'."),
        ("epochs=1..9:log:log", f"epochs=1..9:log:log: {SUFFIX}'log'."),
        ("epochs=1..9:", f"epochs=1..9:: {SUFFIX}''."),
        ("epochs=1..9:0", f"epochs=1..9:0: {SUFFIX}'0'."),
        (
            "epochs=1..5:9",
            "epochs=1..5:9: hp.Int: step=9 is too large for the range 1 to 5: only 1 would be "
            "tried.",
        ),
        (
            "clip_norm=1..5:log:1",
            "clip_norm=1..5:log:1: hp.Float: with log=True a step is the factor between tried "
            "values, such as 2 or 10: give one above 1, or leave it out, got 1.0.",
        ),
        ("epochs=5", f"epochs=5: '5'{NO_RANGE}"),
        ("epochs=", f"epochs=: ''{NO_RANGE}"),
        ("epochs=5..", f"epochs=5..: '5..'{NO_RANGE}"),
        ("epochs=a..b", f"epochs=a..b: 'a..b'{NO_RANGE}"),
        ("optimizer=SGD(0.1,Adam", f"optimizer=SGD(0.1,Adam: 'SGD(0.1,Adam'{NO_RANGE}"),
        ("epochs=2,2", "epochs=2,2: hp.Choice: 2 is given twice among its values."),
        ("epochs=2,x", f"epochs=2,x: epochs=x: {WHOLE}'x' (str)."),
        ("epochs=0..9", f"epochs=0..9: {WHOLE}0 (int), in hp.Int(4, min=0, max=9)."),
        (
            "epochs=1.5..4",
            f"epochs=1.5..4: {WHOLE}2.75 (float), in hp.Float(2.75, min=1.5, max=4.0).",
        ),
        (
            "epochs",
            f"epochs: {WHOLE}False (bool), in hp.Bool(False). To try other values, write "
            "epochs=1..10 or epochs=2,4,6.",
        ),
        (
            "precision=1..3",
            "precision=1..3: Job.precision takes one of 'auto', 'float32', 'bfloat16', 'float16', "
            "got 2 (int), in hp.Int(2, min=1, max=3).",
        ),
        (
            "clip_norm=1..1e999",
            "clip_norm=1..1e999: hp.Float(inf, min=1.0, max=inf): its numbers must be finite.",
        ),
    ],
)
def test_what_is_no_range_of_the_field_is_refused(text, message):
    with pytest.raises(ConfigError) as caught:
        vary(from_instance(Job()), [text])
    assert str(caught.value) == message
