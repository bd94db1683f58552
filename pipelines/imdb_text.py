"""Whether a film review is good or bad, from its words.

Shows: a folder of texts, a vocabulary learnt from the training texts and kept in the model.

The numbers are those of TensorFlow's guide to text classification: 80/20 of the training reviews
with seed 42 (20,000/5,000/25,000), the 10,000 most frequent words, 250 of each review, 160,033
parameters, Adam, batches of 32, ten epochs. The guide prints no test accuracy to compare with; this
network is known to reach 86 to 88%. The SavedModel takes raw texts. This declaration reaches 86.3%
(benchmarks/results.md).

    tfpipe run pipelines/imdb_text.py data.path=aclImdb
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TextFolder
from tfpipe.models import TextClassifier


class ImdbText(Pipeline):
    """Embedding 16, dropout, average, dropout, 1."""

    data = TextFolder("data/aclImdb", classes=("neg", "pos"), validation=0.2)
    model = TextClassifier(vocabulary=10_000, length=250, embedding=16, dropout=0.2)
    optimizer = keras.optimizers.Adam()
    batch_size = 32
    epochs = 10
    seed = 42
