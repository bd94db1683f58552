"""`tfpipe predict --prompt`: what is said of a prompt, and what is refused."""

import json
from pathlib import Path
from typing import Any

JOB = """\
from tfpipe import Pipeline
from tfpipe.data import Generated, Text
from tfpipe.models import CharRNN, MLP

class Letters(Pipeline):
    data = Text("text.txt", windows=6, normalise="letters")
    model = CharRNN("gru", 8)
    epochs = 1

class Numbers(Pipeline):
    data = Generated("linear")
    model = MLP(units=(2,))
    epochs = 1
"""
PROMPT = "Time Traveller"


def test_a_prompt_is_continued_or_refused(tfpipe: Any) -> None:
    Path("job.py").write_text(JOB)
    trained = tfpipe("run", "job.py::Letters", "--sample", "64")
    assert trained.code == 0, trained.err
    assert "counting pairs of tokens" in trained.out
    assert "after epoch 1: " in trained.out
    assert tfpipe("run", "job.py::Numbers", "--no-export").code == 0
    (run,) = (f"job.Letters/{p.name}" for p in Path("runs/job.Letters").iterdir())
    export = "saved_models/job.Letters"

    def ask(*words: str, of: str = run) -> Any:
        return tfpipe("predict", of, *words)

    said = ask("--prompt", PROMPT, "--length", "9", "--temperature", "0")
    assert said.code == 0
    assert said.out.startswith(PROMPT)
    assert len(said.out) == len(PROMPT) + 9 + 1
    assert said.err == f"{run} was trained on generated data, and these answers mean nothing.\n"
    served = ask("--prompt", PROMPT, "--length", "9", "--temperature", "0", of=export)
    assert (served.code, served.out, served.err) == (0, said.out, "")

    drawn = ask("--prompt", PROMPT, "--seed", "3", "--top-k", "4", "--top-p", "0.9", "--json")
    found = json.loads(drawn.out)
    assert found["model"] == run
    assert (found["length"], found["temperature"], found["seed"]) == (50, 0.8, 3)
    assert (found["top_k"], found["top_p"]) == (4, 0.9)
    assert found["text"] == PROMPT + found["continuation"]
    again = ask("--prompt", PROMPT, "--seed", "3", "--top-k", "4", "--top-p", "0.9", "--json")
    assert again.out == drawn.out

    refused = {
        ("--prompt", ""): (
            "The prompt is empty. Give the beginning of a text, such as --prompt 'once upon'."
        ),
        ("--prompt", "1898"): (
            f"Nothing is left of the prompt '1898': {run} reads letters alone. Give the beginning "
            "of a text, such as --prompt 'once upon'."
        ),
        ("--prompt", "a", "--temperature", "-1"): (
            "The temperature is -1. Give 0 for the most probable token each time, or more to draw, "
            "such as 0.8."
        ),
        ("--prompt", "a", "--length", "0"): (
            "A length of 0 tokens was asked for. Give 1 to 10,000, such as 50."
        ),
        ("job.py",): (
            f"{run} continues texts, and answers no files. Give the beginning of a text with "
            "--prompt, such as --prompt 'once upon'."
        ),
        ("--prompt", "a", "job.py"): (
            "--prompt continues a text, and files are answered: give one."
        ),
        ("--temperature", "1"): "--temperature goes with --prompt, which begins a text.",
        ("--prompt", "a", "--top", "3"): (
            "--top, --format, --out, --figures, --per-page, --every and --beam are for files, and "
            "--prompt continues a text: leave them out."
        ),
        (): ("Give at least one file, folder, pattern, or - for standard input; or --prompt TEXT."),
    }
    for words, message in refused.items():
        answer = ask(*words)
        assert answer.code == 2
        assert f"Error: {message}\n" in answer.err, words
    numbers = ask("--prompt", "a", of="job.Numbers")
    assert numbers.code == 2
    (other,) = (f"job.Numbers/{p.name}" for p in Path("runs/job.Numbers").iterdir())
    assert numbers.err == (
        f"Error: {other} is of the task regression, and --prompt is for models that continue "
        "texts. Give it files, folders or - instead.\n"
    )


def test_what_is_not_known_of_a_prompt_is_said_once(tfpipe: Any) -> None:
    Path("job.py").write_text(JOB.replace(', normalise="letters"', ""))
    assert tfpipe("run", "job.py::Letters", "--sample", "64").code == 0
    answer = tfpipe("predict", "last", "--prompt", "The fox éÉé", "--length", "2")
    assert answer.code == 0
    assert answer.err.splitlines()[-1] == (
        "'T', 'é', 'É' are not in the vocabulary and are read as <unk>."
    )
    assert answer.out.startswith("The fox éÉé")
    alone = tfpipe("predict", "saved_models/job.Letters", "--prompt", "the fox é")
    assert alone.err == "'é' is not in the vocabulary and is read as <unk>.\n"
