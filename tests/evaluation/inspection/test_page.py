"""What the page shows, as Chromium has it: each number is that of Keras."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.chromium import BROWSER, Tab, tab
from tests.specs import label_of
from tfpipe.evaluation.inspection.trace import trace
from tfpipe.evaluation.inspection.write import InspectedImage, Inspection, write_page
from tfpipe.tasks.task import task_of

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")

VIEWS = (
    "view=overview",
    "view=elastic&layer=conv&map=1",
    "view=elastic&layer=logits&map=2",
    "view=elastic&layer=probabilities&map=2",
    "view=formula&layer=conv&map=1&channel=2&row=3&column=4",
    "view=formula&layer=flatten&map=20",
    "view=formula&layer=pool&map=3",
    "view=sizes&size=32&kernel=5&stride=3",
)
# At every place of some maps of every layer: the sum that the page computes, and the number that it
# shows as the model's own.
EVERY_FORMULA = """
(() => {
  const found = [], last = (id) => {
    const all = document.querySelectorAll(`#${id} .number, #${id}.number`);
    return all.length ? Number(all[all.length - 1].title) : null;
  };
  steps.forEach((step, layer) => {
    if (["softmax", "globalavg"].includes(step.form)) return;
    for (let map = 0; map < unitCount(step); map += 2) {
      Object.assign(state, { view: "formula", layer, map, channel: 0, row: 0, column: 0 });
      const here = document.createElement("div");
      settle();
      document.body.append(here);
      const { slides } = scene();
      for (let row = 0; row < Math.min(slides.height, 5); row++) {
        for (let column = 0; column < slides.width; column++) {
          const unit = row * slides.width + column;
          const still = ["flatten", "dense"].includes(step.form);
          if ((still && unit) || unit >= slides.size) continue;
          if (!isMaps(step) && !still) state.map = unit;
          if (!still) Object.assign(state, { row, column });
          here.replaceChildren(...numbersOfWindow(scene()));
          found.push([step.name, state.map, state.row, state.column, last("total"), last("own")]);
        }
      }
      here.remove();
    }
  });
  return found;
})()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


@pytest.fixture
def show(browser: Tab, inspected: Any) -> Any:
    """Opens a view, in a window of a width."""

    def opened(view: str, width: int = 1280) -> Tab:
        browser.complaints.clear()
        browser.open(f"file://{inspected.file}#{view}", width)
        browser.until("document.body?.dataset.ready == 'yes'")
        return browser

    return opened


def titles(page: Tab, selector: str) -> list[float]:
    """The numbers below a selector, with all of their digits."""
    script = f"Array.from(document.querySelectorAll('{selector}'), (e) => Number(e.title))"
    found: list[float] = page.run(script)
    return found


