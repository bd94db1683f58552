"""Names of classes from a file: by folder name, never by position."""

import json
from pathlib import Path

from tfpipe.errors import DataError, suggest


def class_names(path: Path, owner: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what each class folder is called for people.

    Args:
        path: a JSON map of folder to name; or a text file with a line for each folder: its name, a
            tab, and what it is called, or its name alone. Folders that are no classes may stand
            there too.
        owner: the source as a person knows it, for messages.
        classes: the class folders in order of index.

    Raises:
        DataError: when the file cannot be read as that, or lacks a class.
    """
    where = f"{owner}: the names file {path}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise DataError(f"{where} cannot be read: {reason}.") from None
    names = _from_json(text, where) if path.suffix.lower() == ".json" else _from_lines(text, where)
    for folder in classes:
        if folder not in names:
            raise DataError(
                f"{where} has no name for the class folder {folder!r}. It names folders, not "
                f"positions. {suggest(folder, names)}".strip()
            )
    chosen = [names[folder] for folder in classes]
    return tuple(
        f"{name} ({folder})" if chosen.count(name) > 1 else name  # one that several folders share
        for name, folder in zip(chosen, classes, strict=True)
    )


def _from_json(text: str, where: str) -> dict[str, str]:
    try:
        names = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}.") from None
    if not isinstance(names, dict) or not all(isinstance(v, str) and v for v in names.values()):
        kind = "a list" if isinstance(names, list) else "something else"
        kind = "a map with other values than texts" if isinstance(names, dict) else kind
        raise DataError(
            f'{where} holds {kind}; a map of folder names to names is expected: {{"21": "rose"}}. '
            "Names by position would go to the wrong classes."
        )
    return names


def _from_lines(text: str, where: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        folder, tab, name = line.partition("\t")
        folder, name = folder.strip(), name.strip()
        if not folder or (tab and not name):
            raise DataError(f"{where}, line {number}: {line!r} is not a folder, a tab and a name.")
        if names.get(folder, name or folder) != (name or folder):
            raise DataError(f"{where}, line {number}: the folder {folder!r} has two names.")
        names[folder] = name or folder
    return names
