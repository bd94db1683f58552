"""Recurrent networks that learn The Time Machine by characters.

Shows: a text in windows, in random order or with the state carried from batch to batch; gradients
clipped to a norm; perplexity; how a prompt is continued.

The networks and numbers are those of a published course on H. G. Wells's book: letters in lower
case alone (170,580 characters, a vocabulary of 28), of which the first 10,000 are trained on, in
windows of 35 and batches of 32. Its perplexities on these after 50 epochs: 6.2 (RNN, sequential),
4.5 (RNN, random), 9.0 (GRU), 10.3 (LSTM). It holds nothing out, so that a network which knows the
10,000 characters by heart looks perfect. Here the last 10,000 characters are held out, and the
perplexity on them is beside the other. The best model of a run is that of the least validation
loss, after a few epochs; the export is the last one.

    tfpipe run pipelines/time_machine.py::TimeMachineRNN data.path=timemachine.txt
    tfpipe predict last --prompt "time traveller" --length 50 --temperature 0.8
"""

from tfpipe import Pipeline, keras
from tfpipe.data import Text
from tfpipe.models import CharRNN

TEXT = Text(
    "data/timemachine.txt",
    windows=35,
    normalise="letters",
    limit=10_000,
    validation=10_000,
    prompt="time traveller",
)


class TimeMachineRNN(Pipeline):
    """512 tanh units, the state carried: 291,356 parameters."""

    data = TEXT.replace(order="sequential")
    model = CharRNN("rnn", units=512)
    optimizer = keras.optimizers.SGD(1.0)
    clip_norm = 1.0
    batch_size = 32
    epochs = 50


class TimeMachineRandom(TimeMachineRNN):
    """The same on windows in random order."""

    data = TEXT


class TimeMachineSmallRNN(TimeMachineRNN):
    """256 tanh units: 80,156 parameters."""

    model = CharRNN("rnn", units=256)


class TimeMachineGRU(TimeMachineRNN):
    """226,844 parameters."""

    model = CharRNN("gru", units=256)


class TimeMachineLSTM(TimeMachineRNN):
    """299,036 parameters."""

    model = CharRNN("lstm", units=256)


class TimeMachineDeepLSTM(TimeMachineRNN):
    """Two layers: 824,348 parameters."""

    model = CharRNN("lstm", units=256, layers=2)
    optimizer = keras.optimizers.SGD(2.0)


class TimeMachineBiLSTM(TimeMachineRNN):
    """The wrong tool: reading backwards it sees the answer. 2,172,956 parameters."""

    data = TEXT
    model = CharRNN("lstm", units=256, layers=2, bidirectional=True)
