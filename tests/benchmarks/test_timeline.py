"""A timeline small enough to account for by hand."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from benchmarks.timeline import Epoch, account, lay_out

# Two cores, started at 10, first epoch at 14, exit at 40.
#
# core 1:  ....[a 14-18].[a 19-22]..[c 24-30]......
# core 2:  .....[b 15-25][b 25-28].................[d 36-38]..
#
# Pack c starts where a was, which has been idle since 22; d where b was, idle since 28 (a's core: since 30).
TIMELINE = [
    Epoch("a", 14, 18),
    Epoch("b", 15, 25),
    Epoch("a", 19, 22),
    Epoch("c", 24, 30),
    Epoch("b", 25, 28),
    Epoch("d", 36, 38),
]


def test_packs_take_the_core_that_has_been_idle_longest() -> None:
    cores = lay_out(reversed(TIMELINE), 2)
    assert [[epoch.pack for epoch in core] for core in cores] == [["a", "a", "c"], ["b", "b", "d"]]


def test_account_splits_every_second_by_its_cause() -> None:
    seconds = account(TIMELINE, 2, start=10, end=40)
    assert asdict(seconds) == {
        "training": 4 + 3 + 6 + 10 + 3 + 2,
        "start": 4 + 5,
        "between_epochs": 1 + 0,
        "between_packs": 2 + 8,
        "tail": 8 + 0,
        "end": 2 + 2,
    }
    assert seconds.total == 2 * (40 - 10)
    assert seconds.loss == 1 - 28 / 60


def test_core_without_a_pack_waits_for_the_first_epoch_and_then_for_the_last() -> None:
    seconds = account([Epoch("a", 12, 15)], 3, start=10, end=16)
    assert (seconds.start, seconds.tail, seconds.end) == (3 * 2, 2 * 3, 3 * 1)
    assert seconds.total == 3 * 6


def test_more_packs_at_once_than_cores_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 1 packs must be at work at once, got more: b"):
        lay_out([Epoch("a", 0, 2), Epoch("b", 1, 3)], 1)


def test_overlap_by_the_rounding_of_time_stamps_is_no_overlap() -> None:
    assert len(lay_out([Epoch("a", 0, 2.001), Epoch("b", 2, 3)], 1)[0]) == 2
