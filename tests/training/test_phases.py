"""Training in phases: what each trains, when it ends, and that a resume inside any is exact."""

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from killing import KillAt, Killed, assert_equal, killed, outcome, resumed, run, weights

import tfpipe
from tfpipe import FineTune, Phase, Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import MLP
from tfpipe.models.base import base_of, unfreeze
from tfpipe.training.rates import fall_with_depth

SGD, Adam = tfpipe.keras.optimizers.SGD, tfpipe.keras.optimizers.Adam
EarlyStopping = tfpipe.keras.callbacks.EarlyStopping


def images() -> Any:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    x = rng.integers(0, 120, (60, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), np.where(rng.random(60) < 0.3, 1 - y, y)


def backbone() -> keras.Model:
    """Layers 0 to 5: input, convolution, batch norm, convolution, batch norm, pool."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="first_norm")(x)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="second")(x)
    x = keras.layers.BatchNormalization(name="second_norm")(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="backbone")


class Tuned(Pipeline):
    """Three phases with all that has a memory: 5 steps an epoch, the last one smaller."""

    data = Arrays(images, validation=0.2, test=0.2)
    augment = (augment.flip(),)
    optimizer = SGD(learning_rate=0.05, momentum=0.9)
    fine_tune = FineTune(
        phases=(
            Phase(3),
            Phase(8, optimizer=Adam(0.1), unfreeze="second"),
            Phase(2, optimizer=SGD(0.001, momentum=0.5), unfreeze="all", depth_factor=0.5),
        )
    )
    batch_size = 8
    checkpoint_every = 2
    callbacks = (
        EarlyStopping(monitor="val_loss", patience=1, restore_best_weights=True),
        tfpipe.keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
    )

    def build_model(self) -> keras.Model:
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.Rescaling(1 / 255)(inputs)
        x = keras.layers.Dropout(0.2)(backbone()(x))
        return keras.Model(inputs, keras.layers.Dense(1, name="logits")(x))


class Averaged(Tuned):
    ema = 0.9
    callbacks = ()
    fine_tune = FineTune(phases=(Phase(2), Phase(2, unfreeze="all", batch_norm="trained")))


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Look(keras.callbacks.Callback):
    """The base's weights, its trainable layers and the optimizer at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        base = base_of(self.model)
        self.seen.append(
            {
                "weights": {w.path: w.numpy() for w in base.weights},
                "trained": [layer.name for layer in base.layers if layer.trainable_weights],
                "optimizer": type(self.model.optimizer).__name__,
                "phase": (logs or {}).get("phase"),
            }
        )


# One straight run, which the other tests compare with


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    look = Look()
    result = run(Tuned(), tmp_path_factory.mktemp("straight"), look)
    return {
        "look": look.seen,
        "history": result.history,
        "outcome": outcome(result.directory),
        "weights": weights(result),
        "directory": result.directory,
    }


def test_each_phase_trains_its_layers_with_its_optimizer(straight: dict[str, Any]) -> None:
    seen = straight["look"]
    found = {s["phase"]: (s["optimizer"], s["trained"]) for s in seen}
    assert found == {
        1.0: ("SGD", []),
        2.0: ("Adam", ["second", "second_norm"]),
        3.0: ("SGD", ["first", "first_norm", "second", "second_norm"]),
    }


def test_only_trained_layers_move_and_no_statistics(straight: dict[str, Any]) -> None:
    by_phase = {p: [s["weights"] for s in straight["look"] if s["phase"] == p] for p in (1, 2, 3)}

    def moved(before: Any, after: Any) -> set[str]:
        return {n for n in before if not np.array_equal(before[n], after[n])}

    first = {"first/kernel", "first/bias", "first_norm/gamma", "first_norm/beta"}
    second = {name.replace("first", "second") for name in first}
    assert moved(by_phase[1][0], by_phase[1][-1]) == set()
    assert moved(by_phase[1][-1], by_phase[2][-1]) == second
    assert moved(by_phase[2][-1], by_phase[3][-1]) == first | second


def statistics_after(batch_norm: str, tmp_path: Path) -> dict[str, np.ndarray]:
    class One(Short):
        fine_tune = FineTune(phases=(Phase(1, unfreeze="all", batch_norm=batch_norm),))

    base = base_of(run(One(), tmp_path).model)
    return {w.path: w.numpy() for w in base.weights if "moving" in w.path}


def test_statistics_move_where_they_are_asked_to(tmp_path: Path) -> None:
    fixed = {w.path: w.numpy() for w in backbone().weights if "moving" in w.path}
    kept = statistics_after("inference", tmp_path / "kept")
    moving = statistics_after("trained", tmp_path / "moving")
    assert len(fixed) == 4
    for name, value in fixed.items():
        np.testing.assert_array_equal(kept[name], value)
        assert not np.array_equal(moving[name], value)


def test_early_stopping_ends_a_phase_and_begins_afresh_in_the_next(
    straight: dict[str, Any],
) -> None:
    phases = straight["history"]["phase"]
    lengths = [phases.count(p) for p in (1.0, 2.0, 3.0)]
    assert lengths[0] == 3
    assert 3 <= lengths[1] < 8  # stopped early
    assert lengths[2] == 2
    assert [int(r["epoch"]) for r in rows(straight["directory"])] == list(
        range(1, sum(lengths) + 1)
    )
    assert straight["outcome"]["callbacks"]["EarlyStopping"]["best_epoch"] >= sum(lengths[:2])


def test_the_phase_is_in_metrics_csv_and_on_one_tensorboard_curve(straight: dict[str, Any]) -> None:
    wanted = straight["history"]["phase"]
    assert [float(r["phase"]) for r in rows(straight["directory"])] == wanted
    curve = straight["outcome"]["tensorboard"]["train/epoch_phase"]
    assert [step for step, _ in curve] == list(range(len(wanted)))
    assert len(straight["outcome"]["tensorboard"]["validation/epoch_loss"]) == len(wanted)


def test_killed_and_resumed_in_every_phase_ends_the_same(
    tmp_path: Path, straight: dict[str, Any]
) -> None:
    last = len(straight["history"]["phase"])
    moments = [(0, 3), (2, None), (3, 1), (4, 3), (last - 3, None), (last - 2, 1), (last - 1, 3)]
    begun = False
    for moment in moments:
        with pytest.raises(Killed):
            (resumed if begun else run)(Tuned(), tmp_path, KillAt(*moment))
        begun = True
    result = resumed(Tuned(), tmp_path)
    assert_equal(result.directory, straight["outcome"])
    assert weights(result) == straight["weights"]


def test_averaged_weights_are_put_back_between_phases(tmp_path: Path) -> None:
    wanted = run(Averaged(), tmp_path / "straight")
    killed(Averaged(), tmp_path / "killed", KillAt(1, None))
    result = resumed(Averaged(), tmp_path / "killed")
    assert_equal(result.directory, outcome(wanted.directory))
    assert weights(result) == weights(wanted)


# More phases, more epochs


class Short(Tuned):
    callbacks = ()
    fine_tune = FineTune(phases=(Phase(1), Phase(1, unfreeze="all")))


class Longer(Short):
    fine_tune = FineTune(phases=(Phase(1), Phase(2, unfreeze="all"), Phase(1, unfreeze="second")))


def test_a_finished_run_is_extended_by_epochs_of_the_last_phase_and_by_phases(
    tmp_path: Path,
) -> None:
    wanted = run(Longer(), tmp_path / "straight")
    run(Short(), tmp_path / "extended")
    result = tfpipe.resume(
        "last", pipeline=Longer(), root=tmp_path / "extended", export=False, quiet=True
    )
    assert weights(result) == weights(wanted)
    assert [float(r["phase"]) for r in rows(result.directory)] == [1, 2, 2, 3]


def test_a_finished_run_says_how_to_extend_it(tmp_path: Path) -> None:
    name = run(Short(), tmp_path).name
    with pytest.raises(tfpipe.errors.RunError) as error:
        tfpipe.resume("last", pipeline=Short(), root=tmp_path, quiet=True)
    assert str(error.value) == (
        f"{name} is finished (epoch 2). Extend it with: tfpipe resume {name} "
        "fine_tune.phases.1.epochs=2"
    )


def test_another_earlier_phase_needs_a_fork(tmp_path: Path) -> None:
    killed(Short(), tmp_path, KillAt(1, 3))

    class Other(Short):
        fine_tune = FineTune(phases=(Phase(2), Phase(1, unfreeze="all")))

    with pytest.raises(ConfigError, match=r"changed fine_tune\.phases\.0\.epochs \(1 -> 2\)"):
        resumed(Other(), tmp_path)


# Which layers


@pytest.mark.parametrize(
    ("what", "batch_norm", "trained"),
    [
        (None, "inference", []),
        ("all", "frozen", ["first", "second"]),
        ("all", "inference", ["first", "first_norm", "second", "second_norm"]),
        ("all", "trained", ["first", "first_norm", "second", "second_norm"]),
        (2, "inference", ["second_norm"]),
        ("3:", "trained", ["second", "second_norm"]),
        ("second", "frozen", ["second"]),
    ],
)
def test_unfreeze_chooses_layers(what: Any, batch_norm: Any, trained: list[str]) -> None:
    base = backbone()
    for before in ("all", None, "second"):  # whatever was chosen before
        unfreeze(base, before, "trained")
        unfreeze(base, what, batch_norm)
        assert [layer.name for layer in base.layers if layer.trainable_weights] == trained


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (7, "unfreeze=7: backbone has 6 layers. Use at most that, or 'all'."),
        ("6:", "unfreeze='6:': backbone has 6 layers, the last is number 5."),
        (
            "poool",
            "unfreeze='poool': backbone has no layer of that name. Did you mean 'pool'? "
            "A number n means the last n layers, 'n:' those from number n on.",
        ),
    ],
)
def test_layers_that_are_not_there(what: Any, message: str) -> None:
    with pytest.raises(ModelError) as error:
        unfreeze(backbone(), what)
    assert str(error.value) == message


