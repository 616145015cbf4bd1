from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from sweep.execution.outbox import Outbox
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
def outbox(book: Book) -> Iterator[Outbox]:
    made = Outbox(book.apply, "the store", book.said.append, pauses=(0.01, 0.02), patience=0.3)
    yield made
    book.allow()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_writes_are_sent_in_their_order(book: Book, outbox: Outbox) -> None:
    outbox.add(*map(write, range(5)))
    outbox.add(write(5))
    outbox.close()
    assert (book.taken, len(outbox), book.said) == ([0, 1, 2, 3, 4, 5], 0, [])


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_while_the_store_is_away_writes_wait_and_then_go_in_order(
    error: Exception, book: Book, outbox: Outbox
) -> None:
    book.refuse(error)
    outbox.add(write(0), write(1))
    wait_until(lambda: book.num_tries > 1)
    outbox.add(write(2))
    assert book.taken == []
    book.allow()
    assert outbox.settle(DEADLINE)
    assert book.taken == [0, 1, 2]
    first, *rest = book.said
    assert first.startswith(f"the tracking store does not take a write ({str(error).splitlines()[0]})")
    assert rest == ["the tracking store answers again"]


def test_a_store_that_is_away_is_not_asked_all_the_time(book: Book) -> None:
    outbox = Outbox(book.apply, "the store", book.said.append, pauses=(0.05, 0.1, 1000.0))
    book.refuse(AWAY[0])
    start = time.monotonic()
    outbox.add(write(0))
    wait_until(lambda: book.num_tries == 3)
    assert time.monotonic() - start >= 0.15
    outbox.add(write(1))
    time.sleep(0.15)
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


def test_at_the_end_the_error_says_how_much_the_store_did_not_take_and_what_to_do(
    book: Book, outbox: Outbox
) -> None:
    book.refuse(AWAY[0])
    outbox.add(*map(write, range(3)))
    with pytest.raises(StoreError) as caught:
        outbox.close()
    assert str(caught.value) == (
        "tracking store the store did not take 3 writes (store is away); once it answers, give the same "
        "command again: what checkpoints hold is reported, and not trained again"
    )


def test_the_end_waits_for_a_slow_store_as_long_as_it_takes_something(book: Book, outbox: Outbox) -> None:
    book.obstacle = lambda number: time.sleep(0.1)
    outbox.add(*map(write, range(8)))  # 0.8 s in all, with a patience of 0.3
    outbox.close()
    assert book.taken == list(range(8))


def test_a_write_that_is_refused_for_good_is_left_out_and_the_others_go_on(
    book: Book, outbox: Outbox
) -> None:
    def obstacle(number: int) -> None:
        if number == 1:
            raise WriteRefusedError("finish: run is deleted")

    book.obstacle = obstacle
    outbox.add(*map(write, range(3)))
    with pytest.raises(StoreError, match="refused 1 writes for good, as said above; "):
        outbox.close()
    assert book.taken == [0, 2]
    assert book.said == ["the tracking store refuses a write for good: finish: run is deleted"]


def test_after_another_driver_has_taken_over_nothing_is_sent(book: Book, outbox: Outbox) -> None:
    book.refuse(AWAY[0])
    outbox.add(write(0), write(1))
    book.refuse(TakenOverError())
    wait_until(lambda: len(outbox) == 0)
    book.allow()
    outbox.add(write(2))
    outbox.close()
    assert book.taken == []


def test_a_fault_in_the_thread_comes_up_where_writes_are_added(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda fault: None)
    outbox = Outbox(book.apply, "the store", book.said.append)
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
    is_refusing: bool,
) -> None:
    runs, said = Runs(is_refusing=is_refusing), list[str]()
    outbox = Outbox(runs.apply, "the store", said.append, pauses=(0.01,), patience=DEADLINE)
    one, two = life("1"), life("2")
    outbox.add(write(0))
    wait_until(lambda: len(outbox) == 1)  # in the thread's hands; what follows waits
    outbox.add(one[0], two[0], one[1], two[1], one[2], two[2])
    runs.is_open.set()
    outbox.close()
    whole = [replace(start, rows=metrics.rows) for start, metrics, _ in (one, two)]
    parts = [one[0], two[0], one[1], two[1]]
    # What was refused together is sent as its parts; the second start still tries with its metrics first.
    assert runs.taken == [write(0), *(parts if is_refusing else whole), one[2], two[2]]
    assert said == []
