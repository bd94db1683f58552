"""What the page makes of a model, and what it does with words, numbers, tokens and errors."""

import dataclasses
from pathlib import Path

from tests.chromium import Tab
from tests.serving.conftest import Client
from tests.serving.page_models import (
    CONTRACTS,
    FIRST,
    FUNCTIONS,
    PROBLEM,
    TEXT,
    TOKEN,
    choose,
    fill,
    opened,
    run_command,
    servable,
)
from tfpipe.serving.page.page import described


def test_what_is_said_of_a_model() -> None:
    found = described(servable("row", 3))
    assert found["version"] == 3
    assert [i["training"] for i in found["inputs"]] == [
        *CONTRACTS["row"]["training"]["inputs"].values()
    ]
    assert [(o["name"], o["field"], o["several"]) for o in found["outputs"]] == [
        ("risk", "risk", False),
        ("tags", "tags", True),
        ("cost", "cost", False),
    ]
    assert found["outputs"][2]["training"] == {"min": 100.0, "max": 300.0}
    plain = dataclasses.replace(servable("text", 3), contract={})
    assert described(plain)["inputs"] == described(plain)["outputs"] == []
    assert described(plain)["signatures"] == {"serving_default": {"text": ["string", (None,)]}}


def test_only_the_page_itself_is_open(pages: Client) -> None:
    for path in ("/", "/page/page.css", "/page/page.js", "/page/images.js"):
        assert pages.ask(path)[0] == 200
    assert pages.ask("/page/models.json")[0] == 401
    named = {"Authorization": f"Bearer {TOKEN}"}
    assert [m["name"] for m in pages.ask("/page/models.json", headers=named)[1]] == [*CONTRACTS]
    page = pages.ask("/")[1].decode()
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == 1


def test_a_token_is_asked_for(browser: Tab, pages: Client) -> None:
    browser.open(f"http://127.0.0.1:{pages.port}/#text")
    browser.until("document.getElementById('locked')?.hidden === false")
    browser.run(
        "document.getElementById('token').value = 'wrong';"
        "document.querySelector('#locked button').click()"
    )
    browser.until(f"{PROBLEM} == 'This token is not the right one.'")
    opened(browser, pages, "text")
    assert browser.run(PROBLEM) == ""
    fill(browser, "sentence", "a word")
    browser.until(FIRST)
    # The command names a variable instead of the token.
    curl = browser.run("document.getElementById('curl').textContent")
    assert '-H "Authorization: Bearer $TFPIPE_TOKEN"' in curl
    assert TOKEN not in curl


def test_a_sentence(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "text", 360)
    fill(browser, "sentence", "it's 7")
    browser.until(f"{FIRST} == 'kind 6'")
    assert browser.run("document.getElementById('said').textContent") == "kind 6"
    assert browser.run("document.querySelectorAll('table.bars tr').length") == 10
    assert "and 2 more" in browser.run("document.getElementById('answer').innerText")
    assert browser.run("document.documentElement.scrollWidth") <= 360
    # An error takes the old answer away, and an empty field as well.
    fill(browser, "sentence", "bad")
    browser.until(f"{PROBLEM}.includes('this text is not liked')")
    assert browser.run(FIRST) is None
    fill(browser, "sentence", "good")
    browser.until(f"{FIRST} == 'kind 4' && !{PROBLEM}")
    fill(browser, "sentence", " ")
    browser.until(f"{FIRST} === undefined")


def test_an_answer_that_comes_late_is_dropped(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "text")
    function = FUNCTIONS["text"]
    fill(browser, "sentence", "first")
    browser.until(f"{FIRST} == 'kind 5'")
    function.go.clear()
    before = len(function.asked)
    fill(browser, "sentence", "seconds")
    while len(function.asked) == before:
        browser.run("new Promise(done => setTimeout(done, 20))")
    # While that one is under way, another model is chosen.
    choose(browser, "digit")
    function.go.set()
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert browser.run("document.getElementById('name').textContent") == "digit"
    assert browser.run(FIRST) is None
    # The address names the model; one that names none shows the first.
    assert browser.run("location.hash") == "#digit"
    browser.run("location.hash = '#row'")
    browser.until("document.getElementById('name').textContent == 'row'")
    browser.run("location.hash = '#%'")
    browser.until("document.getElementById('name').textContent == 'digit'")


