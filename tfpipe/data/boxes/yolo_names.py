"""What a YOLO data set says of itself: the keys of a `data.yaml`, or a list of names.

Only as much of YAML is read as such files have; what else stands there is an error that says where.
"""

import re
from pathlib import Path
from typing import TypeAlias

from tfpipe.errors import DataError

Value: TypeAlias = str | list[str] | dict[str, str]

KEYS = ("path", "train", "val", "test", "names")
_MOST = 1_000_000  # bytes
_KEY = re.compile(r"([A-Za-z_][\w-]*)\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"-\s+(.*)$")
_UNCOMMENTED = re.compile(r"""(?:"[^"]*"|'[^']*'|(?<!\s)#|[^#"']|["'])*""")
_PART = re.compile(r"""(?:"[^"]*"|'[^']*'|[^,"'])+""")  # between commas that are in no quotes
_ENTRY = re.compile(r"""(["']?[\w-]+["']?)\s*:\s+(.*)$""")


def described(file: Path) -> dict[str, Value]:
    """Return the keys of a `data.yaml` that say where images are and what the classes are called.

    A value is a text, a list, or for `names` a mapping of numbers; in a line or, indented, in lines
    of their own.

    Args:
        file: in the subset of YAML that is told above; keys beside `KEYS` are passed over.

    Raises:
        DataError: for a line of one of the keys that cannot be read.
    """
    found: dict[str, Value] = {}
    key = ""
    for number, line in enumerate(_lines(file), 1):
        # Without its comment, which begins with a # after a space, in no quotes.
        match = _UNCOMMENTED.match(line)
        text = match.group().rstrip() if match and not line.lstrip().startswith("#") else ""
        if not text.strip() or text.strip() in ("---", "..."):
            continue
        indented = text[0] in " \t" or text.startswith("-")
        if not indented and (begun := _KEY.match(text)):
            key, value = begun.group(1), (begun.group(2) or "").strip()
            if key in KEYS and value:
                found[key] = _value(value, file, number)
        elif key in KEYS:
            _add(found, key, text.strip(), file, number)
        elif not indented:
            raise _unreadable(file, number, line)
    return found


def class_names_of(value: Value, file: Path) -> tuple[str, ...]:
    """Return the names of the classes in order of their number; raise DataError for a gap."""
    if isinstance(value, str):
        raise DataError(f"{file}: names is {value!r} and no list of names.")
    if isinstance(value, list):
        return tuple(value)
    try:
        numbers = {int(number): name for number, name in value.items()}
    except ValueError:
        raise DataError(
            f"{file}: names has keys that are no numbers: {', '.join(value)}."
        ) from None
    if sorted(numbers) != list(range(len(value))):
        raise DataError(
            f"{file}: names has {len(value)} entries, and their numbers are not 0 to "
            f"{len(value) - 1}."
        )
    return tuple(numbers[i] for i in range(len(numbers)))


def listed_names(file: Path) -> tuple[str, ...]:
    """Return the names in a `classes.txt` or `obj.names`, one a line."""
    names = [line.strip() for line in _lines(file)]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _lines(file: Path) -> list[str]:
    try:
        if file.stat().st_size > _MOST:
            raise DataError(f"{file} is larger than {_MOST:,} bytes.")
        return file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8.") from None


def _add(found: dict[str, Value], key: str, text: str, file: Path, number: int) -> None:
    """Add a line of a list or a mapping to a key's value."""
    if match := _ITEM.match(text):
        own = found.setdefault(key, [])
        if isinstance(own, list):
            own.append(_plain(match.group(1), file, number))
            return
    elif match := _ENTRY.match(text):
        mapping = found.setdefault(key, {})
        if isinstance(mapping, dict):
            mapping[_plain(match.group(1), file, number)] = _plain(match.group(2), file, number)
            return
    elif isinstance(found.get(key), str) and str(found[key])[:1] in "[{":  # goes on
        found[key] = _value(f"{found[key]} {text}", file, number)
        return
    raise _unreadable(file, number, text)


def _value(text: str, file: Path, number: int) -> Value:
    """Return a value that stands in a line: a text, [a, b] or {0: a}."""
    if text[0] not in "[{":
        return _plain(text, file, number)
    if text[-1] not in "]}":
        return text  # until the line that ends it
    parts = [part.strip() for part in _PART.findall(text[1:-1])]
    if text[0] == "[" and text[-1] == "]":
        return [_plain(part, file, number) for part in parts if part]
    entries = [_ENTRY.match(part) for part in parts if part]
    if text[0] == "{" and text[-1] == "}" and all(entries):
        return {
            _plain(e.group(1), file, number): _plain(e.group(2), file, number) for e in entries if e
        }
    raise _unreadable(file, number, text)


def _plain(text: str, file: Path, number: int) -> str:
    """Return a text without its quotes; raise DataError for what else YAML could mean."""
    text = text.strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    if not text or text[0] in "&*!|>%@`[]{}\"'":
        raise _unreadable(file, number, text)
    return text


def _unreadable(file: Path, number: int, text: str) -> DataError:
    return DataError(
        f"{file}, line {number}: {text.strip()[:60]!r} cannot be read. Of YAML, texts, lists and "
        f"numbered names are read for {', '.join(KEYS)}. Write it so, or declare data.classes and "
        "point data.path at the folder."
    )
