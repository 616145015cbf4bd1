"""Entry point: the commands, and how errors are shown."""

from __future__ import annotations

import gc
import sys
import threading
import traceback
from types import TracebackType

import typer
from rich.console import Console

from sweep.cli import data, doctor, figures, plan, report, run, status, sync, tables, ui
from sweep.cli.supervisor import supervise
from sweep.quiet import quieten
from sweep.redaction import redact

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
_NEW_OBJECTS = 100_000

app = typer.Typer(
    name="catsweep",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Sweeps of discrete-latent-variable experiments: run them, look at them, make the papers' tables.",
)
for module in (run, plan, status, sync, tables, figures, report, ui, doctor):
    app.command(module.__name__.rpartition(".")[2])(module.command)
app.add_typer(data.app, name="data")


def console_script() -> None:
    """Run the command line in a process that ends with it; of `run`, Ray may end the one that drives."""
    if sys.argv[1:2] == ["run"]:
        supervise(_run)
    else:
        _run()


def _run() -> None:
    threading.excepthook = lambda crash: _show_crash(*crash[:3])
    # Modules, and what a store holds, stay to the end: to look through them for garbage, as Python does after
    # every 700 new objects, took a quarter of the time that `catsweep plan` reads for.
    gc.set_threshold(_NEW_OBJECTS)
    try:
        main()
    finally:
        # At exit Python would look through everything that the libraries made for garbage, for a second.
        gc.freeze()


def main() -> None:
    """Run the command line; an error that the user can mend is one message and a non-zero exit status."""
    quieten()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if not isinstance(error, _expected_errors()):
            sys.excepthook = _show_crash  # not earlier, since Typer sets a hook of its own
            raise
        console = Console(stderr=True, highlight=False)
        console.print(redact(f"error: {error}"), markup=False, soft_wrap=True)
        sys.exit(EXIT_BAD_INPUT)


def _show_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Print the traceback of an error of ours, in whose message a library may have put a store's address."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _expected_errors() -> tuple[type[Exception], ...]:
    from analysis.choices import UnknownNameError
    from analysis.figure_error import FigureError
    from analysis.report_error import ReportError
    from sweep.cluster_error import ClusterError
    from sweep.home import HomeError
    from sweep.spec_file import SpecError
    from sweep.store import StoreError
    from trainables.data import DataError
    from trainables.database import DatabaseError

    return (
        UnknownNameError,
        FigureError,
        ReportError,
        HomeError,
        ClusterError,
        SpecError,
        StoreError,
        DatabaseError,
        DataError,
    )
