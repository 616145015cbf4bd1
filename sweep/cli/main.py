"""Entry point: the commands, and how errors are shown."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from sweep.cli import (
    check,
    data,
    delete,
    doctor,
    export,
    figures,
    import_members,
    init,
    plan,
    report,
    run,
    slurm,
    status,
    stop,
    tables,
    ui,
)
from sweep.cli.supervisor import supervise
from sweep.quiet import quieten
from sweep.redaction import redact
from trainables.terminal import VisibleHandler, echo
from trainables.user_error import UserError
from trainables.visible_text import visible

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
_NEW_OBJECTS = 100_000


class _Commands(TyperGroup):
    """The commands; what was typed wrong is shown without control characters."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what stands before the command."""
        with _visible_complaints():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Read what stands after the command, and run it."""
        with _visible_complaints():
            return super().invoke(ctx)


@contextmanager
def _visible_complaints() -> Iterator[None]:
    try:
        yield
    except TyperException as error:
        error.message = visible(error.message)
        raise


app = typer.Typer(
    name="catsweep",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Sweeps of discrete-latent-variable experiments: run them, look at them, make the papers' tables.",
)


def _show_version(is_asked: bool) -> None:
    from sweep.cluster.environment import code_version, package_version

    if is_asked:
        version, code = package_version("catsweep"), code_version()
        echo(f"catsweep {version}" if code == version else f"catsweep {version} ({code})")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


for module in (
    run, plan, status, tables, figures, report, init, check, export, delete, stop, slurm, ui, doctor,
):  # fmt: skip
    app.command(module.__name__.rpartition(".")[2])(module.command)
app.command("import")(import_members.command)
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
    logging.lastResort = VisibleHandler(logging.WARNING)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except UserError as error:
        echo(redact(f"error: {error}"), err=True)
        sys.exit(EXIT_BAD_INPUT)
    except Exception:
        sys.excepthook = _show_crash  # not earlier, since Typer sets a hook of its own
        raise


def _show_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Print the traceback of an error of ours, in whose message a library may have put a store's address."""
    echo(redact("".join(traceback.format_exception(kind, error, trace))), err=True, nl=False)
