"""`tfpipe search` and `tfpipe run --best` as a person meets them: words, exit codes, JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from searches import DROPOUT, NAME, RATE, made, trial

import tfpipe.verbs.search.search as verb
from tfpipe.cli.main import tfpipe as group
from tfpipe.declare.loading import load
from tfpipe.tuning.space import space_of
from tfpipe.tuning.vary import vary

NAN = "The loss became NaN in epoch 1."


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, small: Path) -> list[Any]:
    """What the verbs are called with; a search that was made before is their answer."""
    calls: list[Any] = []
    search = made(small, trial("00", 0.5))

    def recorder(name: str) -> Any:
        def record(*args: Any, terminal: Any, **given: Any) -> Any:
            terminal.say("said on the way")
            calls.append((name, *args, given))
            return search

        return record

    for name in ("search", "resume_search", "join"):
        monkeypatch.setattr(verb, name, recorder(name))
    return calls


DEFAULTS = {
    "vary": (),
    "tuner": "bayesian",
    "trials": None,
    "budget": None,
    "hard": False,
    "workers": 1,
    "objective": None,
    "seed": None,
    "sample": None,
    "median": False,
    "declared_first": False,
    "memory": None,
    "root": Path("."),
}


def test_a_search_is_asked_for_with_its_file_alone(tfpipe: Any, asked: list[Any]) -> None:
    answer = tfpipe("search", "small.py")
    assert (answer.code, answer.out, answer.err) == (0, "said on the way\n", "")
    ((name, loaded, given),) = asked
    assert (name, loaded.name, loaded.overrides, given) == ("search", "small", (), DEFAULTS)


def test_every_option_is_given_on(tfpipe: Any, asked: list[Any], tmp_path: Path) -> None:
    words = ("--tuner", "random", "--trials", 7, "--budget", "1h30m", "--hard", "--workers", 2)
    words += ("--objective", "val_loss", "--seed", 0, "--sample", "200", "--median-rule")
    words += ("--declared-first", "--memory", "1.5GB", "--root", tmp_path / "r")
    words += ("--vary", f"{RATE}=1e-4..1e-1:log", "--vary", "model.convs=2,4")
    answer = tfpipe("search", "small.py::Small", "epochs=3", "model.units=8", *words)
    assert answer.code == 0, answer.err
    ((_, loaded, given),) = asked
    assert loaded.overrides == ("epochs=3", "model.units=8")
    assert given == {
        "vary": (f"{RATE}=1e-4..1e-1:log", "model.convs=2,4"),
        "tuner": "random",
        "trials": 7,
        "budget": 5400.0,
        "hard": True,
        "workers": 2,
        "objective": "val_loss",
        "seed": 0,
        "sample": 200,
        "median": True,
        "declared_first": True,
        "memory": 1_500_000_000,
        "root": tmp_path / "r",
    }


def test_json_is_alone_on_standard_output(tfpipe: Any, asked: list[Any]) -> None:
    answer = tfpipe("search", "small.py", "--sample", "--json")
    assert (answer.code, answer.err) == (0, "said on the way\n")
    found = json.loads(answer.out)
    assert (found["name"], found["best"]["trial"]) == (NAME, "00")
    assert asked[0][2]["sample"] is True


def test_resume_gives_on_what_was_given_and_nothing_else(tfpipe: Any, asked: list[Any]) -> None:
    for words in (("--resume",), ("--resume", NAME, "--workers", 1, "--hard")):
        assert tfpipe("search", *words).code == 0
    assert tfpipe("search", "--resume", "--trials", 30, "--budget", "45m", "--json").code == 0
    root = {"root": Path(".")}
    assert asked == [
        ("resume_search", "last", root),
        ("resume_search", NAME, {"workers": 1, "hard": True, **root}),
        ("resume_search", "last", {"trials": 30, "budget": 2700.0, **root}),
    ]


def test_who_joins_is_told_what_declares_the_pipeline(tfpipe: Any, asked: list[Any]) -> None:
    words = ("epochs=3", "--vary", "model.convs=2,4", "--join", NAME, "--workers", 2)
    answer = tfpipe("search", "small.py", *words)
    assert (answer.code, answer.out) == (0, "said on the way\n")
    ((name, reference, loaded, given),) = asked
    assert (name, loaded.overrides, reference) == ("join", ("epochs=3",), NAME)
    assert given == {"vary": ("model.convs=2,4",), "workers": 2, "root": Path(".")}


RESUME = "--resume goes on with what was asked when the search began: leave out {}. What may "
RESUME += "change is --trials, --budget, --hard and --workers.\n"
JOIN = "--join runs what the search was asked for: leave out {}. What may be given is FILE, its "
JOIN += "overrides, --vary and --workers.\n"
REFUSED = {
    (): "Error: Name the file of a pipeline, or go on with --resume or --join.\n",
    ("small.py", "--resume", "last"): RESUME.format("FILE"),
    ("--resume", "last", "--vary", "batch_size=8,16"): RESUME.format("--vary"),
    ("--resume", "--tuner", "grid"): RESUME.format("--tuner"),
    ("--resume", "--sample"): RESUME.format("--sample"),
    ("--resume", "last", "--join", "last"): RESUME.format("--join"),
    ("small.py", "--join", "last", "--trials", "3"): JOIN.format("--trials"),
    ("--root", ".", "show"): "Error: Write show first: tfpipe search show [SEARCH].\n",
    ("small.py", "--hard"): "Error: --hard goes with --budget.\n",
    ("small.py", "--budget", "2x"): "Error: Invalid value for '--budget': '2x' is no duration: "
    "write it as 30s, 10m or 2h.\n",
    ("small.py", "--memory", "4QB"): "Error: Invalid value for '--memory': '4QB' is no amount of "
    "memory: write it as 4GB or 800MB.\n",
    ("small.py", "--memory", "0GB"): "Error: Invalid value for '--memory': '0GB' is no amount of "
    "memory: write it as 4GB or 800MB.\n",
    ("small.py", "--tuner", "bayes"): "Error: Invalid value for '--tuner': 'bayes' is not one of "
    "'random', 'bayesian', 'hyperband', 'grid'.\n",
    ("small.py", "--trials", "0"): "Error: Invalid value for '--trials': 0 is not in the range "
    "x>=1.\n",
    ("small.py", "epoch=3"): "Error: epoch=3: Small has no field 'epoch'. Did you mean 'epochs'?\n",
    ("smal.py",): "Error: There is no file 'smal.py'. Did you mean 'small.py'?\n",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_mistakes_are_said(tfpipe: Any, asked: list[Any], words: tuple[str, ...]) -> None:
    answer = tfpipe("search", *words)
    assert (answer.code, answer.out, asked) == (2, "", [])
    assert answer.err.endswith(REFUSED[words])


def test_going_on_with_nothing(tfpipe: Any) -> None:
    for words in (("--resume",), ("show",)):
        answer = tfpipe("search", *words)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == (
            "Error: There are no searches in searches. Start one with tfpipe search FILE.\n"
        )


@pytest.mark.parametrize(
    ("text", "size"), {"800MB": 800_000_000, "2GiB": 2**31, "1000": 1000, "4 gb": 4 * 10**9}.items()
)
def test_memory_is_written_with_its_unit(
    tfpipe: Any, asked: list[Any], text: str, size: int
) -> None:
    tfpipe("search", "small.py", "--memory", text)
    assert asked[0][2]["memory"] == size


def test_the_help_has_all_ways_to_call_it(tfpipe: Any) -> None:
    assert tfpipe("search", "--help").out.splitlines()[:4] == [
        "Usage: tfpipe search FILE [a.b=v]... [OPTIONS]",
        "       tfpipe search --resume [SEARCH] [OPTIONS]",
        "       tfpipe search --join SEARCH [OPTIONS]",
        "       tfpipe search show [SEARCH] [--json]",
    ]
    assert tfpipe("search", "show", "--help").out.splitlines()[0] == (
        "Usage: tfpipe search show [OPTIONS] [SEARCH]"
    )


# What is there


def test_a_search_is_shown(tfpipe: Any, small: Path) -> None:
    made(small, trial("00", 0.5), trial("01", state="failed", kind="nan", reason=NAN))
    answer = tfpipe("search", "show")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:3] == [
        f"{NAME} · search",
        "  state      killed",
        f"  directory  searches/{NAME}",
    ]
    assert f"1 trial failed (nan): {NAN} (trial 01)" in lines
    assert tfpipe("search", "show", "small/2026", "--root", ".").out == answer.out


def test_a_search_is_shown_to_programs(tfpipe: Any, small: Path) -> None:
    made(small, trial("00", 0.5), trial("01", 0.75, values={RATE: 0.02}), trial("02"))
    found = json.loads(tfpipe("search", "show", NAME, "--json").out)
    assert (found["state"], found["options"]["tuner"]) == ("killed", "bayesian")
    assert found["best"] == {
        "objective": "val_accuracy",
        "value": 0.75,
        "trial": "01",
        "epoch": 4,
        "values": {RATE: 0.02},
        "overrides": [f"{RATE}=0.02"],
    }
    assert [(t["id"], t["state"], t["objective"]) for t in found["trials"]] == [
        ("00", "finished", 0.5),
        ("01", "finished", 0.75),
        ("02", "running", None),
    ]
    assert [d["name"] for d in found["space"]["dimensions"]] == [DROPOUT, RATE]


def test_an_unknown_search(tfpipe: Any, small: Path) -> None:
    made(small, trial("00", 0.5))
    answer = tfpipe("search", "show", "smal/2026")
    assert (answer.code, answer.err) == (
        2,
        f"Error: There is no search 'smal/2026'. Did you mean '{NAME}'?\n",
    )


def test_names_of_searches_are_completed(tfpipe: Any, small: Path) -> None:
    from click.shell_completion import ShellComplete

    made(small)
    complete = ShellComplete(group, {}, "tfpipe", "_TFPIPE_COMPLETE").get_completions
    for words in (["search", "show"], ["search", "--resume"], ["run", "small.py", "--best"]):
        assert [item.value for item in complete(words, "")] == ["last", NAME]
        assert [item.value for item in complete(words, "sm")] == [NAME]


# The best values


def test_a_run_with_the_best_values(tfpipe: Any, small: Path) -> None:
    found = {RATE: 0.02, DROPOUT: 0.5}
    made(small, trial("00", 0.5), trial("01", 0.75, values=found), words=("batch_size=8",))
    answer = tfpipe("run", small, "--best", "last", "epochs=1", f"{DROPOUT}=0.125", "--no-export")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[:3] == [
        f"with the best of search {NAME}: {RATE}=0.02 {DROPOUT}=0.5",
        f"search {NAME} was made with batch_size=8, which this run has not: add it for the same "
        "training.",
        "small · Small",
    ]
    (run,) = Path("runs/small").glob("*")
    config = json.loads((run / "config.json").read_text())
    assert config["fields"][RATE] == {"value": 0.02, "origin": f"search {NAME}"}
    assert config["fields"][DROPOUT] == {"value": 0.125, "origin": "command line"}
    assert config["overrides"] == [f"{RATE}=0.02", f"{DROPOUT}=0.5", "epochs=1", f"{DROPOUT}=0.125"]


def test_the_workers_of_a_run_get_the_best_values(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(
        "tfpipe.processes.launch.launch", lambda _, begin, *rest: begun.append(begin)
    )
    made(small, trial("00", 0.5))
    answer = tfpipe("run", "small.py", "epochs=1", "--best", "small/2026", "--workers", 2)
    assert answer.code == 0, answer.err
    assert begun[0][:4] == ["run", "small.py", "epochs=1", f"--best=searches/{NAME}"]


def test_a_run_with_the_best_of_nothing(tfpipe: Any, small: Path) -> None:
    made(small, trial("00", state="failed", kind="nan", reason=NAN))
    answer = tfpipe("run", small, "--best", "last")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"Error: Search {NAME} has no finished trial (1 began, 1 failed), so there are no best "
        f"values yet. Trial 00: {NAN} Go on with it: tfpipe search --resume {NAME}\n"
    )
    assert not Path("runs").exists()


# The documentation


DOCS = Path(__file__).parents[3] / "docs" / "search.md"


def test_what_the_documentation_shows_can_be_asked_for(
    tfpipe: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DOCS.read_text()
    Path("digits.py").write_text(text.partition("```python\n")[2].partition("```")[0])
    lines = [line for line in text.splitlines() if line.startswith("tfpipe search")]
    assert len(lines) == 6
    for line in lines:
        words = line.split("  ")[0].split()[1:]
        answer = tfpipe(*words)
        assert (answer.code, answer.err) == (0, ""), line
    assert [call[0] for call in asked] == ["search", "search", "resume_search", "search", "join"]
    assert {call[1].name for call in asked if call[0] == "search"} == {"digits"}


def test_the_ranges_that_the_documentation_shows(small: Path) -> None:
    (table,) = re.findall(r"\| `--vary` .*?\n\n", DOCS.read_text(), re.S)
    texts = re.findall(r"^\| `([^-`][^`]*)`", table, re.M)
    sizes = {text: space_of(vary(load(str(small)), [text]).pipeline).size for text in texts}
    assert sizes == {
        "optimizer.learning_rate=1e-4..1e-1:log": None,
        "model.dropout=0.0..0.5": None,
        "model.convs=2..6:2": 3,
        "batch_size=16,32,64": 3,
        "optimizer=SGD(0.01),Adam(0.001)": 2,
        "model.batch_norm": 2,
    }
