"""One verified fact about a data set on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The outcome of one comparison with what is published.

    Args:
        what: The file or quantity that was compared.
        is_ok: Whether it agrees.
        detail: What was found and, on disagreement, what was expected.
    """

    what: str
    is_ok: bool
    detail: str


def failures(checks: Iterable[Check]) -> list[Check]:
    """Return the checks that did not hold, in order."""
    return [check for check in checks if not check.is_ok]


def describe(checks: Iterable[Check]) -> str:
    """Return one line that lists the checks as `what: detail`."""
    return "; ".join(f"{check.what}: {check.detail}" for check in checks)
