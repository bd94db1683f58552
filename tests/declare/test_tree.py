"""The traversal of a declaration: names, copies, ranges."""

from tfpipe import Pipeline, deferred, hp, keras
from tfpipe.data import Arrays, augment
from tfpipe.declare.tree import flatten, fold, get_at, resolve, set_at, variations, walk
from tfpipe.models import CNN_2_4_6, MLP


def arrays():
    return None


class Everything(Pipeline):
    data = Arrays(arrays, validation=0.2)
    model = CNN_2_4_6(
        dropout=(0.1, hp.Float(0.2, min=0.0, max=0.5), 0.3),
        initializer=keras.initializers.HeNormal(seed=1),
    )
    augment = (augment.flip(), augment.rotate(15))
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(
            hp.Float(1e-3, min=1e-4, max=1e-1, log=True), decay_steps=1000
        ),
        momentum=0.9,
    )
    loss = keras.losses.Huber
    metrics = ("accuracy", keras.metrics.AUC(), keras.metrics.Precision)
    batch_size = hp.Choice(32, values=(32, 64))
    callbacks = (
        deferred("callbacks.confusion").Confusion(1, every=2),
        keras.callbacks.EarlyStopping(patience=5),
    )
    checkpoint_every = "1h30m"


def test_flatten_names_what_is_inside_parts_calls_and_tuples():
    found = flatten(Everything())
    assert list(found)[:3] == ["data", "data.load", "data.validation"]
    assert found["model.dropout"] == Everything.model.dropout
    assert found["augment.1.degrees"] == 15.0
    assert found["optimizer.learning_rate.decay_steps"] == 1000
    assert found["callbacks.0.0"] == 1
    assert found["callbacks.1.patience"] == 5
    assert "batch_size.value" not in found


def test_resolve_leaves_no_range():
    pipeline = resolve(Everything())
    assert pipeline.batch_size == 32
    assert pipeline.model.dropout == (0.1, 0.2, 0.3)
    assert pipeline.optimizer.kwargs["learning_rate"].kwargs["initial_learning_rate"] == 1e-3
    assert "hp." not in repr(pipeline)
    assert resolve(pipeline) == pipeline


def test_a_copy_has_another_value_at_a_path_and_shares_the_rest():
    changed = set_at(Everything(), ("optimizer", "learning_rate", "decay_steps"), 7)
    assert get_at(changed, ("optimizer", "learning_rate", "decay_steps")) == 7
    assert changed.model is Everything().model
    assert set_at(keras.losses.Huber(), ("delta",), 2.0) == keras.losses.Huber(delta=2.0)
    assert set_at(({"a": 1}, 2), (0, "a"), 3) == ({"a": 3}, 2)


def test_what_nothing_changes_is_not_copied():
    pipeline = resolve(Everything())
    assert resolve(pipeline) is pipeline


def test_walking_gives_holders_before_what_they_hold():
    value = ({"a": MLP(units=(8,))},)
    paths = [path for path, _ in walk(value)]
    assert paths[:4] == [(), (0,), (0, "a"), (0, "a", "units")]


def test_folding_gives_each_value_what_came_of_those_inside_it():
    value = ({"a": MLP(units=(8, 4))}, 2)
    depth = fold(value, lambda _, inside: 1 + max(inside.values(), default=0))
    assert depth == 5


def test_each_range_is_varied_while_the_others_keep_their_values():
    value = (hp.Bool(True), {"b": hp.Choice(1, values=(1, 2))})
    assert list(variations(value)) == [(True, {"b": 1}), (False, {"b": 1}), (True, {"b": 2})]
