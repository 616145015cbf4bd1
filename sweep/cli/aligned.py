"""Columns of plain text, for thousands of rows: Rich takes longer for its own tables than to read a store."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

_GAP = "  "


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, their first column flush left and the others flush right."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        fields = [first + " " * (widths[0] - cell_len(first))]
        fields += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append(_GAP.join(fields))
    return lines
