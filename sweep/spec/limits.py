"""The most that a spec may ask for: what MLflow and file systems take, and what can be planned at all."""

from __future__ import annotations

from collections.abc import Sequence

MAX_PARAM_LENGTH = 6000
"""Characters of a param; MLflow cuts longer ones, and their member would never be known again."""

MAX_NOTE_LENGTH = 8000
"""Characters of a tag, which a note is; MLflow cuts longer ones."""

MAX_LABEL_LENGTH = 100
"""Characters of what a table calls a row."""

MAX_NAME_LENGTH = 128
"""Characters of a sweep's name: MLflow's databases keep 256 of an experiment's, and file systems 255 bytes of
a file's, of which figures and what is temporary need a part for themselves."""

MAX_COUNT = 1_000_000
"""The largest of the integers that have no smaller bound of their own."""

MAX_SEED = 2**63 - 1
"""What PyTorch's generators, databases and frames can hold."""

MAX_MEMBERS = 100_000
"""Members of a sweep, and cells of a search's space: all are in memory while it is planned and run."""

MAX_LINES = 1000
"""Lines that a command prints of cells before it shows sums of them instead."""

MAX_ERRORS = 20
"""Errors that a command prints before it counts the rest."""


def first_of(lines: Sequence[str], most: int, rest: str) -> list[str]:
    """Return the first lines, and how many there are besides, in words that follow the number."""
    return [*lines[:most], *([f"{len(lines) - most:,} {rest}"] if len(lines) > most else [])]


MAX_WIDTH = 65_536
MAX_LAYERS = 32
"""Of a hidden layer, and how many a network may have."""
