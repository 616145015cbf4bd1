"""Entry point: the commands, and how errors are shown."""

from __future__ import annotations

import gc
import sys

import typer
from rich.console import Console

from sweep.cli import data, doctor, plan, run, status, sync, tables, ui
from sweep.quiet import quieten

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="catsweep",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Sweeps of discrete-latent-variable experiments: run them, look at them, make the papers' tables.",
)
for module in (run, plan, status, sync, tables, ui, doctor):
    app.command(module.__name__.rpartition(".")[2])(module.command)
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line; an error that the user can mend is one message and a non-zero exit status."""
    quieten()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if not isinstance(error, _expected_errors()):
            raise
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(EXIT_BAD_INPUT)
    finally:
        # At exit Python would look through everything that the libraries made for garbage, for a second.
        gc.freeze()


def _expected_errors() -> tuple[type[Exception], ...]:
    from analysis.choices import UnknownNameError
    from sweep.cluster import ClusterError
    from sweep.home import HomeError
    from sweep.spec_file import SpecError
    from sweep.store import StoreError
    from trainables.data import DataError

    return UnknownNameError, HomeError, ClusterError, SpecError, StoreError, DataError
