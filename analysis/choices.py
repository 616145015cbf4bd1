"""The one error for a name that is not among the allowed ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from trainables.user_error import UserError


class UnknownNameError(UserError, ValueError):
    """A name that is none of the allowed ones; the message lists them and the nearest."""


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Raise an error that names what is wrong, what is allowed and the nearest allowed name.

    Args:
        what: What the name stands for, for example "metric".
        value: The name that was given.
        allowed: The names that exist.
    Raises:
        UnknownNameError: If the value is not allowed.
    """
    names = list(allowed)
    if value in names:
        return
    nearest = difflib.get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise UnknownNameError(f"unknown {what} {value!r}; allowed: {', '.join(names) or 'none'}{hint}")
