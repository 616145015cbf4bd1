from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric, Param

from sweep.home import Home
from sweep.store.store import Store, StoreError
from tests.sweep.samples import Driver, spec_of
from trainables.schema import (
    KIND_MEMBER,
    TAG_CELL,
    TAG_DIVERGED,
    TAG_ERROR,
    TAG_KIND,
    TAG_MEMBER,
    TAG_SCHEMA_VERSION,
    Member,
)

PARAMS = {
    "task": "mnist_vae",
    "dataset": "mnist",
    "estimator": "st",
    "categorical_dim": "8",
    "latent_dim": "4",
    "optimizer": "adam",
    "lr": "0.0005",
    "epochs": "2",
    "seed": "0",
}


@pytest.fixture
def log_run(home: Home) -> Callable[..., str]:
    """Return a function that logs a run as another program would, and returns its id."""
    client = Store(home).client
    experiment = client.create_experiment("theirs")

    def log(
        values: list[float],
        *,
        status: str = "FINISHED",
        tags: dict[str, str] | None = None,
        **params: str | None,
    ) -> str:
        own = {TAG_KIND: KIND_MEMBER, TAG_SCHEMA_VERSION: "1", **(tags or {})}
        run_id: str = client.create_run(experiment, tags=own).info.run_id
        client.log_batch(
            run_id,
            [Metric("test_neg_elbo", value, 1000, step) for step, value in enumerate(values, 1)],
            [Param(*item) for item in {**PARAMS, **params}.items() if item[1] is not None],
        )
        client.set_terminated(run_id, status)
        return run_id

    return log


def asked_for(seed: int = 0) -> Member:
    (request,) = spec_of().requests()
    return Member(request.cell, seed)


def test_a_run_without_hashes_or_defaults_and_with_other_forms_of_numbers_is_recognised(
    home: Home, log_run: Callable[..., str]
) -> None:
    run_id = log_run([101.0, 100.0], lr="5e-4", seed="1.0", epochs="2", latent_dim="4.0")
    found = Store(home).members()
    assert set(found) == {asked_for(1).hash}
    one = found[asked_for(1).hash]
    assert (one.run_id, one.status, one.epoch, one.metrics) == (
        run_id,
        "FINISHED",
        2,
        {"test_neg_elbo": 100.0},
    )
    assert (one.is_finished, one.has_failed, one.diverged, one.error) == (True, False, None, "")


def test_a_member_is_what_its_params_say_whatever_its_tags_say(
    home: Home, log_run: Callable[..., str]
) -> None:
    """A run that someone copied from another, tags and all, and gave other params."""
    other = asked_for(1)
    log_run([2.0, 1.0], tags={TAG_MEMBER: other.hash, TAG_CELL: other.cell.hash}, lr="0.001")
    (key,) = Store(home).members()
    assert key == Member.from_params({**PARAMS, "lr": "0.001"}).hash != other.hash


def test_a_finished_run_without_its_last_epoch_is_not_finished(
    home: Home, log_run: Callable[..., str]
) -> None:
    log_run([101.0], epochs="2")
    (one,) = Store(home).members().values()
    assert (one.status, one.epoch, one.is_finished, one.result) == ("FINISHED", 1, False, None)


def test_a_run_of_another_program_without_epochs_is_not_finished_and_stops_nobody(
    home: Home, log_run: Callable[..., str]
) -> None:
    log_run([101.0, 100.0], epochs=None)
    (one,) = Store(home).members().values()
    assert (one.status, one.is_finished, one.result) == ("FINISHED", False, None)


def test_a_result_that_is_not_finite_does_not_count_in_means(home: Home, log_run: Callable[..., str]) -> None:
    log_run([101.0, float("nan")], epochs="2")
    (one,) = Store(home).members().values()
    assert (one.is_finished, one.result) == (True, None)


