"""How much memory data may take."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tfpipe.data import free_memory


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A container's files, on a machine with 8 GB free."""
    monkeypatch.setattr(free_memory, "_CGROUP", tmp_path)
    free = SimpleNamespace(available=8_000_000_000)
    monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: free)
    return tmp_path


def limit(cgroup: Path, most: str, used: int, inactive: int = 0) -> None:
    (cgroup / "memory.max").write_text(f"{most}\n")
    (cgroup / "memory.current").write_text(f"{used}\n")
    (cgroup / "memory.stat").write_text(f"anon 5\ninactive_file {inactive}\n")


def test_a_machine_without_limits(cgroup: Path) -> None:
    assert free_memory.available() == 8_000_000_000
    limit(cgroup, "max", 1_000_000_000)
    assert free_memory.available() == 8_000_000_000


def test_a_container_has_what_it_is_still_allowed(cgroup: Path) -> None:
    limit(cgroup, "2000000000", 500_000_000)
    assert free_memory.available() == 1_500_000_000


def test_what_was_read_from_files_counts_as_free(cgroup: Path) -> None:
    limit(cgroup, "2000000000", 1_900_000_000, inactive=1_500_000_000)
    assert free_memory.available() == 1_600_000_000


def test_never_less_than_nothing(cgroup: Path) -> None:
    limit(cgroup, "1000", 2000)
    assert free_memory.available() == 0


def test_half_of_what_is_free_is_for_data(cgroup: Path) -> None:
    assert free_memory.fits(4_000_000_000)
    assert not free_memory.fits(4_000_000_001)
