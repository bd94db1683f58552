"""Sentences into another language, word by word.

Shows: pairs of sentences, an encoder and a decoder, attention, greedy and beam search, BLEU.

`Translation` is the network of Dive into Deep Learning (10.7): an encoder and a decoder of two GRU
layers of 32 units, embedding 32, dropout 0.1, Adam 0.005, batches of 64, 300 epochs on the first
600 pairs of an English-French corpus, sentences of 10 tokens. That corpus is not at hand here; any
file with a pair a line and a tab between its sentences will do:

    tfpipe run pipelines/translation.py data.path=fra.txt
    tfpipe run pipelines/translation.py --sample

`Numbers` needs no file: English names of the numbers below 10,000 into German ones, which say the
ones before the tens ("forty two", "zwei und vierzig"). Names of five words are held out, so that
none of that length has been seen in training. `NumbersTransformer` learns the same.

    tfpipe run pipelines/translation.py::Numbers
    tfpipe predict last "three thousand four hundred twenty" --beam 4
"""

from tfpipe import Pipeline, keras
from tfpipe.data import Pairs
from tfpipe.models import Seq2Seq, Transformer

HELD_OUT = 5  # words

ENGLISH = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
GERMAN = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
GERMAN_TENS = [
    "zwanzig",
    "dreißig",
    "vierzig",
    "fünfzig",
    "sechzig",
    "siebzig",
    "achtzig",
    "neunzig",
]


def english(number: int) -> str:
    """Return the English name of a number below 10,000, without "and" and hyphens."""
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {english(number % size)}" if number % size else ""
            return f"{english(number // size)} {name}{rest}"
    if number < 20:
        return ENGLISH[number]
    tens = ENGLISH_TENS[number // 10 - 2]
    return f"{tens} {english(number % 10)}" if number % 10 else tens


def german(number: int) -> str:
    """Return the German name of a number below 10,000, its parts as words of their own."""
    for size, name in ((1000, "tausend"), (100, "hundert")):
        if number >= size:
            rest = f" {german(number % size)}" if number % size else ""
            return f"{german(number // size)} {name}{rest}"
    if number < 20:
        return GERMAN[number]
    tens = GERMAN_TENS[number // 10 - 2]
    return f"{GERMAN[number % 10]} und {tens}" if number % 10 else tens


def numbers() -> dict[str, list[tuple[str, str]]]:
    """Return the names of all numbers, those of five words as the test split."""
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for number in range(1, 10_000):
        pair = english(number), german(number)
        splits["test" if len(pair[0].split()) == HELD_OUT else "train"].append(pair)
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
    """GRU 2 x 64 with attention, from English numbers to German ones."""

    data = Pairs(numbers, length=10, validation=0.1, test="test")
    model = Seq2Seq(units=64, embedding=64, dropout=0.1, attention=True)
    optimizer = keras.optimizers.Adam(0.005)
    clip_norm = 1.0
    batch_size = 128
    epochs = 10


class NumbersTransformer(Numbers):
    """Two blocks 64 wide, the same."""

    model = Transformer(layers=2, heads=4, width=64, dropout=0.1)
    optimizer = keras.optimizers.Adam(0.001)
    epochs = 20
