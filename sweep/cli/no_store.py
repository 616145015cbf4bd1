"""What commands that only read say where there is no store: a home mistyped looks like a sweep not begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sweep.home import Home


def warn_where_none(home: Home) -> None:
    """Say on stderr that a home's store is not there, where it is not."""
    from sweep.store import Store

    if Store(home).is_empty_file:
        typer.echo(f"warning: there is no tracking store at {home.shown_uri} yet", err=True)
