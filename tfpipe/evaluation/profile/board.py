"""A profile for TensorBoard: its tables as a text beside the trace."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf


def write_text(folder: Path, found: Mapping[str, Any]) -> None:
    """Write what was found where TensorBoard's Text page shows it.

    Args:
        folder: of the event files.
        found: as `tfpipe.profile` returns it.
    """
    parts = [(p["part"], f"{p['ms']:.3f}", f"{p['share']:.1%}") for p in found["parts"]]
    columns = ("layer", "operation", "part", "calls", "ms", "share")
    costliest = [
        (*(o[c] for c in columns[:3]), f"{o['calls']:g}", f"{o['ms']:.3f}", f"{o['share']:.1%}")
        for o in found["operations"]
    ]
    text = "\n\n".join(
        [
            f"A step of {found['batch_size']} examples takes {found['step_ms']:.3g} ms.",
            _table(("part", "ms", "share"), parts),
            _table(columns, costliest),
            *found["advice"],
        ]
    )
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        tf.summary.text("profile", text, step=0)
    writer.close()


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
