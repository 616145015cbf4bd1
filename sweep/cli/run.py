"""`catsweep run`: do what of a sweep is not done yet."""

from __future__ import annotations

import shlex
import time
from typing import Annotated

import typer
from rich.console import Console

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from sweep.cli.plan import print_summary

EXIT_MEMBERS_FAILED = 1
EXIT_INTERRUPTED = 130


def command(
    spec: SpecArgument,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster: auto or ray://host:port. [default: start one on this machine]"),
    ] = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and stop.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed members again.")] = False,
) -> None:
    """Do what of a sweep is not done yet.

    Finished members are skipped and interrupted ones go on from their last checkpoint, so the same command
    after a crash, or with a wider spec, does only the rest.

    Example: `catsweep run quickstart`
    """
    from sweep import api
    from sweep.display import duration
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    if dry_run:
        print_summary(api.current_plan(spec, place, retry_failed=retry_failed), place)
        return
    start = time.monotonic()
    outcome = api.execute(spec, place, address=address, retry_failed=retry_failed)
    console = Console(stderr=True, highlight=False)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    options = _options_as_given(spec, home, tracking_uri)
    say(f"{outcome.num_run} members finished in {duration(time.monotonic() - start)}")
    say(f"store: {place.tracking_uri}")
    if outcome.is_interrupted:
        say(f"interrupted; go on with: catsweep run {options}")
        raise typer.Exit(EXIT_INTERRUPTED)
    if outcome.num_failed:
        say(f"{outcome.num_failed} members failed; see why with: catsweep status {options}")
        raise typer.Exit(EXIT_MEMBERS_FAILED)
    say(f"table: catsweep tables {options} --compare published")
    say(f"runs in the browser: catsweep ui{options.removeprefix(shlex.quote(spec))}")


def _options_as_given(spec: str, home: object, tracking_uri: str | None) -> str:
    words = [spec]
    words += ["--home", str(home)] if home else []
    words += ["--tracking-uri", tracking_uri] if tracking_uri else []
    return shlex.join(words)
