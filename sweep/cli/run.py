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

from sweep.cli.mlflow_results import experiment_of, put_results
from sweep.cli.options import (
    CpusOption,
    GpusOption,
    HomeOption,
    PackSizeOption,
    SpecArgument,
    TrackingOption,
    typed_resources,
)
from sweep.cli.plan import note_others, print_summary
from sweep.cli.search_summary import as_search, best_line
from sweep.cli.table_text import TableOptions, table_text
from sweep.redaction import redact
from sweep.spec.limits import MAX_LINES
from trainables.task_registry import task_of
from trainables.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweep.home import Home
    from sweep.planning.shard import Shard
    from sweep.runner import Outcome

EXIT_MEMBERS_FAILED = 1
EXIT_INTERRUPTED = 130
_BESIDE = {
    "published": "beside the paper's table, whose numbers some cells are made like",
    "curves": "beside the authors' own runs at the same epoch",
}


def command(
    spec: SpecArgument,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster: auto or host:port. [default: start one on this machine]"),
    ] = None,
    gpus: GpusOption = None,
    cpus: CpusOption = None,
    members_per_pack: PackSizeOption = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="i/N",
            help="Do the i-th of N parts only, in a home of its own, HOME/shards/i-of-N, anywhere.",
        ),
    ] = None,
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
    from sweep.execution.display import duration
    from sweep.home import Home
    from sweep.planning.shard import Shard

    whole = place = Home.resolve(home, tracking_uri)
    part = Shard.parse(shard) if shard else None
    if part:
        if tracking_uri:
            raise typer.BadParameter("a shard has a store of its own", param_hint="--tracking-uri")
        place = whole.shard(part.folder)
    resources = typed_resources(gpus, cpus, members_per_pack)
    if dry_run:
        found = api.placed_plan(
            spec, place, address=address, retry_failed=retry_failed, resources=resources, shard=part
        )
        note_others(found.plan)
        print_summary(found.plan, place, found.capacity, placement=str(found.placement))
        return
    start = time.monotonic()
    outcome = api.execute(
        spec, place, address=address, retry_failed=retry_failed, resources=resources, shard=part
    )
    if part:
        _end_of_shard(part, outcome, whole, duration(time.monotonic() - start))
        _exit(outcome)
        return
    shown, others = _comparisons(spec, place)
    if not outcome.is_interrupted:
        num_cells = _num_cells(spec, place)
        is_short = num_cells <= MAX_LINES
        if is_short:
            echo(table_text([spec], place, TableOptions(compare=shown)))
        else:
            echo(f"{num_cells:,} cells, too many for a table here; `{_program()} tables` prints one")
        _say_winner(spec, place)
        if problem := put_results(spec, place, shown, has_pages=is_short):
            echo(problem, err=True)
    _say_where_and_what_next(
        outcome,
        spec,
        place,
        _options_as_given(spec, home, tracking_uri),
        duration(time.monotonic() - start),
        others,
    )
    _exit(outcome)


def _exit(outcome: Outcome) -> None:
    if outcome.is_interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if outcome.num_failed:
        raise typer.Exit(EXIT_MEMBERS_FAILED)


def _end_of_shard(shard: Shard, outcome: Outcome, whole: Home, seconds: str) -> None:
    """Say how a shard ended, and what brings shards together; the table of a part would mislead."""
    end = "interrupted after" if outcome.is_interrupted else "ended after"
    path = shlex.quote(str(whole.path))
    echo(
        f"shard {shard} {end} {seconds}: {outcome.num_run} members finished, {outcome.num_failed} failed\n"
        f"to bring the shards together: {_program()} import {path}/shards/* --home {path}",
        err=True,
    )


def _num_cells(spec: str, place: Home) -> int:
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    return load_spec(spec, declared=Store(place).declared).num_cells


def _say_winner(spec: str, home: Home) -> None:
    """Name the best cell of a search below its table; a grid has none."""
    from sweep import api

    plan = api.current_plan(spec, home)
    if not plan.spec.search.is_grid and (search := as_search(plan)):
        echo(best_line(search))


def _comparisons(spec: str, home: Home) -> tuple[str | None, tuple[str, ...]]:
    """Return what the table at the end is compared with, if that is fair, and what else it might be."""
    from analysis.published.comparison import COMPARISONS, fair_comparison, is_alike
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    loaded = load_spec(spec, declared=Store(home).declared)
    if not loaded.search.is_grid:
        return None, ()
    headline = task_of(loaded.task).headline
    cells = [request.cell for request in loaded.requests()]
    shown = fair_comparison(cells, headline)
    others = [name for name in COMPARISONS if any(is_alike(cell, headline, name) for cell in cells)]
    return shown, tuple(name for name in others if name != shown)


def _say_where_and_what_next(
    outcome: Outcome, spec: str, place: Home, options: str, seconds: str, comparisons: Sequence[str]
) -> None:
    lines = [
        "",
        f"{outcome.num_run} members finished in {seconds}",
        f"store: {place.shown_uri}",
        *_cells_page(spec, place),
    ]
    if outcome.is_interrupted:
        lines.append(f"interrupted; to go on: {_program()} run {options}")
    if outcome.num_failed:
        lines.append(f"{outcome.num_failed} members failed; to see why: {_program()} status {options}")
    program = _program()
    hints = {
        f"{program} tables {options} --format latex": "the table for a paper; also markdown, html, csv, json",
        **{f"{program} tables {options} --compare {name}": _BESIDE[name] for name in comparisons},
        f"{program} ui{_without_spec(options)}": "every run in the browser",
    }
    width = max(map(len, hints))
    lines += ["next:", *(f"  {command:<{width}}  # {purpose}" for command, purpose in hints.items())]
    for line in lines:
        echo(line, err=True)


def _cells_page(spec: str, place: Home) -> list[str]:
    """Say where a server shows the cells; the pages of a home are shown by `catsweep ui`, which says it."""
    from sweep.execution.experiment_page import cells_address
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    if not place.is_server:
        return []
    store = Store(place)
    experiment = experiment_of(store.client, load_spec(spec, declared=store.declared).name)
    return [f"cells: {cells_address(place.shown_uri, experiment.experiment_id)}"] if experiment else []


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
