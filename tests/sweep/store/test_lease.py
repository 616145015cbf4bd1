from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from sweep.execution.tracking import open_experiment
from sweep.home import Home
from sweep.store.lease import Driver, Lease
from sweep.store.refusal import TakenOverError
from sweep.store.store import Store, StoreError

BEAT = 0.05


class Experiment:
    """MLflow's client as far as a lease needs it: the tags of one experiment, for many threads."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.is_away = False
        self._lock = threading.Lock()

    def _check(self) -> None:
        if self.is_away:
            raise MlflowException("away")

    def get_experiment(self, _id: str) -> Any:
        self._check()
        with self._lock:
            return SimpleNamespace(experiment_id="1", tags=dict(self.tags))

    def set_experiment_tag(self, _id: str, key: str, value: str) -> None:
        self._check()
        with self._lock:
            self.tags[key] = value

    def delete_experiment_tag(self, _id: str, key: str) -> None:
        self._check()
        with self._lock:
            self.tags.pop(key, None)


@pytest.fixture
def experiment() -> Experiment:
    return Experiment()


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Signals that the lease sends to this process are kept, not sent."""
    sent: list[int] = []
    kill = os.kill

    def keep(pid: int, number: int) -> None:
        if number == 0:
            kill(pid, number)
        else:
            sent.append(number)

    monkeypatch.setattr("sweep.store.lease.os.kill", keep)
    yield sent


def lease(experiment: Experiment, said: list[str] | None = None) -> Lease:
    say = (said if said is not None else []).append
    return Lease(experiment, "1", say, beat_seconds=BEAT)  # type: ignore[arg-type]


def plant(experiment: Experiment, driver: Driver) -> None:
    experiment.tags["catsweep.driver.planted"] = json.dumps(asdict(driver))


def process_that_is_gone() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_lease_is_seen_while_it_is_held_and_gone_afterwards(experiment: Experiment) -> None:
    experiment.tags["mlflow.note.content"] = "a sweep"
    with lease(experiment):
        (key,) = set(experiment.tags) - {"mlflow.note.content"}
        assert Driver.from_tag(experiment.tags[key]) == replace(Driver.this_process(), beat=1)
        first = experiment.tags[key]
        deadline = time.monotonic() + 5
        while experiment.tags[key] == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert experiment.tags == {"mlflow.note.content": "a sweep"}


def test_a_second_driver_is_turned_away_while_the_first_one_lives(experiment: Experiment) -> None:
    here = Driver.this_process()
    with lease(experiment), pytest.raises(StoreError) as caught, lease(experiment):
        pytest.fail("two drivers hold the lease")
    assert str(caught.value) == (
        f"another catsweep run is at work on this sweep on {here.host}, process {here.pid}, "
        "wait for its end, or end it"
    )
    assert experiment.tags == {}


def test_a_driver_that_died_on_this_machine_is_replaced_at_once(experiment: Experiment) -> None:
    plant(experiment, replace(Driver.this_process(), pid=process_that_is_gone(), beat=7))
    said: list[str] = []
    start = time.monotonic()
    with lease(experiment, said):
        assert time.monotonic() - start < 4 * BEAT
        assert "catsweep.driver.planted" not in experiment.tags
    assert said == [said[0]]
    assert said[0].endswith("is dead; taking over")


@pytest.mark.parametrize(
    "changes", [{"pid": "1"}, {"pid": -1}, {"pid": 10**30}, {"pid": None}, {"host": 5}, {"machine": []}]
)
def test_a_tag_of_odd_types_is_none_of_ours(changes: dict[str, object]) -> None:
    tag = {**asdict(Driver.this_process()), **changes}
    assert Driver.from_tag(json.dumps(tag)) is None
    assert Driver.from_tag("[" * 100_000) is None


@pytest.mark.parametrize("flag", ["elsewhere", "not ours"])
def test_a_driver_elsewhere_is_replaced_after_it_was_silent(flag: str, experiment: Experiment) -> None:
    plant(experiment, Driver("far", "far boot", 1, 7))
    if flag == "not ours":
        experiment.tags["catsweep.driver.planted"] = "version 9"
    said: list[str] = []
    start = time.monotonic()
    with lease(experiment, said):
        assert time.monotonic() - start >= 4 * BEAT
    assert len(said) == 2


def test_a_process_number_of_another_machine_says_nothing(experiment: Experiment) -> None:
    other = Driver("far", "far boot", process_that_is_gone())
    assert not other.is_known_dead
    assert replace(other, machine=Driver.this_process().machine).is_known_dead


