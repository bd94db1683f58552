"""check --resume: a real SIGKILL, a real resume, and a pipeline with a forgotten memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tfpipe.processes.pool import ProcessPool
from tfpipe.verbs import rehearse

pytestmark = pytest.mark.slow

FORGETFUL = '''

class Forgetful(Callback):
    """Lowers the learning rate step by step, and counts the steps itself."""

    steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.model.optimizer.learning_rate = 0.05 / self.steps
'''
REMEMBERING = """
    def get_state(self):
        return {"steps": self.steps}

    def set_state(self, state):
        self.steps = state["steps"]
"""


def job(small: Path, callback: str) -> None:
    """The small pipeline with a callback of its own."""
    text = small.read_text().replace(
        "    epochs = 2\n",
        "    epochs = 2\n\n    def build_callbacks(self):\n        return [Forgetful()]\n",
    )
    head, _, rest = text.partition("\n\nclass ")
    small.write_text(f"from keras.callbacks import Callback{head}{callback}\n\nclass {rest}")


@pytest.fixture(scope="module", autouse=True)
def shared() -> Iterator[None]:
    """A pool beside those of all rehearsals of this file, so that their fork server stays."""
    with ProcessPool(rehearse.PRELOAD):
        yield


def test_a_forgotten_memory_fails_the_check(tfpipe: Any, small: Path) -> None:
    job(small, FORGETFUL)
    answer = tfpipe("check", small, "--resume")
    assert answer.code == 3
    assert "Killed and resumed is not the same as straight through" in answer.err
    assert "get_state() and set_state(state)" in answer.err


def test_a_pipeline_whose_memory_is_saved_is_said_to_resume_exactly(
    tfpipe: Any, small: Path
) -> None:
    job(small, FORGETFUL + REMEMBERING)
    answer = tfpipe("check", small, "--resume")
    assert answer.code == 0, answer.err
    assert "equal bit for bit" in answer.out
    assert "killed after step 5 of epoch 2" in answer.out
    assert not list(small.parent.glob("runs")), "nothing of the rehearsal is kept"


PHASES = """
    fine_tune = FineTune(phases=(Phase(3), Phase(4, unfreeze="all", batch_norm="trained")))

    def build_model(self):
        import keras

        base = CNN_2_4_6(convs=2, batch_norm=True).build(self.spec())
        inputs = keras.Input((8, 8, 3))
        return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dropout(0.2)(base(inputs))))
"""


def test_a_pipeline_in_phases_is_killed_in_the_last_one(tfpipe: Any, small: Path) -> None:
    text = small.read_text().replace("import Pipeline", "import FineTune, Phase, Pipeline")
    small.write_text(text.replace("    epochs = 2\n", "") + PHASES)
    answer = tfpipe("check", small, "--resume")
    assert answer.code == 0, answer.err
    assert "killed after step 5 of epoch 2" in answer.out


def test_arguments_given_in_python_are_refused(small: Path) -> None:
    import tfpipe
    from tfpipe.declare.loading import load
    from tfpipe.errors import ConfigError

    pipeline = type(load(str(small)).pipeline)(epochs=7)
    with pytest.raises(ConfigError, match="declare all of it in a file"):
        tfpipe.check(pipeline, resume=True)