def test_runs_of_every_sweep_are_found(home: Home, drive: Callable[..., Driver]) -> None:
    for name in ("one", "two"):
        drive(spec_of(name=name, seeds=[0] if name == "one" else [1])).train_all({0: 100.0, 1: 90.0})
    assert set(Store(home).members()) == {asked_for(0).hash, asked_for(1).hash}


def test_runs_that_are_no_members_of_this_schema_are_left_out(
    home: Home, log_run: Callable[..., str]
) -> None:
    log_run([1.0], tags={TAG_KIND: "cell"})
    log_run([1.0], tags={TAG_SCHEMA_VERSION: "2"})
    log_run([1.0], lr="fast")
    log_run([1.0], seed="first")
    log_run([1.0], tags={TAG_DIVERGED: "yes"})
    Store(home).client.delete_run(log_run([1.0]))
    assert Store(home).members() == {}


def test_divergence_and_errors_are_read(home: Home, log_run: Callable[..., str]) -> None:
    log_run([101.0], tags={TAG_DIVERGED: "2"})
    log_run([101.0], status="FAILED", tags={TAG_ERROR: "no memory"}, seed="1")
    found = Store(home).members()
    diverged, failed = found[asked_for(0).hash], found[asked_for(1).hash]
    assert (diverged.is_finished, diverged.diverged, diverged.epoch) == (True, 2, 1)
    assert (failed.is_finished, failed.has_failed, failed.error) == (False, True, "no memory")


@pytest.mark.parametrize("finished_first", [True, False])
def test_of_several_runs_of_a_member_the_finished_one_counts(
    finished_first: bool, home: Home, log_run: Callable[..., str]
) -> None:
    ids = {}
    for status in ("FINISHED", "FAILED") if finished_first else ("FAILED", "FINISHED"):
        ids[status] = log_run([2.0, 1.0], status=status)
        time.sleep(0.002)
    assert Store(home).members()[asked_for().hash].run_id == ids["FINISHED"]


def test_of_several_unfinished_runs_the_last_counts(home: Home, log_run: Callable[..., str]) -> None:
    log_run([1.0], status="FAILED")
    time.sleep(0.002)
    last = log_run([2.0], status="RUNNING")
    assert Store(home).members()[asked_for().hash].run_id == last


def test_more_runs_than_a_page_holds_are_all_found(
    home: Home, log_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(5):
        log_run([1.0], seed=str(seed))
    store = Store(home)
    search = store.client.search_runs

    def search_in_small_pages(*words: Any, max_results: int, page_token: str | None) -> Any:
        return search(*words, max_results=2, page_token=page_token)

    monkeypatch.setattr(store.client, "search_runs", search_in_small_pages)
    assert len(store.members()) == 5


def test_a_store_that_is_not_there_yet_is_empty_and_is_not_made(tmp_path: Path) -> None:
    place = Home.resolve(tmp_path / "none")
    assert Store(place).is_empty_file
    assert Store(place).members() == {}
    assert not place.path.exists()


def test_a_server_that_is_away_is_named_at_once(unused_port: int, tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{unused_port}"
    start = time.monotonic()
    with pytest.raises(StoreError) as caught:
        Store(Home.resolve(tmp_path, uri)).members()
    assert time.monotonic() - start < 10
    assert str(caught.value) == (
        f"tracking server {uri} does not answer (ConnectionError); start it, or name another "
        f"with --tracking-uri or MLFLOW_TRACKING_URI"
    )


def test_a_server_that_takes_the_call_and_is_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.store.store._ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreError, match=r"does not answer \(ReadTimeout\)"):
            Store(Home.resolve(tmp_path, uri)).check()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but several lines of text\n" * 100)
    with pytest.raises(StoreError) as caught:
        Store(Home.resolve(tmp_path, f"sqlite:///{path}")).members()
    assert str(caught.value).startswith(f"tracking store sqlite:///{path} cannot be used: ")
    assert "file is not a database" in str(caught.value)


def test_a_kind_of_store_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^tracking store foo://bar cannot be used: .*'foo://bar'"):
        Store(Home.resolve(tmp_path, "foo://bar")).check()
