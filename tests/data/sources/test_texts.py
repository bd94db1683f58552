"""TextFolder and TextCSV: layouts, classes, and texts that cannot be used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfpipe.data import TextCSV, TextFolder
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError, DataError

Write = Callable[..., str]

TEXT = (Feature("text", (), "string", "text"),)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files given as {path: text or bytes}; gives the folder."""

    def write(files: dict[str, str | bytes]) -> str:
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(tmp_path)

    return write


def texts(folder: str, size: int, first: int = 0) -> dict[str, str | bytes]:
    return {f"{folder}/{first + n:03}.txt": f"{folder} {first + n}" for n in range(size)}


# As aclImdb is: more folders and files than those to read.
REVIEWS: dict[str, str | bytes] = {
    **texts("train/neg", 10),
    **texts("train/pos", 10),
    **texts("train/unsup", 5),
    **texts("test/neg", 4),
    **texts("test/pos", 4),
    "train/urls_neg.txt": "http://neg",
    "train/neg/.hidden.txt": "",
    "train/neg/notes.md": "",
    "README": "as of 2011",
}
CLASSES = ("neg", "pos")


def columns_of(source: Any, split: str = "train") -> tuple[list[bytes], list[int]]:
    (batch,) = source.input_fn(split, batch_size=source.spec().splits[split]).as_numpy_iterator()
    return batch[0].tolist(), batch[1].tolist()


def refused(source: Any) -> str:
    with pytest.raises(DataError) as caught:
        source.spec()
    return str(caught.value)


# Folders


def test_ready_splits_with_declared_classes(write: Write) -> None:
    source = TextFolder(write(REVIEWS), classes=CLASSES, validation=0.2)
    spec = source.spec()
    assert spec.features == TEXT
    assert spec.label == Label("label", "class", (), ("neg", "pos"))
    assert spec.splits == {"train": 16, "validation": 4, "test": 8}
    assert source.class_counts()["validation"] == {"neg": 2, "pos": 2}
    read, labels = columns_of(source, "test")
    assert read == [b"test/%s %d" % (c, n) for c in (b"neg", b"pos") for n in range(4)]
    assert labels == [0] * 4 + [1] * 4


def test_declared_classes_are_in_their_own_order(write: Write) -> None:
    source = TextFolder(write(REVIEWS), classes=("pos", "neg"), validation=None)
    read, labels = columns_of(source)
    assert source.spec().classes == ("pos", "neg")
    assert {(t.split()[0], y) for t, y in zip(read, labels, strict=True)} == {
        (b"train/pos", 0),
        (b"train/neg", 1),
    }


def test_one_level(write: Write) -> None:
    source = TextFolder(write({**texts("b", 10), **texts("a", 10), **texts(".git", 3)}))
    assert source.spec().classes == ("a", "b")
    assert source.spec().splits == {"train": 18, "validation": 2}


@pytest.mark.parametrize("name", ["valid", "val", "validation"])
def test_a_folder_for_validation_is_used(write: Write, name: str) -> None:
    files = {**texts("train/a", 5), **texts("train/b", 5)}
    path = write({**files, **texts(f"{name}/a", 2), **texts(f"{name}/b", 1)})
    assert TextFolder(path).spec().splits == {"train": 10, "validation": 3}
    assert TextFolder(path, validation=name).spec().splits == {"train": 10, "validation": 3}
    assert TextFolder(path, validation=0.2).spec().splits == {"train": 8, "validation": 2}
    assert TextFolder(path, validation=None).spec().splits == {"train": 10}


def test_declared_classes_need_no_folder(tmp_path: Path) -> None:
    source = TextFolder(str(tmp_path / "no"), classes=CLASSES)
    assert source.element() == (TEXT, Label("label", "class", (), CLASSES))
    assert refused(source) == (
        f"There is no folder {tmp_path}/no. Say where it is with data.path=FOLDER, or run on "
        "generated data with --sample."
    )
    assert refused(source.replace(classes=())) == (
        f"There is no folder {tmp_path}/no. Say where it is with data.path=FOLDER."
    )


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("latin-1", "latin-1"), ("utf-16", "utf-16")],
)
def test_texts_are_given_in_utf_8(write: Write, encoding: str, declared: str) -> None:
    path = write({f"{c}/1.txt": f"Caf\xe9 {c}\r\n".encode(encoding) for c in "ab"})
    source = TextFolder(path, encoding=declared, validation=None)
    assert columns_of(source) == ([f"Caf\xe9 {c}\r\n".encode() for c in "ab"], [0, 1])


