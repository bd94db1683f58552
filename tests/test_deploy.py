"""The files in deploy/ and the page on serving name options, addresses and files that exist."""

import re
import shlex
from pathlib import Path

import pytest
from click import Command

from tfpipe.cli.serving.bench import command as bench
from tfpipe.cli.serving.serve import command as serve

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "serving.md").read_text()
FILES = {file.name: file.read_text() for file in (ROOT / "deploy").iterdir()}


def options(command: Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name[:2] == "--"}


def calls(text: str, verb: str) -> list[list[str]]:
    """The words behind `tfpipe VERB` wherever a command line has it."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    found = [line.partition(f"tfpipe {verb} ")[2].partition("  ")[0] for line in lines]
    return [shlex.split(words.replace("`", " "), comments=True) for words in found if words]


@pytest.mark.parametrize("command", [serve, bench], ids=["serve", "bench"])
def test_the_page_names_options_that_exist(command: Command) -> None:
    assert command.name
    words = [word for call in calls(PAGE, command.name) for word in call]
    named = {word for word in words if word.startswith("--")}
    assert len(words) > 2
    assert named <= options(command)


def test_the_page_names_all_options_of_the_server() -> None:
    assert options(serve) - {"--root", "--debug"} <= set(re.findall(r"`(--[a-z-]+)", PAGE))


def test_the_files_name_options_that_exist() -> None:
    [unit] = calls(FILES["tfpipe-serve.service"], "serve")[-1:]
    entry = re.findall(r"ENTRYPOINT \[(.*)\]", FILES["Dockerfile"])[0]
    cluster = re.findall(r"args: \[(.*)\]", FILES["kserve.yaml"])[0]
    words = [*unit, *re.findall(r'"(.*?)"', entry + cluster)]
    named = {word for word in words if word.startswith("--")}
    assert {"--host", "--port"} <= named <= options(serve)


def test_every_file_is_on_the_page() -> None:
    named = set(re.findall(r"deploy/([\w.-]+)", PAGE))
    assert named == set(FILES) - {"Dockerfile.dockerignore"}
    for path in re.findall(r"\]\(([\w./-]+\.md)\)", PAGE):
        assert (ROOT / "docs" / path).exists()


def test_a_body_is_bounded_alike_everywhere() -> None:
    [limit] = [p.default for p in serve.params if p.name == "max_body"]
    assert f"client_max_body_size {limit}m;" in FILES["nginx.conf"]
    assert f"max_size {limit}MiB" in FILES["Caddyfile"]


def test_the_image_has_what_it_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", FILES["Dockerfile"], re.M)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}\n" in FILES["Dockerfile.dockerignore"]
