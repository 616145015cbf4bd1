"""Cells as they are named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.schema import Cell, CellRequest


def chosen_requests(requests: Sequence[CellRequest], texts: Sequence[str]) -> list[CellRequest]:
    """Return the cells that are named by hash or by values; where none is named, all.

    Raises:
        SpecError: If a name is none of the sweep's cells.
    """
    if texts:
        _check_any(texts, requests)
    return [one for one in requests if not texts or any(_is_of(one.cell, text) for text in texts)]


def _check_any(texts: Sequence[str], requests: Sequence[CellRequest]) -> None:
    from sweep.spec.file import SpecError

    for text in texts:
        if not any(_is_of(one.cell, text) for one in requests):
            raise SpecError(
                f"--cell {text} is none of the sweep's {len(requests):,} cells; name a hash of "
                "catsweep status --json, or values such as estimator=reinmax,latent=8x4"
            )


def _is_of(cell: Cell, text: str) -> bool:
    """Whether a cell has this hash, or all of these values in any form of a number."""
    from trainables.schema import format_param

    if "=" not in text:
        return cell.hash == text
    known = {**cell.params, "latent": cell.latent}
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        try:
            if known.get(name) != format_param(name, value):
                return False
        except ValueError:
            return False
    return True
