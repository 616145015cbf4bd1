"""What a person sees while a sweep runs: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from sweep.execution.cell_runs import cell_name
from sweep.execution.progress import Progress, RunningPack
from sweep.redaction import redact
from sweep.spec.limits import first_of
from trainables.pack import Pack
from trainables.task_registry import METRIC, task_of
from trainables.terminal import make_console

LINE_SECONDS = 10.0
_MOST_PACKS = 20


class Display(Protocol):
    """Shows progress; entered before the first event and left after the last."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self) -> None:
        """Show the progress as it is now."""

    def say(self, message: str) -> None:
        """Show a line that stays."""


def make_display(progress: Progress) -> Display:
    """Return a live display where stdout is a terminal, else one of plain lines; both write to stderr."""
    console = make_console(stderr=True, soft_wrap=False)
    if sys.stdout.isatty() and console.is_terminal:
        return LiveDisplay(progress, console)
    return LineDisplay(progress, console)


def duration(seconds: float) -> str:
    """Return a duration for people, for example "1 h 05 min" or "42 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def pack_name(pack: Pack) -> str:
    """Return a name of a pack for people: its cell and seed, or its first and how many there are more."""
    first = pack.members[0]
    more = f" (+{len(pack) - 1} more)" if len(pack) > 1 else ""
    return f"{cell_name(first.cell)} seed {first.seed}{more}"


def _value(running: RunningPack) -> str:
    form = METRIC[running.pack.task.progress].form
    return "" if running.value is None else f"{running.value:{form}}"


def _remaining(progress: Progress) -> str:
    seconds = progress.seconds_left
    return "ETA after the first epoch" if seconds is None else f"ETA {duration(seconds)}"


class LineDisplay:
    """A line now and then, for logs and pipes.

    Args:
        progress: What to show.
        console: Where to show it.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self) -> None:
        """Print where things are, unless that was done some seconds ago."""
        if time.monotonic() - self._last < LINE_SECONDS:
            return
        self._last = time.monotonic()
        progress = self._progress
        packs = [
            f"{pack_name(one.pack)} epoch {one.epoch}/{one.pack.epochs} {_value(one)}".rstrip()
            for one in list(progress.running.values())
        ]
        running = "; ".join(first_of(packs, _MOST_PACKS, "more packs"))
        self.say(
            f"{progress.num_members_done}/{progress.num_members_asked} members, "
            f"{progress.num_cells_done}/{progress.num_cells_asked} cells, "
            f"{', '.join([_remaining(progress), *progress.notes])}; running: {running}"
        )

    def say(self, message: str) -> None:
        """Print a line."""
        self._console.print(redact(message), soft_wrap=True, markup=False)


class LiveDisplay:
    """A picture that changes in place.

    Args:
        progress: What to show.
        console: A terminal.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def update(self) -> None:
        """Nothing to do: the picture is drawn anew several times a second."""

    def say(self, message: str) -> None:
        """Print a line above the picture."""
        self._live.console.print(redact(message), markup=False)

    def _picture(self) -> RenderableType:
        progress = self._progress
        bars = Table.grid(padding=(0, 1))
        for what, done, total in (
            ("cells", progress.num_cells_done, progress.num_cells_asked),
            ("members", progress.num_members_done, progress.num_members_asked),
        ):
            bars.add_row(what, ProgressBar(total=total, completed=done, width=40), f"{done}/{total}")
        shown = METRIC[task_of(progress.plan.spec.task).progress]
        unit = f" ({shown.unit})" if shown.unit else ""
        running = Table("running", "epoch", f"{shown.text}{unit}", box=None, padding=(0, 2, 0, 0))
        packs = list(progress.running.values())
        for one in packs[:_MOST_PACKS]:
            running.add_row(pack_name(one.pack), f"{one.epoch}/{one.pack.epochs}", _value(one))
        if len(packs) > _MOST_PACKS:
            running.add_row(f"{len(packs) - _MOST_PACKS:,} more packs")
        return Group(bars, running, ", ".join([_remaining(progress), *progress.notes]))