def test_several_outputs_of_a_row(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "row", 360)
    browser.until(FIRST)
    # The usual word and number to begin with; whole numbers stay whole.
    usual = {"town": [b"Ulm"], "street": [b"street 0"], "sold": [b"2024-02-29"], "age": [40.0]}
    assert FUNCTIONS["row"].asked[-1] == usual
    firsts = "[...document.querySelectorAll('#answer .first')].map(p => p.textContent)"
    assert browser.run(firsts) == ["low", "a, c", "400"]
    said = browser.run("document.getElementById('said').textContent")
    assert said == "risk: low, tags: a, c, cost: 400"
    assert "training had 100 to 300; this is outside of it" in browser.run(TEXT)
    browser.run("document.querySelector('input[type=range]').focus()")
    browser.key("ArrowLeft")
    browser.until(f"{firsts}[2] == '390'")
    assert browser.run("document.documentElement.scrollWidth") <= 360
    controls = "[...document.querySelectorAll('input, select, button, textarea')]"
    named = "e.labels?.length || e.ariaLabel || e.textContent"
    assert browser.run(f"{controls}.every(e => {named})")
    assert all("401" in complaint for complaint in browser.complaints)  # before the token


def test_what_is_not_filled_in_has_no_answer(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "row")
    browser.until(FIRST)
    fill(browser, "field-3", "")
    browser.until(f"{FIRST} === undefined")
    missing = "document.getElementById('missing').textContent"
    assert browser.run(missing) == "Not filled in: age."
    # What is written is sent as it is; words that training did not tell of and dates are free.
    fill(browser, "field-3", "40.5")
    fill(browser, "field-1", "another street")
    fill(browser, "field-2", "2025-01-31")
    browser.until(FIRST)
    assert FUNCTIONS["row"].asked[-1] == {
        "town": [b"Ulm"], "street": [b"another street"], "sold": [b"2025-01-31"], "age": [40.5]
    }  # fmt: skip
    assert browser.run(missing) == ""


def test_a_vector_has_a_slider_for_each_number(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "sine")
    browser.until(FIRST)
    assert FUNCTIONS["sine"].asked[-1]["past"].tolist() == [[0.5, 0.5, 0.5]]
    fill(browser, "field-2", "-1")
    browser.until(f"{FIRST} == '0'")
    assert FUNCTIONS["sine"].asked[-1]["past"].tolist() == [[0.5, 0.5, -1.0]]
    labels = "[...document.querySelectorAll('#input label')].map(e => e.textContent)"
    assert browser.run(labels) == ["past 1", "past 2", "past 3"]
    assert browser.run(TEXT).endswith("and 2 more")  # of twelve values


def test_a_model_that_says_nothing_of_itself(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "plain", 360)
    text = browser.run("document.getElementById('input').innerText")
    assert "serving_default takes past: float32 [3]" in text
    ask = "document.querySelector('#input button').click()"
    fill(browser, "json", "[1, 2")
    browser.run(ask)
    assert browser.run(PROBLEM).startswith("This is no JSON")
    fill(browser, "json", "[1, 2, 4]")
    browser.run(ask)
    browser.until(f"{TEXT}.includes('7')")
    assert browser.run(PROBLEM) == ""
    assert browser.run("document.documentElement.scrollWidth") <= 360


def test_the_command_asks_the_same(browser: Tab, pages: Client, tmp_path: Path) -> None:
    opened(browser, pages, "text")
    text = 'it\'s 7% of $HOME, `ls` \\n "quoted" \n and a line'
    fill(browser, "sentence", text)
    browser.until(FIRST)
    run_command(browser, tmp_path)
    first, second = (asked["text"][0] for asked in FUNCTIONS["text"].asked[-2:])
    assert first == second == text.encode()


def test_what_is_no_answer_of_the_server(browser: Tab, pages: Client) -> None:
    """A proxy in between has pages of its own."""
    opened(browser, pages, "text")
    for status, said in ((502, "The server answers 502."), (200, "is no answer of a model")):
        browser.run(
            f"window.fetch = async () => new Response('<h1>Sorry</h1>', {{status: {status}}})"
        )
        fill(browser, "sentence", f"a word {status}")
        browser.until(f"{PROBLEM}.includes('{said}')")
        assert browser.run(FIRST) is None


def test_a_new_version_is_seen_when_somebody_comes_back(browser: Tab, pages: Client) -> None:
    opened(browser, pages, "sine")
    about = "document.getElementById('about').textContent"
    assert browser.run(about).startswith("version 3")
    model = pages.repository.models["sine"]
    (model.folder / "4").mkdir()
    model.look()  # a version that two looks find the same is whole
    model.look()
    browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    browser.until(f"{about}.startsWith('version 4')")
