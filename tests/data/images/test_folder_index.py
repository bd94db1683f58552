"""The index of a folder of images: used where nothing has changed, and never believed else."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tfpipe.data import ImageFolder, disk_cache
from tfpipe.data.images import folder_index

# Reads the photos as a new process would: the files, and the folders that were listed for it.
Read = Callable[[], tuple[list[str], list[str]]]

EVERY = ["cat", "dog", "dog/a", "dog/b"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four cats, and two dogs in each of two folders."""
    monkeypatch.setattr(folder_index, "SMALLEST", 8)
    monkeypatch.setattr(folder_index, "_STEP", 0)
    folder = tmp_path / "photos"
    for number, place in enumerate(["cat"] * 4 + ["dog/a"] * 2 + ["dog/b"] * 2):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / f"{number}.png").touch()
    token = disk_cache.folder.set(tmp_path / "cache")
    yield folder
    disk_cache.folder.reset(token)


@pytest.fixture
def read(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    scandir = os.scandir
    listed: list[str] = []

    def noted(path: str) -> Iterator[os.DirEntry[str]]:
        listed.append(os.path.relpath(path, photos))
        return scandir(path)

    def read() -> tuple[list[str], list[str]]:
        time.sleep(0.02)  # a folder's times come from a clock that moves in steps
        source = ImageFolder(
            str(photos), size=(4, 4), channels=3, validation=None, test=None, on_bad="error"
        )
        listed.clear()
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", noted)
            files = source.places("train")
        return files, sorted({*listed} - {".", "train"})  # which are always looked at

    return read


def index_of(photos: Path) -> Path:
    (file,) = (photos.parent / "cache").iterdir()
    return file


def test_a_folder_is_listed_once(photos: Path, read: Read) -> None:
    files, listed = read()
    assert files == [f"cat/{i}.png" for i in range(4)] + [
        "dog/a/4.png",
        "dog/a/5.png",
        "dog/b/6.png",
        "dog/b/7.png",
    ]
    assert listed == EVERY
    assert read() == (files, [])
    assert index_of(photos).suffix == ".index"
    assert not [path for path in photos.rglob("*") if path.suffix not in ("", ".png")]


def test_what_was_added_removed_renamed_or_moved_is_noticed(photos: Path, read: Read) -> None:
    files, _ = read()
    (photos / "cat" / "new.jpg").touch()
    assert read() == ([*files[:4], "cat/new.jpg", *files[4:]], ["cat"])
    (photos / "cat" / "new.jpg").unlink()
    assert read() == (files, ["cat"])
    (photos / "dog" / "a" / "4.png").rename(photos / "dog" / "a" / "8.png")
    assert read() == ([*files[:4], "dog/a/5.png", "dog/a/8.png", *files[6:]], ["dog/a"])
    (photos / "dog" / "a" / "8.png").rename(photos / "dog" / "b" / "8.png")
    found, listed = read()
    assert found == [*files[:4], "dog/a/5.png", *files[6:], "dog/b/8.png"]
    assert listed == ["dog/a", "dog/b"]
    (photos / "dog" / "c").mkdir()
    assert read() == (found, ["dog", "dog/c"])
    assert read() == (found, [])


def test_another_folder_with_the_same_times_is_listed(photos: Path, read: Read) -> None:
    files, _ = read()
    times = os.stat(photos / "cat")
    shutil.copytree(photos / "cat", photos.parent / "copy")
    (photos.parent / "copy" / "0.png").rename(photos.parent / "copy" / "other.png")
    shutil.rmtree(photos / "cat")
    (photos.parent / "copy").rename(photos / "cat")
    os.utime(photos / "cat", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read() == ([*files[1:4], "cat/other.png", *files[4:]], ["cat"])


@pytest.mark.parametrize("damage", [b"", b"{}", b"0" * 64 + b"{", None])
def test_a_damaged_index_is_made_anew(photos: Path, read: Read, damage: bytes | None) -> None:
    files, _ = read()
    index = index_of(photos)
    whole = index.read_bytes()
    index.write_bytes(whole.replace(b"0.png", b"9.png") if damage is None else damage)
    assert read() == (files, EVERY)
    assert index.read_bytes() == whole


def test_what_times_do_not_tell_is_listed_every_time(
    photos: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, files of which the content decides, and folders that have changed just now."""
    monkeypatch.setattr(folder_index, "SMALLEST", 2)
    (photos / "cat" / "notes").write_text("no image")
    (photos.parent / "elsewhere").mkdir()
    (photos / "dog" / "a" / "linked").symlink_to(photos.parent / "elsewhere")
    files, _ = read()
    assert read() == (files, ["cat", "dog/a"])
    (photos / "cat" / "notes").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    (photos.parent / "elsewhere" / "9.png").touch()
    found, _ = read()
    assert {*found} - {*files} == {"cat/notes", "dog/a/linked/9.png"}
    index_of(photos).unlink()
    monkeypatch.setattr(folder_index, "_STEP", 3_600_000_000_000)
    assert read()[0] == found
    assert read() == (found, [*EVERY[:3], "dog/a/linked", "dog/b"])


def test_few_images_and_a_folder_that_cannot_be_written_need_no_index(
    photos: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_index, "SMALLEST", 9)
    files, _ = read()
    assert read() == (files, EVERY)
    assert not (photos.parent / "cache").exists()
    monkeypatch.setattr(folder_index, "SMALLEST", 8)
    (photos.parent / "cache").write_text("a file is in the way")
    assert read() == (files, EVERY)
