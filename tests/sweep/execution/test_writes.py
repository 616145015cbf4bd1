"""Which writes may go to the store together, and which must not."""

from __future__ import annotations

from dataclasses import replace

from sweep.execution.writes import FailMember, LogMetrics, StartMember, Write, WriteCell, joined


def start(member: str) -> StartMember:
    return StartMember(member=member, params={"seed": member}, note="", pack_size=1)


def metrics(member: str, epoch: int = 1) -> LogMetrics:
    return LogMetrics(member=member, rows=(("train_kl", 1.0, 1000 * epoch, epoch),))


MEANS = WriteCell(params={}, note="", time_ms=1, values={})
FAILURE = FailMember(member="a", end_ms=1, error="no memory")


def test_a_start_takes_the_next_metrics_of_its_member_with_it_and_says_where_they_were() -> None:
    writes: list[Write] = [start("a"), start("b"), metrics("b"), MEANS, metrics("a"), metrics("a", 2)]
    pair = joined(writes)
    assert pair is not None
    assert pair == (replace(start("a"), rows=metrics("a").rows), 4)
    assert pair[0].touched_members == ("a",)


def test_what_stands_between_keeps_its_place_in_the_order_of_a_run() -> None:
    assert joined([start("a"), FAILURE, metrics("a")]) is None
    assert joined([start("a"), start("a"), metrics("a")]) is None


def test_other_writes_are_sent_alone() -> None:
    assert joined([metrics("a"), metrics("a", 2)]) is None
    assert joined([start("a"), start("b"), metrics("b")]) is None
    assert joined([start("a")]) is None
