"""Drawings and files on the page: what the model gets of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chromium import Tab
from tests.serving.conftest import Client
from tests.serving.page_models import (
    CURL,
    FIRST,
    FUNCTIONS,
    PROBLEM,
    choose,
    opened,
    picture,
    run_command,
)
from tfpipe.data.images.ink import centred


def got(model: str = "digit") -> np.ndarray:
    """The picture that a model was asked about last."""
    return picture(FUNCTIONS[model].asked[-1]["bytes"][0])


def check_like_mnist(image: np.ndarray) -> None:
    """Assert light ink on dark paper within 20 x 20, its mass in the middle."""
    rows, columns = np.nonzero(image > 25)
    assert image[0, 0] == 0
    assert image.max() == 255
    assert max(np.ptp(rows), np.ptp(columns)) in (18, 19, 20)
    middle = [(image * place).sum() / image.sum() for place in np.indices(image.shape)]
    assert middle == pytest.approx([13.5, 13.5], abs=0.8)


@pytest.mark.parametrize("dark", [False, True])
def test_a_drawing_by_keyboard(browser: Tab, pages: Client, dark: bool) -> None:
    opened(browser, pages, "digit")
    if dark:
        browser.run("document.getElementById('dark').click()")
    browser.run("document.getElementById('drawing').focus()")
    for key in (" ", *["ArrowDown"] * 12, *["ArrowRight"] * 5):
        browser.key(key)
    browser.until(f"{FIRST} == '1'")
    browser.run("new Promise(done => setTimeout(done, 250))")
    check_like_mnist(got())
    # An empty sheet has no answer.
    browser.run("document.getElementById('clear').click()")
    browser.until(f"{FIRST} === undefined")


def test_a_picture_is_answered_with_a_picture(browser: Tab, pages: Client, tmp_path: Path) -> None:
    opened(browser, pages, "larger")
    assert "Any size." in browser.run("document.getElementById('input').innerText")
    Image.new("RGB", (30, 20), "teal").save(tmp_path / "photo.png")
    browser.files("#file", tmp_path / "photo.png")
    shown = "document.querySelector('#answer img.answered')"
    browser.until(f"{shown}?.naturalWidth === 60 && {shown}.naturalHeight === 40")
    browser.until("document.getElementById('answer').innerText.includes('60 x 40 pixels')")
    assert browser.run("document.querySelector('#answer a').download") == "answer.png"
    run_command(browser, tmp_path)


def test_objects_are_drawn_in_the_picture(browser: Tab, pages: Client, tmp_path: Path) -> None:
    sheet = np.zeros((120, 200, 3), np.uint8)
    sheet[30:90, 50:150] = 250
    Image.fromarray(sheet).save(tmp_path / "night.png")
    opened(browser, pages, "sky")
    browser.files("#file", tmp_path / "night.png")
    browser.until(f"{FIRST} == '1 star'")
    canvas = "document.getElementById('boxes')"
    browser.until(f"!{canvas}.hidden && {canvas}.width === 200 && {canvas}.height === 120")
    pixel = f"[...{canvas}.getContext('2d').getImageData(100, 30, 1, 1).data.slice(0, 3)]"
    red, green, blue = browser.run(pixel)  # on the upper edge of the box
    assert max(red, green, blue) - min(red, green, blue) > 100
    cells = "[...document.querySelectorAll('#answer tbody tr')].map(row => row.innerText)"
    (row,) = browser.run(cells)
    assert row.split() == ["star", "90%", "50,", "30,", "150,", "90"]
    assert browser.run(f"{canvas}.getAttribute('aria-label')") == "The picture with 1 star"
    set_score = "Object.assign(document.getElementById('least'), {value: 0.2})"
    browser.run(f"{set_score}.dispatchEvent(new Event('input'))")
    assert len(browser.run(cells)) == 2
    assert browser.run(FIRST) == "1 star, 1 moon"
    browser.picture(tmp_path / "page.png")
    run_command(browser, tmp_path)


@pytest.mark.parametrize("dark", [False, True])
def test_a_file_with_a_digit(browser: Tab, pages: Client, tmp_path: Path, dark: bool) -> None:
    paper, ink = (20, 240) if dark else (235, 10)
    sheet = np.full((300, 200), paper, np.uint8)
    sheet[60:200, 40:60] = sheet[180:200, 40:120] = ink
    file = tmp_path / "an L.png"
    Image.fromarray(sheet).save(file)
    opened(browser, pages, "digit")
    before = len(FUNCTIONS["digit"].asked)
    browser.files("#file", file)
    browser.until(f"{FIRST} == '1'")
    assert len(FUNCTIONS["digit"].asked) == before + 1
    check_like_mnist(got())


@pytest.mark.parametrize("dark", [False, True])
def test_a_photograph_in_uneven_light(
    browser: Tab, pages: Client, tmp_path: Path, dark: bool
) -> None:
    """The page cuts out what `tfpipe predict --signs` does."""
    sheet = np.full((300, 200), 60.0 if dark else 225.0)
    sheet[60:200, 40:60] = sheet[180:200, 40:120] = 225 if dark else 45
    y, x = np.mgrid[-1:1:300j, -1:1:200j]
    light = 0.65 + 0.3 * x + 0.1 * y - 0.1 * (x**2 + y**2)
    noise = np.random.default_rng(0).normal(0, 6, sheet.shape)
    photo = (sheet * light + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    opened(browser, pages, "digit")
    browser.files("#file", tmp_path / "photo.png")
    browser.until(f"{FIRST} == '1'")
    check_like_mnist(got())
    assert np.abs(got() - centred(photo).astype(int)).mean() < 15


def test_files_that_are_dropped_or_none(browser: Tab, pages: Client, tmp_path: Path) -> None:
    opened(browser, pages, "digit")
    (tmp_path / "notes.png").write_text("not a picture")
    browser.files("#file", tmp_path / "notes.png")
    browser.until(f"{PROBLEM}.includes('no image that can be read')")
    written_file = io.BytesIO()
    Image.new("L", (40, 40), 255).save(written_file, "png")
    browser.run(
        "(() => { const data = new DataTransfer();"
        f" data.items.add(new File([new Uint8Array({[*written_file.getvalue()]})], 'white.png',"
        " { type: 'image/png' }));"
        " document.querySelector('.drop').dispatchEvent("
        "new DragEvent('drop', { dataTransfer: data })); })()"
    )
    # Nothing is on it: it is asked as it is.
    browser.until(f"{FIRST} == '2' && !{PROBLEM}")
    assert "'white.png'" in browser.run(CURL)


@pytest.mark.parametrize("inverted", [False, True])
def test_a_file_of_the_models_size_is_kept(
    browser: Tab, pages: Client, tmp_path: Path, inverted: bool
) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[3:14, 5:8] = np.arange(33).reshape(11, 3) * 5 + 95
    Image.fromarray(255 - image if inverted else image).save(tmp_path / "small.png")
    opened(browser, pages, "digit")
    browser.files("#file", tmp_path / "small.png")
    browser.until(f"{FIRST} == '1'")
    assert np.abs(got() - image).max() <= 1


PAPER = "[...document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
SHEET = "document.getElementById('drawing').getContext('2d').getImageData(0, 0, 280, 280).data"


@pytest.mark.parametrize("inverted", [False, True])
def test_a_file_is_turned_as_in_training(
    browser: Tab, pages: Client, tmp_path: Path, inverted: bool
) -> None:
    """Of what is no sign nothing is cut out; a photo on white becomes one on black."""
    image = np.zeros((56, 56), np.uint8)
    image[6:50, 20:36] = np.linspace(60, 250, 44)[:, None]
    Image.fromarray(255 - image if inverted else image).save(tmp_path / "it's.png")
    opened(browser, pages, "fashion")
    browser.files("#file", tmp_path / "it's.png")
    browser.until(f"{FIRST} == 'shoe'")
    asked = got("fashion")
    shrunk = np.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BOX)).astype(int)
    if inverted:
        assert np.abs(asked - shrunk).mean() < 6
    else:
        assert np.array_equal(asked, image)  # the file itself
    note = browser.run("document.getElementById('turned').textContent")
    assert note == ("Turned to light on dark, as in training." if inverted else "")
    # What the model gets is shown, and a command in a shell asks the same.
    assert np.abs(np.array(browser.run(PAPER)).reshape(28, 28, 4)[..., 0] - shrunk).mean() < 6
    run_command(browser, tmp_path)
    assert np.array_equal(got("fashion"), asked)


def test_a_drawing_and_a_file_take_turns(browser: Tab, pages: Client, tmp_path: Path) -> None:
    """On a phone, whose answer must not cover the sheet."""
    Image.new("L", (40, 40), 255).save(tmp_path / "white.png")
    opened(browser, pages, "digit", 360, 740)
    browser.run("document.getElementById('drawing').focus()")
    for key in (" ", "ArrowDown", "ArrowDown"):
        browser.key(key)
    browser.until(FIRST)
    below, over = browser.run(
        "[document.getElementById('drawing').getBoundingClientRect().bottom,"
        " document.querySelector('.columns > section:last-child').getBoundingClientRect().top]"
    )
    assert below <= over
    assert browser.run("document.documentElement.scrollWidth") <= 360
    browser.files("#file", tmp_path / "white.png")
    browser.until(f"{FIRST} == '2'")
    assert browser.run(f"{SHEET}.every(value => value === 255)")
    browser.run("document.getElementById('drawing').focus()")
    for key in (" ", "ArrowDown"):
        browser.key(key)
    browser.until(f"{FIRST} == '1'")
    assert browser.run("document.getElementById('preview').hidden")


def test_a_file_that_is_read_late_is_dropped(browser: Tab, pages: Client, tmp_path: Path) -> None:
    Image.new("L", (40, 40), 255).save(tmp_path / "white.png")
    opened(browser, pages, "digit")
    before = len(FUNCTIONS["digit"].asked)
    browser.run(
        "(() => { const read = File.prototype.arrayBuffer;"
        " File.prototype.arrayBuffer = function () {"
        " return new Promise(done => setTimeout(() => done(read.call(this)), 300)); }; })()"
    )
    browser.files("#file", tmp_path / "white.png")
    choose(browser, "text")
    browser.run("new Promise(done => setTimeout(done, 700))")
    assert browser.run(FIRST) is None
    assert len(FUNCTIONS["digit"].asked) == before
