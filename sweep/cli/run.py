"""`catsweep run`: do what of a sweep is not done yet."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from sweep.cli.plan import print_summary
from sweep.cli.tables import table_text
from sweep.redaction import redact
from trainables.tasks import task_of

if TYPE_CHECKING:
    from sweep.home import Home
    from sweep.runner import Outcome

EXIT_MEMBERS_FAILED = 1
EXIT_INTERRUPTED = 130


def command(
    spec: SpecArgument,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster: auto or host:port. [default: start one on this machine]"),
    ] = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and stop.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed members again.")] = False,
) -> None:
    """Do what of a sweep is not done yet.

    Finished members are skipped and interrupted ones go on from their last checkpoint, so the same command
    after a crash, or with a wider spec, does only the rest. Failed ones stay so unless `--retry-failed`.

    The exit status is 0 if every member is done, 1 if some have failed, 2 after any other error, and 130 if
    it was interrupted. Where Ray ends because a process of its own was killed, the run starts again by itself
    and goes on, twice at most.

    Example: `catsweep run quickstart`
    """
    from sweep import api
    from sweep.display import duration
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    if dry_run:
        plan = api.current_plan(spec, place, retry_failed=retry_failed)
        print_summary(plan, place, api.capacity(spec, plan, address))
        return
    start = time.monotonic()
    outcome = api.execute(spec, place, address=address, retry_failed=retry_failed)
    if not outcome.is_interrupted:
        typer.echo(table_text(spec, place, compare=_comparison(spec, "published")))
    _say_where_and_what_next(
        outcome,
        place,
        _options_as_given(spec, home, tracking_uri),
        duration(time.monotonic() - start),
        has_curves=_comparison(spec, "curves") is not None,
    )
    if outcome.is_interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if outcome.num_failed:
        raise typer.Exit(EXIT_MEMBERS_FAILED)


def _comparison(spec: str, compare: str) -> str | None:
    """Return what the table at the end is compared with; nothing, where nothing is published of a cell."""
    from analysis.comparison import has_published
    from sweep.spec_file import load_spec

    loaded = load_spec(spec)
    headline = task_of(loaded.task).headline
    cells = (request.cell for request in loaded.requests())
    return compare if any(has_published(cell, headline, compare) for cell in cells) else None


def _say_where_and_what_next(
    outcome: Outcome, place: Home, options: str, seconds: str, *, has_curves: bool
) -> None:
    lines = [
        "",
        f"{outcome.num_run} members finished in {seconds}",
        f"store: {place.shown_uri}",
    ]
    if outcome.is_interrupted:
        lines.append(f"interrupted; to go on: {_program()} run {options}")
    if outcome.num_failed:
        lines.append(f"{outcome.num_failed} members failed; to see why: {_program()} status {options}")
    program = _program()
    curves = {
        f"{program} tables {options} --compare curves": "beside the authors' own runs at the same epoch"
    }
    hints = {
        f"{program} tables {options} --format latex": "the table for a paper; also markdown, html, csv, json",
        **(curves if has_curves else {}),
        f"{program} ui{_without_spec(options)}": "every run in the browser",
    }
    width = max(map(len, hints))
    lines += ["next:", *(f"  {command:<{width}}  # {purpose}" for command, purpose in hints.items())]
    console = Console(stderr=True, highlight=False)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _options_as_given(spec: str, home: object, tracking_uri: str | None) -> str:
    words = [spec]
    words += ["--home", str(home)] if home else []
    words += ["--tracking-uri", redact(tracking_uri, tracking_uri)] if tracking_uri else []
    return shlex.join(words)


def _without_spec(options: str) -> str:
    return "".join(f" {shlex.quote(word)}" for word in shlex.split(options)[1:])


def _program() -> str:
    """Return what to type for this program: its path, where the shell would not find it by its name."""
    if shutil.which("catsweep") or Path(sys.argv[0]).name != "catsweep":
        return "catsweep"
    return os.path.relpath(sys.argv[0])