def test_layers_without_weights_cannot_be_trained() -> None:
    with pytest.raises(ModelError) as error:
        unfreeze(backbone(), 2, "frozen")
    assert str(error.value) == (
        "unfreeze=2: those layers of backbone have no weights to train, batch normalisation being "
        "frozen. Take more of them, or None for a frozen base."
    )


def test_layers_of_a_later_phase_are_looked_for_before_training(tmp_path: Path) -> None:
    class Wrong(Short):
        fine_tune = FineTune(phases=(Phase(1), Phase(1, unfreeze="third")))

    with pytest.raises(ModelError, match="unfreeze='third': backbone has no layer of that name"):
        run(Wrong(), tmp_path)
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_model_without_a_base_has_nothing_to_fine_tune(tmp_path: Path) -> None:
    class Plain(Short):
        model = MLP(units=(4,))

        def build_model(self) -> keras.Model:
            return Pipeline.build_model(self)

    with pytest.raises(ModelError) as error:
        run(Plain(), tmp_path)
    assert str(error.value) == (
        "fine_tune trains more and more of a pretrained model, and there is none inside 'mlp': use "
        "Application or Hub, or nest a keras.Model in build_model()."
    )


# Learning rates by depth


def step_of(factor: float, optimizer: keras.Optimizer) -> dict[str, np.ndarray]:
    """How far one step moves each weight that is trained."""
    keras.utils.set_random_seed(0)
    model = Tuned().build_model()
    unfreeze(base_of(model), "all")
    before = {w.path: w.numpy() for w in model.trainable_weights}
    fall_with_depth(optimizer, base_of(model), factor)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    x, y = images()
    model.train_on_batch(x[:8], y[:8].astype("float32"))
    return {w.path: w.numpy() - before[w.path] for w in model.trainable_weights}


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(0.1),
        lambda: keras.optimizers.AdamW(0.1, weight_decay=0.5),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1), initial_scale=8),
    ],
    ids=["SGD", "AdamW", "scaled Adam"],
)
def test_the_rate_falls_with_depth(make: Any) -> None:
    even, falling = step_of(1.0, make()), step_of(0.5, make())
    depths = {"first": 2, "first_norm": 2, "second": 1, "second_norm": 1}
    for name, moved in even.items():
        factor = 0.5 ** depths.get(name.split("/")[0], 0)
        np.testing.assert_allclose(falling[name], factor * moved, atol=2e-7, err_msg=name)
    assert all(np.any(even[f"{name}/kernel"]) for name in ("first", "second"))


