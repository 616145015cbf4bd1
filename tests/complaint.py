"""What a check that raises AssertionError says, as a value that a test can assert on."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def complaint(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> str:
    """Return what the check complains of when it is called; empty if it passes."""
    try:
        check(*args, **kwargs)
    except AssertionError as error:
        return str(error) or f"{check} failed"
    return ""
