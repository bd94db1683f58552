"""Which programming language a question is about: texts of more than two classes.

Shows: the text pipeline with several classes.

The exercise at the end of TensorFlow's guide to text classification: 16,000 questions of Stack
Overflow by tag, in folders train/<tag>/*.txt and test/<tag>/*.txt. The guide gives no number, and
the data is not at hand here, so this has been run on generated texts only.

    tfpipe run pipelines/stackoverflow_text.py data.path=stack_overflow_16k
    tfpipe run pipelines/stackoverflow_text.py --sample
"""

from tfpipe import Pipeline, keras
from tfpipe.data import TextFolder
from tfpipe.models import TextClassifier


class StackoverflowText(Pipeline):
    """Embedding 16, dropout, average, dropout, 4."""

    data = TextFolder(
        "data/stack_overflow_16k",
        classes=("csharp", "java", "javascript", "python"),
        validation=0.2,
    )
    model = TextClassifier(vocabulary=10_000, length=250, embedding=16, dropout=0.2)
    optimizer = keras.optimizers.Adam()
    batch_size = 32
    epochs = 10
    seed = 42
