from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sweep.execution.display import Display, LineDisplay, LiveDisplay, duration, make_display, pack_name
from sweep.execution.progress import Progress
from sweep.home import Home
from sweep.planning.plan import make_plan
from tests.sweep.samples import record, spec_of


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    """Two cells of two seeds: one member done, one pack in epoch 1 of 2; an epoch takes 100 s."""
    times = iter([0.0] + [200.0] * 10)
    spec = spec_of({"estimator": "reinmax", "temperature": [0.5, 1.3]})
    progress = Progress(make_plan(spec, {}, Home.resolve(tmp_path)), lambda: next(times))
    first, second, *_ = progress.plan.packs
    progress.advanced(first, [record(2, 100.0)])
    progress.ended(first, has_failed=False)
    progress.started(second)
    progress.advanced(second, [record(1, 123.456)])
    return progress


def picture(progress: Progress) -> list[str]:
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(LiveDisplay(progress, console)._picture())
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_the_live_picture_shows_cells_members_what_is_running_and_when_it_ends(progress: Progress) -> None:
    cells, members, heading, running, notes = picture(progress)
    assert cells.split() == ["cells", "━" * 40, "0/2"]
    assert members.split()[0] == "members"
    assert members.split()[-1] == "1/4"
    assert heading.split() == ["running", "epoch", "train", "negative", "ELBO", "(nats", "per", "image)"]
    assert running.split(" " * 2) == ["reinmax 8x4 adam lr=0.0005 τ=0.5 seed 1", "1/2", "", "123.46"]
    assert notes == "ETA 8 min 20 s"  # 5 of the 8 epochs are left


def test_the_live_picture_says_what_went_wrong(progress: Progress) -> None:
    *_, third, fourth = progress.plan.packs
    progress.ended(third, has_failed=False, diverged=third.members)
    progress.ended(fourth, has_failed=True)
    assert picture(progress)[-1] == "ETA 1 min 40 s, 1 diverged, 1 failed"


def test_before_the_first_epoch_there_is_no_estimate(tmp_path: Path) -> None:
    progress = Progress(make_plan(spec_of(), {}, Home.resolve(tmp_path)))
    progress.started(progress.plan.packs[0])
    *_, running, notes = picture(progress)
    assert running.split()[-1] == "0/2"
    assert notes == "ETA after the first epoch"


def test_lines_of_the_live_display_stay_above_the_picture(progress: Progress) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system=None, highlight=False)
    with LiveDisplay(progress, console) as display:
        display.update()
        display.say("failed: [odd] name")
    assert "failed: [odd] name" in stream.getvalue()


def test_a_line_says_what_was_given_up(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    display, stream = line_display(progress)
    monkeypatch.setattr("sweep.execution.display.LINE_SECONDS", 0.0)
    progress.ended(progress.plan.packs[2], has_failed=False, is_pruned=True)
    display.update()
    assert ", 1 stopped early; running: " in stream.getvalue()


def line_display(progress: Progress) -> tuple[Display, io.StringIO]:
    stream = io.StringIO()
    return LineDisplay(progress, Console(file=stream, width=40)), stream


def test_a_line_now_and_then_says_the_same(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    display, stream = line_display(progress)
    monkeypatch.setattr("sweep.execution.display.LINE_SECONDS", 0.0)
    with display:
        display.update()
    assert stream.getvalue() == (
        "1/4 members, 0/2 cells, ETA 8 min 20 s; "
        "running: reinmax 8x4 adam lr=0.0005 τ=0.5 seed 1 epoch 1/2 123.46\n"
    )


def test_lines_come_no_faster_than_every_ten_seconds(progress: Progress) -> None:
    display, stream = line_display(progress)
    display.update()
    assert stream.getvalue() == ""
    display.say("failed: [odd] a line of its own is printed at once, and is not broken")
    assert stream.getvalue().count("\n") == 1


def test_without_a_terminal_there_are_plain_lines_on_stderr(
    progress: Progress, capsys: pytest.CaptureFixture[str]
) -> None:
    display = make_display(progress)
    assert isinstance(display, LineDisplay)
    display.say("here")
    assert capsys.readouterr() == ("", "here\n")


def test_on_a_terminal_there_is_a_live_picture(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(make_display(progress), LiveDisplay)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3600, "1 h 00 min"),
     (3 * 86400 + 300, "72 h 05 min")],
)  # fmt: skip
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_pack_is_named_by_its_first_member_and_how_many_there_are_more(tmp_path: Path) -> None:
    spec = spec_of(seeds=3, resources={"members_per_pack": 3})
    (pack,) = make_plan(spec, {}, Home.resolve(tmp_path)).packs
    assert pack_name(pack) == "st 8x4 adam lr=0.0005 τ=1.0 seed 0 (+2 more)"
