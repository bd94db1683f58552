"""Numbers and dates as people write them, read by Python and, in the model, by TensorFlow alike."""

import datetime
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.formats import DateFormat, NumberFormat
from tfpipe.declare.spec import Feature
from tfpipe.errors import ConfigError
from tfpipe.models.text_columns import text_column

NO = math.inf
COMMA = NumberFormat(decimal=",", thousands=".")


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (NumberFormat(), {"12": 12, "-1.5": -1.5, "+3": 3, ".5": 0.5, "5.": 5, "1e3": 1000}),
        (NumberFormat(), {"": NO, "x": NO, "1,5": NO, "1_0": NO, "nan": NO, "1e99": NO, "--1": NO}),
        (NumberFormat(thousands=","), {"1,234": 1234, "-1,234,567.5": -1234567.5, "999": 999}),
        (NumberFormat(thousands=","), {"1,23": NO, "0,123": NO, ",123": NO, "1234": 1234}),
        (COMMA, {"1.234,5": 1234.5, "0,5": 0.5, ",5": 0.5, "12": 12, "1.5": NO}),
        (NumberFormat(decimal=",", thousands=" "), {"1 234,5": 1234.5, "1\u202f234": 1234}),
        (NumberFormat(thousands="'"), {"1'234.5": 1234.5, "1\u2019234": 1234}),
        (
            NumberFormat(unit="$"),
            {"$5": 5, "-$5": -5, "$-5": -5, "5": NO, "5 $": 5},
        ),
        (NumberFormat(unit="%"), {"12%": 12, "12 %": 12, "-3.5%": -3.5, "12$": NO}),
        (NumberFormat(unit="kg"), {"5 kg": 5, "7kg": 7, "5 g": NO, " 5 kg ": 5}),
    ],
    ids=str,
)
def test_numbers(form: NumberFormat, texts: dict[str, float]) -> None:
    assert {text: form.parse(text) for text in texts} == texts
    layer = text_column(Feature("price", (), "string", "number", format=form))
    wanted = [[math.nan if value == NO else value] for value in texts.values() if value != 1e99]
    read = np.array(layer(tf.constant([*texts])))
    if "1e99" in texts:  # more than TensorFlow's numbers hold
        read[[*texts].index("1e99")] = math.nan
    np.testing.assert_allclose(read, wanted, rtol=1e-6)


@pytest.mark.parametrize("order", ["ymd", "dmy", "mdy"])
@pytest.mark.parametrize("time", [False, True])
def test_dates_of_four_centuries(order: str, time: bool) -> None:
    rng = np.random.default_rng(0)
    start = datetime.datetime(1700, 1, 1)
    dates = [start + datetime.timedelta(minutes=int(n)) for n in rng.integers(0, 210_000_000, 500)]
    dates += [datetime.datetime(2000, 2, 29), datetime.datetime(1900, 3, 1, 23, 59)]
    form = DateFormat(order, time=time)  # type: ignore[arg-type]
    texts = [form.write(date) for date in dates]
    if time:
        assert [form.parse(text) for text in texts] == dates
    layer = text_column(Feature("when", (), "string", "date", format=form))
    wanted = [
        (d.year, d.month, d.day, d.weekday(), d.hour + d.minute / 60)[: len(form.names)]
        for d in dates
    ]
    np.testing.assert_allclose(layer(tf.constant(texts)), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("order", "text", "date"),
    [
        ("ymd", "2024-01-31", (2024, 1, 31)),
        ("ymd", "2024/1/3", (2024, 1, 3)),
        ("ymd", "2024-01-31T14:05:09.25Z", (2024, 1, 31, 14, 5)),
        ("ymd", "2024-01-31 14:05+01:00", (2024, 1, 31, 14, 5)),
        ("dmy", "31.01.2024", (2024, 1, 31)),
        ("mdy", "1/31/2024 2:05 PM", (2024, 1, 31, 14, 5)),
        ("mdy", "1/31/2024 12:05 am", (2024, 1, 31, 0, 5)),
        ("dmy", "31/02/2024", None),
        ("dmy", "01/31/2024", None),
        ("ymd", "2024-01-31 25:00", None),
        ("ymd", "today", None),
    ],
)
def test_a_date_as_it_is_written(order: str, text: str, date: tuple[int, ...] | None) -> None:
    form = DateFormat(order, time=True)  # type: ignore[arg-type]
    assert form.parse(text) == (date and datetime.datetime(*date))
    if date:
        layer = text_column(Feature("when", (), "string", "date", format=form))
        read = np.asarray(layer(tf.constant([text])))[0]
        known = datetime.datetime(*date)
        wanted = [*date[:3], known.weekday(), known.hour + known.minute / 60]
        np.testing.assert_allclose(read, wanted, rtol=1e-6)


def test_the_layers_are_made_again_from_what_a_saved_model_holds() -> None:
    for feature in (
        Feature("a", (), "string", "number", format=COMMA),
        Feature("b", (), "string", "date", format=DateFormat("dmy", time=True)),
    ):
        layer = text_column(feature)
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert (again.format, again.name) == (layer.format, layer.name)


def test_one_mark_for_two_things_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        NumberFormat(decimal=",", thousands=",")
    assert str(refused.value) == (
        "decimal=',' and thousands=',' are the same mark: declare two that differ."
    )
