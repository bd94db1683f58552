"""`tfpipe models`: the builders, their fields and input contracts."""

import json

import pytest

from tfpipe import models
from tfpipe.declare.kinds import ModelBuilder

BUILDERS = [n for n in models.__all__ if issubclass(getattr(models, n), ModelBuilder)]


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_is_listed_with_its_contract_and_fields(tfpipe, name):
    out = tfpipe("models").out
    builder = getattr(models, name)
    lines = out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{name}  "))
    assert lines[start + 1] == f"  reads {builder.contract}"
    assert lines[start + 2].split() == ["field", "default", "takes"]
    listed = lines[start + 3 : start + 3 + len(builder.fields())]
    assert [line.split()[0] for line in listed] == list(builder.fields())


def test_types_are_in_words(tfpipe):
    out = tfpipe("models").out
    assert "one of 2, 4, 6" in out
    assert "a tuple, each item a whole number of at least 1" in out


def test_json_has_names_types_and_defaults(tfpipe):
    done = tfpipe("models", "--json")
    assert (done.code, done.err) == (0, "")
    found = {entry["name"]: entry for entry in json.loads(done.out)}
    assert sorted(found) == sorted(BUILDERS)
    assert found["MLP"]["fields"]["units"] == {
        "type": "a tuple, each item a whole number of at least 1",
        "default": [128],
        "required": False,
    }
    assert all(entry["summary"] and entry["contract"] for entry in found.values())
