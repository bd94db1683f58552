"""The description of both protocols: it holds together, and says each address that there is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.serving.conftest import Client


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if key == "$ref")
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from references(inner)


def test_each_address_is_described(client: Client, sums: Path) -> None:
    status, found, _ = client.ask("/openapi.json")
    assert (status, found["openapi"]) == (200, "3.1.0")
    for reference in {*references(found)}:
        place = found
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]
    values = {"name": "sums", "version": "1", "label": "latest"}
    for path, methods in found["paths"].items():
        address = path.format(**values)
        for method, operation in methods.items():
            named = {p["name"] for p in operation.get("parameters", [])}
            assert named == {*re.findall(r"{(\w+)}", path)}, path
            assert {"200", "default"} <= operation["responses"].keys()
            if method == "get":
                assert client.ask(address)[0] == 200, path
            else:  # an address that is there says what is wrong with the body
                status, answer, _ = client.ask(address, {})
                assert (status, [*answer]) == (400, ["error"]), path
            other = "POST" if method == "get" else "GET"
            status, answer, _ = client.ask(address, b"{}" if other == "POST" else None)
            assert (status, [*answer]) == (405, ["error"]), path
    assert "security" not in found
