"""Sentences into another language, word by word.

Shows: pairs of sentences, an encoder and a decoder, attention, greedy and beam search, BLEU.

`Translation` is the network of Dive into Deep Learning (10.7): an encoder and a decoder of two GRU
layers of 32 units, embedding 32, dropout 0.1, Adam 0.005, batches of 64, 300 epochs on the first
600 pairs of an English-French corpus, sentences of 10 tokens. That corpus is not at hand here; any
file with a pair a line and a tab between its sentences will do:

    tfpipe run pipelines/translation.py data.path=fra.txt
    tfpipe run pipelines/translation.py --sample

`Numbers` needs no file: lists of up to four numbers below 100 in English and in German, which says
the ones before the tens ("forty two", "zwei und vierzig"). Sentences of 5 and of 8 words are held
out: it is tested on lengths that training has not seen. `NumbersTransformer` learns the same.

    tfpipe run pipelines/translation.py::Numbers
    tfpipe predict last "forty two, seven, ninety nine" --beam 4
"""

import random

from tfpipe import Pipeline, keras
from tfpipe.data import Pairs
from tfpipe.models import Seq2Seq, Transformer

LISTS = 30_000
TESTED = (5, 8)  # words of a sentence, each comma among them

ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
GERMAN = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
    "sechzehn siebzehn achtzehn neunzehn"
)
GERMAN_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"


def english(number: int) -> str:
    """Return the English name of a number from 1 to 99, without a hyphen."""
    if number < 20:
        return ENGLISH.split()[number]
    tens = ENGLISH_TENS.split()[number // 10 - 2]
    return f"{tens} {english(number % 10)}" if number % 10 else tens


def german(number: int) -> str:
    """Return the German name of a number from 1 to 99, its parts as words of their own."""
    if number < 20:
        return GERMAN.split()[number]
    tens = GERMAN_TENS.split()[number // 10 - 2]
    return f"{german(number % 10)} und {tens}" if number % 10 else tens


def numbers() -> dict[str, list[tuple[str, str]]]:
    """Return lists of numbers in both languages, the same ones each time."""
    rng = random.Random(0)
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    drawn = {tuple(rng.randint(1, 99) for _ in range(rng.randint(1, 4))): 0 for _ in range(LISTS)}
    for row in drawn:
        pair = " , ".join(map(english, row)), " , ".join(map(german, row))
        splits["test" if len(pair[0].split()) in TESTED else "train"].append(pair)
    return splits


class Translation(Pipeline):
    """GRU 2 x 32, from English to French."""

    data = Pairs("data/fra.txt", length=10, limit=600, validation=None)
    model = Seq2Seq(cell="gru", units=32, layers=2, embedding=32, dropout=0.1)
    optimizer = keras.optimizers.Adam(0.005)
    clip_norm = 1.0
    batch_size = 64
    epochs = 300


class Numbers(Pipeline):
    """GRU 2 x 64 with attention, from English lists of numbers to German ones."""

    data = Pairs(numbers, length=16, validation=0.1, test="test")
    model = Seq2Seq(units=64, embedding=64, dropout=0.1, attention=True)
    optimizer = keras.optimizers.Adam(0.005)
    clip_norm = 1.0
    batch_size = 128
    epochs = 12


class NumbersTransformer(Pipeline):
    """Two blocks 64 wide, the same."""

    data = Numbers.data
    model = Transformer(layers=2, heads=4, width=64, dropout=0.1)
    optimizer = keras.optimizers.Adam(0.001)
    clip_norm = 1.0
    batch_size = 128
    epochs = 20
