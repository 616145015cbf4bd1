from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from sweep.execution.outbox import Outbox
from sweep.execution.spool import Spool, read_spools
from sweep.execution.writes import FinishMember, LogMetrics, StartMember, Write
from sweep.store.refusal import TakenOverError, WriteRefusedError
from sweep.store.store import StoreError

AWAY = (
    MlflowException("store is away\nand more"),
    OperationalError("insert", {}, Exception("database is locked")),
    requests.ConnectionError("refused"),
    OSError("disk is full"),
)
DEADLINE = 10.0


def write(number: int) -> FinishMember:
    return FinishMember(member=str(number), end_ms=number, diverged=None)


class Book:
    """A store that keeps what it takes, unless something stands in the way."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.num_tries = 0
        self.obstacle: Callable[[int], None] = lambda number: None
        self.said: list[str] = []

    def apply(self, one: Write) -> None:
        assert isinstance(one, FinishMember)
        self.num_tries += 1
        self.obstacle(one.end_ms)
        self.taken.append(one.end_ms)

    def refuse(self, error: Exception) -> None:
        def obstacle(number: int) -> None:
            raise error

        self.obstacle = obstacle

    def allow(self) -> None:
        self.obstacle = lambda number: None


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool.new(tmp_path / "spool", "small", "the store")


@pytest.fixture
def outbox(book: Book, spool: Spool) -> Iterator[Outbox]:
    made = Outbox(book.apply, spool, book.said.append, pauses=(0.01, 0.02), patience=0.3)
    yield made
    book.allow()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def spooled(spool: Spool) -> list[int]:
    return [one.end_ms for found in read_spools(spool.path.parent) for one in found.writes]  # type: ignore[union-attr]


def test_writes_are_sent_in_their_order_and_nothing_is_spooled(
    book: Book, outbox: Outbox, spool: Spool
) -> None:
    outbox.add(*map(write, range(5)))
    outbox.add(write(5))
    outbox.close()
    assert (book.taken, len(outbox), book.said) == ([0, 1, 2, 3, 4, 5], 0, [])
    assert not spool.path.parent.exists()


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_while_the_store_is_away_writes_wait_on_disk_and_then_go_in_order(
    error: Exception, book: Book, outbox: Outbox, spool: Spool
) -> None:
    book.refuse(error)
    outbox.add(write(0), write(1))
    wait_until(lambda: spooled(spool) == [0, 1])
    outbox.add(write(2))
    wait_until(lambda: spooled(spool) == [0, 1, 2])
    assert book.taken == []
    book.allow()
    assert outbox.settle(DEADLINE)
    assert book.taken == [0, 1, 2]
    assert spooled(spool) == []
    first, *rest = book.said
    assert first.startswith(f"the tracking store does not take a write ({str(error).splitlines()[0]})")
    assert rest == ["the tracking store answers again"]


def test_a_store_that_is_away_is_not_asked_all_the_time(book: Book, spool: Spool) -> None:
    outbox = Outbox(book.apply, spool, book.said.append, pauses=(0.05, 0.1, 1000.0))
    book.refuse(AWAY[0])
    start = time.monotonic()
    outbox.add(write(0))
    wait_until(lambda: book.num_tries == 3)
    assert time.monotonic() - start >= 0.15
    outbox.add(write(1))
    wait_until(lambda: spooled(spool) == [0, 1])
    assert book.num_tries == 3


def test_who_adds_does_not_wait_for_a_slow_store(book: Book, outbox: Outbox) -> None:
    gate = threading.Event()
    book.obstacle = lambda number: assert_true(gate.wait(DEADLINE))
    outbox.add(write(0))
    outbox.add(write(1))
    assert book.taken == []
    gate.set()
    assert outbox.settle(DEADLINE)
    assert book.taken == [0, 1]


def assert_true(value: bool) -> None:
    assert value


def test_at_the_end_what_the_store_did_not_take_is_on_disk_and_the_error_says_where(
    book: Book, outbox: Outbox, spool: Spool
) -> None:
    book.refuse(AWAY[0])
    outbox.add(*map(write, range(3)))
    with pytest.raises(StoreError) as caught:
        outbox.close()
    assert str(caught.value) == (
        "tracking store the store did not take 3 writes (store is away); they are kept in "
        f"{spool.path}; once it answers, send them with `catsweep sync` or run the same command again"
    )
    assert spooled(spool) == [0, 1, 2]


def test_the_end_waits_for_a_slow_store_as_long_as_it_takes_something(book: Book, outbox: Outbox) -> None:
    book.obstacle = lambda number: time.sleep(0.1)
    outbox.add(*map(write, range(8)))  # 0.8 s in all, with a patience of 0.3
    outbox.close()
    assert book.taken == list(range(8))


def test_a_write_that_is_refused_for_good_is_set_aside_and_the_others_go_on(
    book: Book, outbox: Outbox, spool: Spool
) -> None:
    def obstacle(number: int) -> None:
        if number == 1:
            raise WriteRefusedError("finish: run is deleted")

    book.obstacle = obstacle
    outbox.add(*map(write, range(3)))
    with pytest.raises(StoreError, match=r"refused 1 writes for good; .* are in .*refused\.jsonl"):
        outbox.close()
    assert book.taken == [0, 2]
    assert book.said == ["the tracking store refuses a write for good: finish: run is deleted"]
    assert '"member": "1"' in spool.refused_path.read_text()
    assert spooled(spool) == []


def test_without_room_on_disk_writes_wait_in_memory(
    book: Book, outbox: Outbox, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(writes: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "append", full)
    book.refuse(AWAY[0])
    outbox.add(write(0))
    outbox.add(write(1))
    wait_until(lambda: book.num_tries > 3)
    assert sum("No space left on device" in line for line in book.said) == 1
    with pytest.raises(StoreError) as caught:
        outbox.close()
    assert str(caught.value) == (
        "tracking store the store did not take 2 writes (store is away); 2 are lost, since the disk took no "
        "spool: when the same command is run again, it trains what the store lacks, from checkpoints where "
        "the disk took some"
    )


def test_at_the_end_it_says_how_many_writes_are_kept_and_how_many_are_lost(
    book: Book, outbox: Outbox, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.refuse(AWAY[0])
    outbox.add(write(0))
    wait_until(lambda: spooled(spool) == [0])
    monkeypatch.setattr(spool, "append", mock.Mock(side_effect=OSError(28, "No space left on device")))
    outbox.add(write(1), write(2))
    with pytest.raises(
        StoreError, match=rf"; 1 are kept in {spool.path}; .*; 2 are lost, since the disk took"
    ):
        outbox.close()


def test_room_on_disk_is_used_once_it_is_there(
    book: Book, outbox: Outbox, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = spool.append
    is_full = [True]

    def sometimes(writes: object) -> None:
        if is_full[0]:
            raise OSError(28, "No space left on device")
        append(writes)  # type: ignore[arg-type]

    monkeypatch.setattr(spool, "append", sometimes)
    book.refuse(AWAY[0])
    outbox.add(write(0), write(1))
    wait_until(lambda: book.num_tries > 2)
    is_full[0] = False
    wait_until(lambda: spooled(spool))
    assert spooled(spool) == [0, 1]


def test_after_another_driver_has_taken_over_nothing_is_sent(
    book: Book, outbox: Outbox, spool: Spool
) -> None:
    book.refuse(AWAY[0])
    outbox.add(write(0), write(1))
    wait_until(lambda: spooled(spool) == [0, 1])
    book.refuse(TakenOverError())
    wait_until(lambda: len(outbox) == 0)
    book.allow()
    outbox.add(write(2))
    outbox.close()
    assert (book.taken, spooled(spool)) == ([], [])


def test_a_fault_in_the_thread_comes_up_where_writes_are_added(
    book: Book, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda fault: None)
    outbox = Outbox(book.apply, spool, book.said.append)
    book.refuse(ZeroDivisionError("planted"))
    outbox.add(write(0))
    with pytest.raises(ZeroDivisionError, match="planted"):
        outbox.settle(DEADLINE)
    with pytest.raises(ZeroDivisionError, match="planted"):
        outbox.add(write(1))


class Runs:
    """A store that keeps the whole writes, once it is open, unless it refuses a start that has metrics."""

    def __init__(self, *, is_refusing: bool = False) -> None:
        self.is_open = threading.Event()
        self.is_refusing = is_refusing
        self.taken: list[Write] = []

    def apply(self, one: Write) -> None:
        self.is_open.wait(DEADLINE)
        if self.is_refusing and isinstance(one, StartMember) and one.rows:
            raise WriteRefusedError("start: metrics are wrong")
        self.taken.append(one)


def life(member: str) -> tuple[StartMember, LogMetrics, FinishMember]:
    return (
        StartMember(member=member, params={"seed": member}, note="", pack_size=1),
        LogMetrics(member=member, rows=(("train_kl", 1.0, 1, 1),)),
        FinishMember(member=member, end_ms=1, diverged=None),
    )


@pytest.mark.parametrize("is_refusing", [False, True])
def test_metrics_that_wait_go_with_their_start_and_alone_where_that_is_refused(
    is_refusing: bool, spool: Spool
) -> None:
    runs, said = Runs(is_refusing=is_refusing), list[str]()
    outbox = Outbox(runs.apply, spool, said.append, pauses=(0.01,), patience=DEADLINE)
    one, two = life("1"), life("2")
    outbox.add(write(0))
    wait_until(lambda: len(outbox) == 1)  # in the thread's hands; what follows waits
    outbox.add(one[0], two[0], one[1], two[1], one[2], two[2])
    runs.is_open.set()
    outbox.close()
    whole = [start.model_copy(update={"rows": metrics.rows}) for start, metrics, _ in (one, two)]
    parts = [one[0], two[0], one[1], two[1]]
    # What was refused together is sent as its parts; the second start still tries with its metrics first.
    assert runs.taken == [write(0), *(parts if is_refusing else whole), one[2], two[2]]
    assert (said, spooled_members(spool)) == ([], [])


def test_what_is_spooled_is_the_parts_and_they_are_sent_one_by_one(spool: Spool) -> None:
    runs, said = Runs(), list[str]()
    is_away = [True]

    def apply(one: Write) -> None:
        if is_away[0]:
            raise AWAY[0]
        runs.apply(one)

    outbox = Outbox(apply, spool, said.append, pauses=(0.01,), patience=DEADLINE)
    runs.is_open.set()
    outbox.add(*life("1"), *life("2"))
    wait_until(lambda: spooled_members(spool) == ["start", "metrics", "finish"] * 2)
    is_away[0] = False
    outbox.close()
    assert runs.taken == [*life("1"), *life("2")]
    assert not spool.path.exists()


def spooled_members(spool: Spool) -> list[str]:
    return [one.kind for found in read_spools(spool.path.parent) for one in found.writes]
