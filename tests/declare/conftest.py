"""A project folder of one's own, and what imports leave behind taken away afterwards."""

import sys

import pytest

from tfpipe.declare.deferred import source


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes files given as {path: source} into the current folder, which is a project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules = set(sys.modules)
    forget_sources()

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    yield write
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    forget_sources()


def forget_sources():
    for cached in (source._root, source._tree, source._parameters):
        cached.cache_clear()