def click(page: Tab, selector: str) -> None:
    """Press the left button of the mouse in the middle of an element."""
    box = page.run(
        f"(() => {{ const e = document.querySelector('{selector}'); "
        "e.scrollIntoView({block: 'center', inline: 'center'}); "
        "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.mouse(kind, *box)


def test_every_formula_comes_to_what_keras_gave(show: Any, inspected: Any) -> None:
    rows = show("view=overview").run(EVERY_FORMULA)
    traced = {step.name: step for step in inspected.traced[0]}
    assert {row[0] for row in rows} == traced.keys() - {"probabilities", "overall"}
    for name, map_, row, column, total, own in rows:
        step = traced[name]
        value = step.values[row, column, map_] if step.maps else step.values[map_]
        assert own == pytest.approx(float(value), rel=1e-6), (name, map_, row, column)
        if step.form not in ("input", "plain"):
            assert total == pytest.approx(own, rel=2e-5, abs=2e-6), (name, map_, row, column)


def test_a_click_on_a_map_shows_its_kernel_and_its_numbers(show: Any, inspected: Any) -> None:
    page, model = show("view=overview"), inspected.model
    click(page, '#layers .column[data-step=conv] button[data-map="1"]')
    page.until("document.getElementById('title')?.textContent == 'conv, map 1'")
    assert page.run("document.querySelectorAll('.card').length") == 3
    given = keras.Model(model.input, model.get_layer("rescaling").output)
    maps = np.asarray(given(inspected.images[:1]), np.float64)[0]
    layer = model.get_layer("conv")
    kernel, bias = np.asarray(layer.kernel), float(np.asarray(layer.bias)[1])
    # The intermediate result of each input map, at every place, as Keras convolves it.
    for channel in range(3):
        alone = maps[None, :, :, channel : channel + 1].astype("float32")
        of_keras = keras.ops.conv(alone, kernel[:, :, channel : channel + 1, 1:2], padding="same")
        shown = page.run(f"Array.from(convolved(steps[2], 1, {channel}))")
        np.testing.assert_allclose(shown, np.asarray(of_keras).reshape(-1), atol=2e-6)
    click(page, ".card:nth-child(3)")
    page.until("document.querySelectorAll('#numbers table').length == 3")
    page.run("slide(0, 0)")  # it begins in the middle
    for name, down in (("ArrowDown", 4), ("ArrowRight", 5)):
        for _ in range(down):
            page.key(name)
    assert page.run("document.getElementById('at').textContent") == "row 4, column 5"
    window = maps[3:6, 4:7, 2].reshape(-1)
    slice_ = kernel[:, :, 2, 1].reshape(-1).astype(np.float64)
    found = titles(page, "#numbers td")
    np.testing.assert_allclose(found, [*window, *slice_, *(window * slice_)], rtol=1e-6)
    assert titles(page, "#sum b") == [pytest.approx(float(window @ slice_))]
    of_model = float(inspected.traced[0][2].values[4, 5, 1])
    first, others, shown_bias, total = titles(page, "#total b")
    assert (first + others + shown_bias, shown_bias) == (
        pytest.approx(of_model, rel=1e-5),
        pytest.approx(bias),
    )
    assert [total, *titles(page, "#own")] == [pytest.approx(of_model, rel=1e-5)] * 2
    # At the edge the window reads the padding, which is zeros.
    page.run("slide(0, 0)")
    assert page.run("document.querySelectorAll('#numbers td.padding').length") == 10 // 2
    assert titles(page, "#numbers td.padding") == [0.0] * 5
    for view in ("elastic", "overview"):
        page.key("Escape")
        page.until(f"document.body.dataset.view == '{view}'")
    page.until("document.activeElement.dataset.map == '1'")
    assert page.complaints == []


def test_softmax_and_the_weights_that_lead_to_a_class(show: Any, inspected: Any) -> None:
    *_, logits, answer = inspected.traced[0]
    by_name = {step.name: step.values for step in inspected.traced[0]}
    page = show("view=elastic&layer=probabilities&map=2")
    shown = np.reshape(titles(page, "table.classes .number"), (5, 3))
    np.testing.assert_allclose(shown[:, 0], logits.values, rtol=1e-6)
    np.testing.assert_allclose(shown[:, 2], answer.values, rtol=1e-6)
    assert titles(page, "#total b")[-1] == pytest.approx(float(answer.values[2]), rel=1e-6)
    assert page.run("document.querySelector('tr.chosen th').textContent") == "c"
    page = show("view=elastic&layer=logits&map=1")
    products = by_name["sum"] * np.asarray(inspected.model.get_layer("logits").kernel)[:, 1]
    most = np.argsort(-np.abs(products))
    np.testing.assert_allclose(titles(page, ".largest td:last-child"), products[most], rtol=1e-5)
    page = show("view=elastic&layer=hidden&map=3")
    kernel = np.asarray(inspected.model.get_layer("hidden").kernel)[:, 3]
    shape = by_name["separable"].shape
    of_map = page.run("Array.from(denseProducts(steps[state.layer], 3, 5).kernel)")
    np.testing.assert_allclose(of_map, kernel.reshape(shape)[:, :, 5].reshape(-1), rtol=1e-6)
    assert page.run("document.querySelectorAll('.card').length") == 7
    page = show("view=formula&layer=overall&map=4")
    mean = by_name["overall"][4]
    assert titles(page, "#total b")[-1] == pytest.approx(float(mean), rel=1e-5)


def test_a_legend_for_a_layer_a_module_or_the_network(show: Any, inspected: Any) -> None:
    values = {s.name: s.values for s in inspected.traced[0]}
    names = ("rescaling", "conv", "conv/relu", "norm", "pool")
    module = np.concatenate([values[name].reshape(-1) for name in names])
    network = np.concatenate([v.reshape(-1) for name, v in values.items() if name != "input"])
    legend = '[data-step="conv"] .legend .number'
    for scale, numbers in (("layer", values["conv"]), ("module", module), ("network", network)):
        page = show(f"view=overview&scale={scale}")
        expected = [float(numbers.min()), float(numbers.max())]
        assert titles(page, legend) == pytest.approx(expected, rel=1e-6)
    page.run("document.querySelectorAll('button.image')[1].click()")
    page.until("document.querySelectorAll('button.image')[1].ariaPressed == 'true'")
    second = np.concatenate([s.values.reshape(-1) for s in inspected.traced[1][1:]])
    assert titles(page, legend) == pytest.approx([second.min(), second.max()], rel=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone_and_is_labelled(show: Any, view: str) -> None:
    page = show(view, 390)
    assert page.run("document.documentElement.scrollWidth") <= 390
    unnamed = (
        "Array.from(document.querySelectorAll('button, select, input, canvas, [tabindex]'))"
        ".filter((e) => !(e.textContent.trim() || e.ariaLabel || e.ariaHidden == 'true' || "
        "e.labels?.length || e.id == 'title')).map((e) => e.outerHTML)"
    )
    assert page.run(unnamed) == []
    small = (
        "Array.from(document.querySelectorAll('main button:not(.tile)'))"
        ".filter((e) => e.getBoundingClientRect().height < 24).length"
    )
    assert page.run(small) == 0
    assert page.complaints == []


def test_fingers_keys_and_play_move_the_window(show: Any) -> None:
    page = show("view=formula&layer=capped&map=0", 390)
    box = page.run(
        "(() => { const b = document.querySelector('.board').getBoundingClientRect(); "
        "return [b.x, b.y, b.width, b.height]; })()"
    )
    x, y = box[0] + box[2] - 4, box[1] + box[3] - 4
    page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    at = "document.getElementById('at').textContent"
    page.until(f"{at} == 'row 3, column 2'")
    page.run("document.getElementById('play').click()")
    page.until(f"{at} == 'row 0, column 0'")
    page.until(f"{at} == 'row 0, column 1'")
    page.run("document.getElementById('play').click()")
    assert page.run("playing") is None
    page.key("ArrowDown")
    page.until(f"{at}.startsWith('row 1')")
    assert "row 1" in page.run("document.getElementById('said').textContent")
    page.until("location.hash.includes('row=1')")


def test_each_branch_of_a_sum_can_be_seen(show: Any, inspected: Any) -> None:
    by_name = {step.name: step.values for step in inspected.traced[0]}
    page = show("view=elastic&layer=add&map=2")
    assert page.run("document.querySelectorAll('.card').length") == 2
    click(page, ".card:nth-child(2)")
    page.until("document.getElementById('branch')?.value == '1'")
    page.run("slide(1, 2)")
    terms = [by_name[name][1, 2, 2] for name in ("strided", "point", "add")]
    assert titles(page, "#total b") == pytest.approx([float(term) for term in terms], rel=1e-5)
    assert "Input: point, map 2" in page.run("document.body.innerText")


def test_arrows_lead_from_map_to_map_and_from_layer_to_layer(show: Any) -> None:
    page = show("view=overview")
    page.run("document.querySelector('[data-step=\"rescaling\"] button').focus()")
    seen = "document.activeElement.getAttribute('aria-label')"
    page.key("ArrowDown")
    assert page.run(seen).startswith("rescaling, map 1 of 3, from \u2212")
    page.key("ArrowRight")
    assert page.run(seen).startswith("conv, map 0 of 4")
    page.key("ArrowLeft")
    assert page.run(seen).startswith("rescaling, map 1 of 3")
    page.run("document.querySelector('[data-step=\"flatten\"] button').scrollIntoView()")
    box = page.run(
        "(() => { const b = document.querySelector('[data-step=\"flatten\"] button')"
        ".getBoundingClientRect(); return [b.x, b.y]; })()"
    )
    stops = "document.querySelectorAll('#layers [data-step] .tiles').length"
    assert page.run("document.querySelectorAll('#layers button[tabindex=\"0\"]').length") <= (
        page.run(stops)
    )
    for kind in ("mousePressed", "mouseReleased"):  # of many units the click takes one
        page.mouse(kind, box[0] + 4, box[1] + 8 * 9 + 4)
    page.until("document.getElementById('title')?.textContent == 'flatten, unit 9'")


def test_sizes(show: Any) -> None:
    page = show("view=sizes&size=7&padding=1&kernel=3&stride=2")
    text = (
        "document.getElementById('{}').textContent"
        ".replaceAll('\u2212', '-').replaceAll('\u00d7', 'x')"
    ).format
    assert page.run(text("total")) == "(7 + 2 · 1 - 3) / 2 + 1 = 4: the output is 4x4"
    assert page.run(text("strides")) == (
        "Strides that fit: 1 ✓2 ✓3 ✓6 ✓Strides that do not fit: 4 ✗5 ✗7 ✗8 ✗"
    )
    assert page.run("document.querySelectorAll('#sizes-out i').length") == 16
    page.run("document.querySelector('.chip[aria-label=\"stride 4 does not fit\"]').click()")
    page.until(f"{text('total')}.endsWith('2.5, rounded down 2: the output is 2x2')")
    assert "6 places are left for the kernel to move" in page.run(text("fits"))
    assert "The last 2 rows and columns are never read" in page.run(text("fits"))
    assert page.run("document.querySelectorAll('#sizes-in i.unread').length") == 81 - 49
    page.key("ArrowRight")
    assert page.run(text("at")).startswith("output row 0, column 1: reads rows -1 to 1, columns 3")
    page = show("view=sizes&size=2&kernel=5&padding=0")
    assert page.run(text("total")) == "No output"
    assert "does not fit into an input of 2" in page.run(text("fits"))
    for size in range(1, 10):  # as Keras has it
        for kernel in range(1, size + 1):
            layer = keras.layers.Conv2D(1, kernel, strides=3)
            places = page.run(f"placesOf({size}, 0, {kernel}, 3).places")
            assert layer.compute_output_shape((1, size, size, 1))[1] == places


def test_light_and_dark(show: Any, browser: Tab) -> None:
    seen = []
    for value in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": value}]
        browser.call("Emulation.setEmulatedMedia", features=features)
        page = show("view=overview")
        seen.append(page.run("[getComputedStyle(document.body).backgroundColor, css(inks.zero)]"))
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert seen == [
        ["rgb(255, 255, 255)", "rgb(245 246 247)"],
        ["rgb(22, 24, 27)", "rgb(34 37 41)"],
    ]


def test_an_address_that_a_person_wrote_breaks_nothing(show: Any) -> None:
    for view in (
        "view=formula&layer=conv&map=999&channel=77&row=5000&column=9999999",
        "view=elastic&layer=nothing&map=-1&image=44",
        "view=constructor&scale=toString",
        "view=formula&layer=input&map=2",
        "view=formula&layer=separable&map=2&row=99",
        "view=formula&layer=sum&map=99",
        "view=formula&layer=nested/grouped&map=3&channel=0",
    ):
        page = show(view)
        assert page.run("document.getElementById('view').children.length") > 1
        assert page.complaints == []


def test_two_classes_of_one_logit_and_numbers_that_are_none(browser: Tab, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(2, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.layers[0].bias.assign([0.0, np.inf])
    model.layers[-1].kernel.assign(np.zeros((32, 1)))
    task = task_of(label_of("binary"), "binary")
    image = np.random.default_rng(0).normal(size=(6, 6, 2)).astype("float32")
    shown = InspectedImage("one", "no", "no", trace(model, task, image))
    file = tmp_path / "two.html"
    write_page(file, Inspection("two", ("no", "yes"), (), [shown], False))
    for view in ("overview", "elastic&layer=conv&map=1", "formula&layer=conv&map=1"):
        browser.complaints.clear()
        browser.open(f"file://{file}#view={view}")
        browser.until("document.body?.dataset.ready == 'yes'")
        assert browser.complaints == []
    assert browser.run("document.getElementById('own').textContent") == "∞"
    browser.open(f"file://{file}#view=elastic&layer=probabilities")
    browser.until("document.getElementById('title')?.textContent == 'probabilities, yes'")
    assert "no has the rest, NaN" in browser.run("document.body.innerText")
