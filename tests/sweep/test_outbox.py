from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import pairwise

import pytest
import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from sweep.outbox import Outbox
from sweep.store import StoreError

AWAY = (
    MlflowException("store is away\nand more"),
    OperationalError("insert", {}, Exception("database is locked")),
    requests.ConnectionError("refused"),
    OSError("disk is full"),
)


class Clock:
    """Time that passes only when someone sleeps or says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Book:
    """A store that keeps what it takes, and refuses the next so many writes."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.refusals: list[Exception] = []
        self.num_tries = 0

    def write(self, number: int) -> Callable[[], None]:
        def write() -> None:
            self.num_tries += 1
            if self.refusals:
                raise self.refusals.pop(0)
            self.taken.append(number)

        return write


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    return Outbox(clock, clock.sleep)


@pytest.fixture
def book() -> Book:
    return Book()


def test_writes_are_sent_in_their_order_and_once(outbox: Outbox, book: Book) -> None:
    for number in range(3):
        outbox.add(book.write(number))
    assert (len(outbox), book.taken) == (3, [])
    outbox.send()
    outbox.send()
    assert (len(outbox), book.taken) == (0, [0, 1, 2])


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_refused_write_waits_and_so_does_what_comes_after_it(
    error: Exception, outbox: Outbox, book: Book, clock: Clock
) -> None:
    outbox.add(book.write(0))
    outbox.send()
    book.refusals = [error]
    outbox.add(book.write(1))
    outbox.add(book.write(2))
    outbox.send()
    assert (len(outbox), book.taken) == (2, [0])
    clock.now += 1.0
    outbox.send()
    assert (len(outbox), book.taken) == (0, [0, 1, 2])


def test_the_pauses_between_tries_grow_up_to_half_a_minute(outbox: Outbox, book: Book, clock: Clock) -> None:
    book.refusals = [MlflowException("away")] * 8
    outbox.add(book.write(0))
    times = []
    while not book.taken:
        before = book.num_tries
        outbox.send()
        times += [clock.now] * (book.num_tries - before)
        clock.now += 0.5
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]


def test_a_write_that_is_taken_ends_the_pauses(outbox: Outbox, book: Book, clock: Clock) -> None:
    for away in (1, 2):
        book.refusals = [MlflowException("away")]
        outbox.add(book.write(away))
        outbox.send()
        clock.now += 1.0  # the first pause again, not the second
        outbox.send()
        assert len(outbox) == 0


def test_a_store_that_is_away_is_warned_of_once_until_it_is_back(
    outbox: Outbox, book: Book, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    book.refusals = [AWAY[0]] * 3
    outbox.add(book.write(0))
    for _ in range(4):
        outbox.send()
        clock.now += 60
    expected = "the tracking store refuses a write (store is away); it will be tried again"
    assert caplog.messages == [expected]
    book.refusals = [AWAY[0]]
    outbox.add(book.write(1))
    outbox.send()
    assert caplog.messages == [expected, expected]


def test_closing_waits_for_the_store(outbox: Outbox, book: Book, clock: Clock) -> None:
    book.refusals = [MlflowException("away")] * 4
    outbox.add(book.write(0))
    outbox.add(book.write(1))
    outbox.close()
    assert book.taken == [0, 1]
    assert clock.pauses == [1.0, 2.0, 4.0, 8.0]


def test_closing_does_not_wait_out_a_long_pause(outbox: Outbox, book: Book, clock: Clock) -> None:
    book.refusals = [MlflowException("away")] * 5
    outbox.add(book.write(0))
    for _ in range(5):
        clock.now += 60
        outbox.send()
    outbox.close()
    assert (book.taken, clock.pauses) == ([0], [1.0])


def test_closing_an_empty_box_or_one_whose_store_answers_does_not_wait(
    outbox: Outbox, book: Book, clock: Clock
) -> None:
    outbox.close()
    outbox.add(book.write(0))
    outbox.close()
    assert (book.taken, clock.pauses) == ([0], [])


def test_closing_gives_up_after_a_minute_and_names_how_many_writes_are_left(
    outbox: Outbox, book: Book, clock: Clock
) -> None:
    book.refusals = [AWAY[0]] * 1000
    for number in range(3):
        outbox.add(book.write(number))
    with pytest.raises(StoreError) as caught:
        outbox.close()
    assert str(caught.value) == (
        "the tracking store did not take 3 writes (store is away); nothing is lost: "
        "run the same command again once it answers"
    )
    assert clock.pauses == [1.0, 2.0, 4.0, 8.0, 15.0, 30.0]
    assert len(outbox) == 3


def test_the_last_try_of_closing_counts(outbox: Outbox, book: Book, clock: Clock) -> None:
    book.refusals = [MlflowException("away")] * 6
    outbox.add(book.write(0))
    outbox.close()
    assert book.taken == [0]


def test_an_error_of_ours_is_not_taken_for_a_store_that_is_away(outbox: Outbox, book: Book) -> None:
    book.refusals = [KeyError("run")]
    outbox.add(book.write(0))
    with pytest.raises(KeyError):
        outbox.send()