def test_of_many_that_start_together_one_works_at_a_time(experiment: Experiment) -> None:
    at_work = 0
    most_at_work = 0
    num_done = 0
    lock = threading.Lock()

    def drive() -> None:
        nonlocal at_work, most_at_work, num_done
        while True:
            try:
                with lease(experiment):
                    with lock:
                        at_work += 1
                        most_at_work = max(most_at_work, at_work)
                    time.sleep(2 * BEAT)
                    with lock:
                        at_work -= 1
                        num_done += 1
                    return
            except StoreError:
                time.sleep(BEAT)

    threads = [threading.Thread(target=drive) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (num_done, most_at_work) == (5, 1)
    assert experiment.tags == {}


def test_the_check_of_many_can_fail(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers that look before they raise their flags can hold the lease together."""
    barrier = threading.Barrier(2)
    others = Lease._others

    def look_first(self: Lease) -> Any:
        experiment.tags.pop(self._key, None)
        found = others(self)
        barrier.wait(5)
        self._show_beat()
        return found

    monkeypatch.setattr(Lease, "_others", look_first)
    held: list[bool] = []

    def drive() -> None:
        with lease(experiment):
            held.append(True)
            time.sleep(2 * BEAT)

    threads = [threading.Thread(target=drive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert held == [True, True]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


TAKEN_OVER = "another driver on far, process 1, took the sweep over"


def test_a_driver_that_was_replaced_stops_and_says_so(experiment: Experiment, interrupted: list[int]) -> None:
    with pytest.raises(StoreError, match=TAKEN_OVER), lease(experiment):
        experiment.tags = {"catsweep.driver.planted": json.dumps(asdict(Driver("far", "far boot", 1)))}
        wait_until(lambda: interrupted)
    assert interrupted == [signal.SIGINT]
    assert set(experiment.tags) == {"catsweep.driver.planted"}


def test_a_driver_whose_tag_someone_deletes_sets_it_again_and_goes_on(
    experiment: Experiment, interrupted: list[int]
) -> None:
    with lease(experiment) as held:
        for _ in range(3):
            experiment.tags.clear()
            wait_until(lambda: experiment.tags)
            held.check()
    assert (interrupted, experiment.tags) == ([], {})


def test_a_server_that_answers_nothing_has_not_given_the_lease_to_another(
    experiment: Experiment, interrupted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(experiment) as held:
        nothing = SimpleNamespace(experiment_id="", tags={})  # as MLflow's client reads `{}`
        with monkeypatch.context() as broken:
            broken.setattr(experiment, "get_experiment", lambda _id: nothing)
            held._last_beat -= 100
            with pytest.raises(MlflowException, match="no MLflow server"):
                held.check()
            time.sleep(2 * BEAT)
        held.check()
    assert interrupted == []


def test_a_driver_that_was_stopped_for_long_asks_before_it_writes(
    experiment: Experiment, interrupted: list[int]
) -> None:
    with (
        pytest.raises(StoreError, match="another one took the sweep over and has ended since, or someone"),
        Lease(experiment, "1", print, beat_seconds=10) as held,  # type: ignore[arg-type]
    ):
        held._last_beat -= 100
        held.check()  # nobody has taken over
        experiment.tags.clear()
        held._last_beat -= 100
        with pytest.raises(TakenOverError):
            held.check()
    assert experiment.tags == {}


@pytest.fixture
def held_up(experiment: Experiment) -> Iterator[Lease]:
    """A lease whose next beat takes so long to arrive that another driver has taken over by then."""
    raise_flag = experiment.set_experiment_tag

    def late(of: str, key: str, value: str) -> None:
        experiment.set_experiment_tag = raise_flag  # type: ignore[method-assign]
        experiment.tags.clear()
        plant(experiment, Driver("far", "far boot", 1))
        raise_flag(of, key, value)

    with (
        pytest.raises(StoreError, match=TAKEN_OVER),
        Lease(experiment, "1", print, beat_seconds=10) as held,  # type: ignore[arg-type]
    ):
        held._last_beat -= 100
        experiment.set_experiment_tag = late  # type: ignore[method-assign]
        yield held
    assert set(experiment.tags) == {"catsweep.driver.planted"}


def test_a_beat_that_was_held_up_does_not_win_a_lost_lease_back(held_up: Lease) -> None:
    for _ in range(2):
        with pytest.raises(TakenOverError):
            held_up.check()


def test_after_a_beat_that_was_held_up_nothing_is_written_until_the_store_says_who_leads(
    held_up: Lease, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise MlflowException("away")

    with monkeypatch.context() as broken:
        broken.setattr(held_up, "_others", away)
        for _ in range(2):
            with pytest.raises(MlflowException, match="away"):
                held_up.check()
    assert len(experiment.tags) == 2
    with pytest.raises(TakenOverError):
        held_up.check()


def test_a_driver_that_only_looks_takes_no_lease_away(experiment: Experiment) -> None:
    with Lease(experiment, "1", print, beat_seconds=10) as held:  # type: ignore[arg-type]
        plant(experiment, Driver("far", "far boot", 1))
        held._last_beat -= 25
        held.check()
        experiment.tags.pop("catsweep.driver.planted")
        held._last_beat -= 100
        held.check()


def test_to_ask_before_every_write_costs_nothing_while_the_heart_beats(experiment: Experiment) -> None:
    with lease(experiment) as held:
        experiment.is_away = True
        held._last_beat = time.clock_gettime(time.CLOCK_BOOTTIME) + 100
        held.check()
        held._last_beat -= 200
        with pytest.raises(MlflowException, match="away"):
            held.check()


def test_a_store_that_is_away_for_a_while_costs_no_lease(
    experiment: Experiment, interrupted: list[int]
) -> None:
    with lease(experiment):
        experiment.is_away = True
        time.sleep(4 * BEAT)
        experiment.is_away = False
        time.sleep(4 * BEAT)
    assert interrupted == []
    assert experiment.tags == {}


def test_a_store_that_is_away_at_the_start_is_an_error(experiment: Experiment) -> None:
    experiment.is_away = True
    with pytest.raises(StoreError, match="does not answer: away"), lease(experiment):
        pytest.fail("held a lease without a store")


def test_a_store_that_is_away_at_the_end_is_none(experiment: Experiment) -> None:
    with lease(experiment):
        experiment.is_away = True
    assert len(experiment.tags) == 1


def test_it_works_on_a_real_store(home: Home) -> None:
    client = Store(home).client
    experiment_id = open_experiment(client, "small", home)
    tags = client.get_experiment(experiment_id).tags
    with Lease(client, experiment_id, print, beat_seconds=10 * BEAT):
        held = client.get_experiment(experiment_id).tags
        assert len(held) == len(tags) + 1
        with pytest.raises(StoreError), Lease(client, experiment_id, print, beat_seconds=10 * BEAT):
            pytest.fail("two drivers hold the lease")
    assert client.get_experiment(experiment_id).tags == tags