def test_more_texts_than_one_thread_reads_at_once(write: Write) -> None:
    source = TextFolder(write({**texts("a", 450), **texts("b", 450)}), validation=None)
    read, labels = columns_of(source)
    assert read == [f"{c} {n}".encode() for c in "ab" for n in range(450)]
    assert labels == [0] * 450 + [1] * 450


# Texts that cannot be used

BROKEN: dict[str, str | bytes] = {
    "train/neg/003.txt": b"One line.\nA caf\xe9.\n",
    "train/neg/007.txt": " \n",
    "train/pos/002.txt": b"a\0b",
    "test/pos/001.txt": b"\x93Quoted\x94",
}


def test_broken_texts_are_listed(write: Write) -> None:
    path = write(REVIEWS | BROKEN)
    message = (
        f"TextFolder({path!r}): 4 of 28 texts cannot be used:\n"
        "  train/neg/003.txt:2: byte 0xe9 is not utf-8; encoding='latin-1' would read it\n"
        "  train/neg/007.txt: the file is empty\n"
        "  train/pos/002.txt:1: a NUL byte, which no text has\n"
        "  test/pos/001.txt:1: byte 0x93 is not utf-8; encoding='cp1252' would read it\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    assert refused(TextFolder(path, classes=CLASSES)) == message
    with pytest.raises(DataError) as caught:
        TextFolder(path, classes=CLASSES).verify()
    assert str(caught.value) == message


def test_broken_texts_are_left_out(write: Write) -> None:
    source = TextFolder(write(REVIEWS | BROKEN), CLASSES, validation=None, on_bad="skip")
    assert source.spec().splits == {"train": 17, "test": 7}
    read, labels = columns_of(source)
    kept = [("neg", n) for n in range(10) if n not in (3, 7)]
    kept += [("pos", n) for n in range(10) if n != 2]
    assert read == [f"train/{c} {n}".encode() for c, n in kept]
    assert labels == [0] * 8 + [1] * 9
    assert source.notes() == [
        "4 of 28 texts could not be used and were left out (data.on_bad=skip); the first is "
        "train/neg/003.txt:2: byte 0xe9 is not utf-8; encoding='latin-1' would read it."
    ]


def test_a_text_in_utf_16(write: Write) -> None:
    path = write({"a/1.txt": "x".encode("utf-16"), "b/1.txt": "x"})
    text = "  a/1.txt:1: byte 0xff is not utf-8; encoding='utf-16' would read it\n"
    assert text in refused(TextFolder(path))


def test_a_class_without_texts(write: Write) -> None:
    path = write({**texts("a", 5), **texts("b", 5), "c/notes.md": ""})
    assert refused(TextFolder(path)) == (
        f"{path} has no .txt file in 'c'. Fill the folder, remove it, or say which classes to read "
        "with classes=(...)."
    )
    left = TextFolder(path, validation=None, on_bad="skip")
    assert left.spec().classes == ("a", "b")
    assert left.notes() == ["Class folders without a text were left out: c."]
    assert "has no .txt file in 'c'" in refused(left.replace(classes=("a", "b", "c")))


def test_a_class_of_which_every_text_is_broken(write: Write) -> None:
    path = write({**texts("a", 5), "b/1.txt": "", **texts("c", 5)})
    assert refused(TextFolder(path, on_bad="skip")) == (
        f"TextFolder({path!r}): every text of the class 'b' is broken. Repair one, or say which "
        "classes to read with classes=(...)."
    )


def test_folders_that_cannot_be_used(write: Write) -> None:
    path = write({"readme.txt": "hello"})
    assert refused(TextFolder(path)) == (
        f"{path} has no class folders with .txt files in them. Expected is <class>/*.txt for each "
        "class, or train/<class>/*.txt beside test/."
    )
    write(texts("only", 3))
    assert refused(TextFolder(path)) == (
        f"{path} has one class only, 'only'. To tell classes apart, at least two are needed, each "
        "a folder of its own."
    )
    assert refused(TextFolder(path, classes=("only", "onyl"))) == (
        f"{path} has no class folder 'onyl'. Did you mean 'only'?"
    )


def test_splits_with_other_classes(write: Write) -> None:
    path = write(REVIEWS)
    assert refused(TextFolder(path)) == (
        f"{path}: train/ has the class folder 'unsup', which test/ has not. Say which classes to "
        "read with classes=(...)."
    )
    write({**texts("test/unsup", 1), **texts("test/other", 1)})
    assert refused(TextFolder(path)) == (
        f"{path}: test/ has the class folder 'other', which train/ has not. Say which classes to "
        "read with classes=(...)."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": ("a",)}, "TextFolder.classes has one class only, 'a': name two or more."),
        (
            {"encoding": "utf9"},
            "TextFolder.encoding='utf9' is unknown. Use 'utf-8', 'latin-1', 'cp1252', 'utf-16' or "
            "another that Python knows.",
        ),
    ],
)
def test_declarations_that_are_refused(fields: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TextFolder("texts", **fields)
    assert str(caught.value) == message


# Files of rows

ROWS = ["stars,title,review text", '4,Good,"Buy it,\nnow."', "1,Bad,Do not.", "4,Fine,Well."]


@pytest.fixture
def csv_file(write: Write) -> Callable[[list[str] | bytes], str]:
    def make(rows: list[str] | bytes) -> str:
        data = rows if isinstance(rows, bytes) else "\n".join(rows).encode()
        return write({"reviews.csv": data}) + "/reviews.csv"

    return make


def test_texts_of_a_csv_file(csv_file: Any) -> None:
    source = TextCSV(csv_file(ROWS), "review text", "stars", "class", validation=None)
    spec = source.spec()
    assert spec.features == (Feature("review_text", (), "string", "text"),)
    assert spec.label == Label("stars", "class", (), ("1", "4"))
    assert columns_of(source) == ([b"Buy it,\nnow.", b"Do not.", b"Well."], [1, 0, 1])


def test_numbers_for_texts(csv_file: Any) -> None:
    source = TextCSV(csv_file(ROWS), "review_text", "stars", validation=None)
    assert source.spec().label == Label("stars", "real")
    assert columns_of(source)[1] == [4.0, 1.0, 4.0]


def test_long_texts_of_a_csv_file(csv_file: Any) -> None:
    source = TextCSV(csv_file(["y,t", f"a,{'x ' * 100_000}", "b,y"]), "t", "y", validation=None)
    assert [len(t) for t in columns_of(source)[0]] == [200_000, 1]


def test_texts_of_a_csv_file_that_cannot_be_used(csv_file: Any) -> None:
    data = "\n".join(ROWS).encode() + b"\n4,Short\n3,Bad,Caf\xe9\n4,Empty, \n,None,Text\n"
    source = TextCSV(csv_file(data), "review text", "stars", validation=None)
    assert refused(source) == (
        "TextCSV('reviews.csv'): 4 of 7 rows cannot be used:\n"
        "  reviews.csv:6: 2 columns where 3 are expected\n"
        "  reviews.csv:7: byte 0xe9 is not utf-8; encoding='latin-1' would read it\n"
        "  reviews.csv:8: no text in the column 'review text'\n"
        "  reviews.csv:9: no label in the column 'stars'\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )
    left = source.replace(on_bad="skip")
    assert len(columns_of(left)[0]) == 3
    assert left.notes() == [
        "4 of 7 rows could not be used and were left out (data.on_bad=skip); the first is "
        "reviews.csv:6: 2 columns where 3 are expected."
    ]


def test_a_text_that_is_the_label_too(csv_file: Any) -> None:
    assert refused(TextCSV(csv_file(ROWS), "stars", "stars")) == (
        "TextCSV: the column 'stars' is the label, and named once more in drop, columns or text. "
        "Name it once."
    )


def test_a_full_declaration_needs_no_csv_file() -> None:
    source = TextCSV("no.csv", "my text", "stars", classes=("1", "2"))
    feature = Feature("my_text", (), "string", "text")
    assert source.element() == ((feature,), Label("stars", "class", (), ("1", "2")))
    with pytest.raises(DataError, match=r"There is no file .*no\.csv"):
        source.replace(classes=()).element()
