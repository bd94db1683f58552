"""The bearer token that requests have to bring: from a file or from the environment."""

import os
from pathlib import Path

from tfpipe.errors import ConfigError

VARIABLE = "TFPIPE_TOKEN"


def token_of(file: Path | None) -> str | None:
    """Return the token; None where none is asked for.

    Args:
        file: holds it; the variable TFPIPE_TOKEN when None.

    Raises:
        ConfigError: for one that no header can carry.
    """
    text = os.environ.get(VARIABLE) if file is None else file.read_text("utf-8", "replace")
    if text is None:
        return None
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        source = VARIABLE if file is None else str(file)
        raise ConfigError(f"{source} holds no token: expected are letters, digits and signs.")
    return token