# What is refused


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unfreeze": " "}, "Phase.unfreeze is empty. Use None, 'all', a number of "),
        (
            {"batch_norm": "trained"},
            "Phase.batch_norm is for layers of the base that are trained, ",
        ),
        ({"depth_factor": 0.5}, "Phase.depth_factor is for layers of the base that are trained, "),
    ],
)
def test_phases_that_would_do_nothing(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Phase(1, **fields)
    assert str(error.value).startswith(message)


def test_a_training_without_phases() -> None:
    with pytest.raises(ConfigError) as error:
        FineTune(phases=())
    assert str(error.value) == "FineTune.phases is empty: give at least one Phase(epochs=...)."


def test_epochs_beside_phases() -> None:
    with pytest.raises(ConfigError) as error:
        Tuned(epochs=5)
    assert str(error.value) == (
        "Tuned.epochs=5, and fine_tune has phases of 3 + 8 + 2 epochs. They decide: leave epochs "
        "out, and set fine_tune.phases.2.epochs or the like."
    )
    assert Tuned(epochs=13).all_epochs == Tuned().all_epochs == 13


# The other verbs


def test_check_trains_a_few_steps_of_each_phase() -> None:
    assert tfpipe.check(Short())["trainable_parameters"] == 5  # the first phase's

    class Diverging(Short):
        fine_tune = FineTune(phases=(Phase(1), Phase(1, optimizer=SGD(1e38), unfreeze="all")))

    with pytest.raises(tfpipe.errors.TrainingError, match="the learning rate is far too high"):
        tfpipe.check(Diverging())
