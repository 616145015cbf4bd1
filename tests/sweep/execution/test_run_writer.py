"""Writes are repeated, answers are lost, runs are gone: the store comes out the same."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from mlflow.exceptions import MlflowException

from sweep.execution.run_writer import RunWriter
from sweep.execution.tracking import open_experiment
from sweep.execution.writes import (
    EndSweep,
    FailMember,
    FinishMember,
    ForgetPack,
    LogMetrics,
    LogPicture,
    PruneMember,
    StartMember,
    Write,
    WriteCell,
)
from sweep.home import Home
from sweep.store.refusal import WriteRefusedError
from sweep.store.store import Store
from tests.sweep.samples import rows, spec_of
from trainables.schema import TAG_DEVICE, TAG_HOST, Cell

(REQUEST,) = spec_of({"note": "odd"}).requests()
MEMBER, OTHER = REQUEST.members
CELL = Cell.from_params(REQUEST.cell.params, "odd")
START = StartMember(member=MEMBER.hash, params=MEMBER.params, note="odd", pack_size=1)
METRICS = LogMetrics(member=MEMBER.hash, rows=(("train_kl", 1.5, 1000, 1), ("train_kl", 1.25, 2000, 2)))
PICTURE = LogPicture(member=MEMBER.hash, png=b"\x89PNG and what follows")
FINISH = FinishMember(member=MEMBER.hash, end_ms=3000, diverged=None)
MEANS = WriteCell(
    params=CELL.params, note="odd", time_ms=4000, values={"num_seeds": 1.0, "train_kl_mean": 1.25}
)
FORGET = ForgetPack(pack="p1", members=(MEMBER.hash,))
LIFE: tuple[Write, ...] = (START, METRICS, PICTURE, FINISH, FORGET, MEANS, EndSweep(status="FINISHED"))
START_WITH_METRICS = replace(START, rows=METRICS.rows)
LIVES = {"one by one": LIFE, "start and metrics in one": (START_WITH_METRICS, *LIFE[2:])}

WRITING = (
    "create_run",
    "update_run",
    "log_batch",
    "log_inputs",
    "set_terminated",
    "delete_tag",
    "log_artifact",
)


@pytest.fixture
def writer(home: Home) -> RunWriter:
    return new_writer(home)


def new_writer(home: Home) -> RunWriter:
    store = Store(home)
    experiment_id = open_experiment(store.client, "small", home)
    return RunWriter(store.client, experiment_id, store.members(), home.checkpoints)


def content(home: Home) -> list[list[tuple[Any, ...]]]:
    """Return what the store holds but for ids and the moments at which runs were made."""
    parent = "(select name from runs as p where p.run_uuid = t.value)"
    of_run = dict(rows(home, "select run_uuid, name from runs"))
    artifacts = [
        (of_run[path.parent.parent.name], path.name, path.read_bytes())
        for path in sorted(home.artifacts.rglob("*"))
        if path.is_file()
    ]
    answers = [
        rows(home, query)
        for query in (
            "select name, status from runs order by 1",
            "select name, end_time from runs where name like 'seed%'",
            "select r.name, key, p.value from params p join runs r using (run_uuid) order by 1, 2",
            "select r.name, key, m.value, timestamp, step from metrics m join runs r using (run_uuid) "
            "order by 1, 2, 3",
            "select r.name, key, t.value from tags t join runs r using (run_uuid) "
            "where key like 'catsweep%' order by 1, 2",
            f"select r.name, {parent} from tags t join runs r using (run_uuid) "
            "where key = 'mlflow.parentRunId' order by 1",
        )
    ]
    return [*answers, artifacts]


@pytest.fixture
def expected(tmp_path: Path, empty_store_file: Path) -> list[list[tuple[Any, ...]]]:
    """What a store holds after the life of a member without any disturbance."""
    place = Home.resolve(tmp_path / "undisturbed")
    place.make_folders()
    (place.path / "mlflow.db").write_bytes(empty_store_file.read_bytes())
    writer = new_writer(place)
    for write in LIFE:
        writer.apply(write)
    return content(place)


def test_the_life_of_a_member(expected: list[list[tuple[Any, ...]]]) -> None:
    runs, (end,), params, metrics, tags, parents, artifacts = expected
    name = "st 8x4 adam lr=0.0005 τ=1.0"
    assert runs == [(f"seed 0, {name}", "FINISHED"), (name, "FINISHED"), ("sweep", "FINISHED")]
    assert end == (f"seed 0, {name}", 3000)
    assert [(key, value) for run, key, value in params if run == name] == sorted(CELL.items)
    assert metrics == [
        (f"seed 0, {name}", "train_kl", 1.25, 2000, 2),
        (f"seed 0, {name}", "train_kl", 1.5, 1000, 1),
        (name, "num_seeds", 1.0, 4000, 2),
        (name, "train_kl_mean", 1.25, 4000, 2),
    ]
    assert ("sweep", "catsweep.kind", "sweep") in tags
    assert artifacts == [(f"seed 0, {name}", "pictures.png", PICTURE.png)]
    assert parents == [(f"seed 0, {name}", name), (name, "sweep")]


@pytest.mark.parametrize("num_times", [2, 3])
def test_repeating_every_write_changes_nothing(
    num_times: int, home: Home, writer: RunWriter, expected: object
) -> None:
    for write in LIFE:
        for _ in range(num_times):
            writer.apply(write)
    assert content(home) == expected


def test_a_start_with_metrics_that_is_repeated_or_followed_by_its_parts_changes_nothing(
    home: Home, writer: RunWriter, expected: object
) -> None:
    for write in (START_WITH_METRICS, START_WITH_METRICS, *LIFE):
        writer.apply(write)
    assert content(home) == expected


def test_a_start_with_metrics_is_one_batch_as_long_as_they_fit(
    home: Home, writer: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[tuple[int, int]] = []
    log_batch = writer._client.log_batch

    def count(run_id: str, metrics: Any = (), params: Any = (), **more: Any) -> None:
        batches.append((len(params), len(metrics)))
        log_batch(run_id, metrics, params, **more)

    writer.apply(StartMember(member=OTHER.hash, params=OTHER.params, note="odd", pack_size=1))
    monkeypatch.setattr(writer._client, "log_batch", count)
    many = tuple(("train_kl", 1.0, epoch, epoch) for epoch in range(1, 1001))
    writer.apply(replace(START, rows=many))
    assert batches == [(len(MEMBER.params), 900), (0, 100)]
    assert rows(home, "select count(*), count(distinct step) from metrics") == [(1000, 1000)]


def test_replaying_all_of_them_by_another_process_changes_nothing(home: Home, expected: object) -> None:
    for _ in range(3):
        writer = new_writer(home)
        for write in LIFE:
            writer.apply(write)
    assert content(home) == expected


@pytest.mark.parametrize("is_other_process", [False, True])
def test_epochs_that_are_trained_again_are_not_written_again(
    is_other_process: bool, home: Home, writer: RunWriter, expected: object
) -> None:
    """Without a checkpoint a member starts anew, with the same numbers at other times."""
    for write in LIFE[:2]:
        writer.apply(write)
    if is_other_process:
        writer = new_writer(home)
    rows_again = tuple((name, value, moment + 5000, epoch) for name, value, moment, epoch in METRICS.rows)
    for write in (START, LogMetrics(member=MEMBER.hash, rows=rows_again), *LIFE[2:]):
        writer.apply(write)
    assert content(home) == expected


def test_what_an_epoch_lacks_is_written(home: Home, writer: RunWriter) -> None:
    """A database that dies may have taken some of a batch."""
    row, other = ("train_kl", 1.5, 1000, 1), ("test_kl", 1.25, 1000, 1)
    for rows_of_epoch in ((row,), (row, other)):
        writer = new_writer(home)
        writer.apply(START)
        writer.apply(LogMetrics(member=MEMBER.hash, rows=rows_of_epoch))
    assert rows(home, "select key, value, timestamp, step from metrics order by key") == [other, row]


def test_a_replay_from_the_middle_goes_on_where_the_first_one_stopped(home: Home, expected: object) -> None:
    for stop in range(len(LIFE)):
        writer = new_writer(home)
        for write in LIFE[: stop + 1]:
            writer.apply(write)
    assert content(home) == expected


class LossyClient:
    """A client of which four in ten writing calls fail, before or after the store has done what it says."""

    def __init__(self, client: Any, seed: int, is_done: bool) -> None:
        self._client = client
        self._random = random.Random(seed)
        self._is_done = is_done
        self.num_lost = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in WRITING:
            return method

        def call(*words: Any, **more: Any) -> Any:
            fails = self._random.random() < 0.4
            self.num_lost += fails
            answer = method(*words, **more) if self._is_done or not fails else None
            if fails:
                raise MlflowException("the answer was lost")
            return answer

        return call


def apply_until_taken(writer: RunWriter, write: Write) -> None:
    for _ in range(30):
        try:
            return writer.apply(write)
        except MlflowException:
            continue
    pytest.fail(f"{write} was never taken")


@pytest.mark.parametrize("is_done", [True, False], ids=["answer lost", "request lost"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_lost_requests_and_lost_answers_leave_no_trace(
    life: tuple[Write, ...], seed: int, is_done: bool, home: Home, writer: RunWriter, expected: object
) -> None:
    client = LossyClient(writer._client, seed, is_done)
    writer._client = client  # type: ignore[assignment]
    for write in life:
        apply_until_taken(writer, write)
    assert client.num_lost
    assert content(home) == expected


def test_the_check_of_lost_answers_can_fail(home: Home, writer: RunWriter, expected: object) -> None:
    """A writer that does not look for the run whose answer was lost makes a second one."""
    writer._client = LossyClient(writer._client, 1, is_done=True)  # type: ignore[assignment]
    for write in LIFE:
        for _ in range(30):
            writer._in_doubt.clear()
            try:
                writer.apply(write)
                break
            except MlflowException:
                continue
    assert content(home) != expected


def test_a_start_that_waited_does_not_open_a_member_that_has_finished_since(
    home: Home, writer: RunWriter, expected: object
) -> None:
    for write in LIFE:
        writer.apply(write)
    new_writer(home).apply(START)
    assert content(home) == expected


@pytest.fixture
def folder(home: Home) -> Iterator[Path]:
    path = home.checkpoints / "p1"
    path.mkdir()
    yield path


def test_a_run_that_is_gone_is_refused_for_good_and_the_checkpoints_stay(
    home: Home, writer: RunWriter, folder: Path
) -> None:
    writer.apply(START)
    Store(home).client.delete_run(writer._run_ids[MEMBER.hash])
    with pytest.raises(WriteRefusedError, match=r"^metrics: .*deleted"):
        writer.apply(METRICS)
    with pytest.raises(WriteRefusedError, match=r"^finish: the store refused some of the member's numbers"):
        writer.apply(FINISH)
    writer.apply(FORGET)
    assert folder.is_dir()


def lose_an_epoch(home: Home, writer: RunWriter) -> None:
    """Have a run deleted while its metrics are on their way, and restored."""
    client = Store(home).client
    writer.apply(START)
    client.delete_run(writer._run_ids[MEMBER.hash])
    with pytest.raises(WriteRefusedError, match="deleted"):
        writer.apply(METRICS)
    client.restore_run(writer._run_ids[MEMBER.hash])


def test_a_member_that_lacks_an_epoch_does_not_finish(home: Home, writer: RunWriter, folder: Path) -> None:
    lose_an_epoch(home, writer)
    with pytest.raises(WriteRefusedError, match=r"^finish: the store refused some of the member's numbers"):
        writer.apply(FINISH)
    writer.apply(FORGET)
    assert not Store(home).members()[MEMBER.hash].is_finished
    assert folder.is_dir()


def test_the_next_process_that_reports_its_checkpoint_gives_it_the_epoch(
    home: Home, writer: RunWriter
) -> None:
    lose_an_epoch(home, writer)
    other = new_writer(home)
    for write in (START, METRICS, FINISH):
        other.apply(write)
    assert Store(home).members()[MEMBER.hash].is_finished
    history = Store(home).client.get_metric_history(other._run_ids[MEMBER.hash], "train_kl")
    assert [(one.step, one.value) for one in history] == [(row[3], row[1]) for row in METRICS.rows]


def test_a_run_says_who_made_it_from_what_and_on_which_images(home: Home) -> None:
    client = Store(home).client
    made_by = {"mlflow.user": "ada", "mlflow.source.name": "catsweep run small"}
    writer = RunWriter(client, open_experiment(client, "small", home), {}, home.checkpoints, made_by=made_by)
    writer.apply(replace(START, dataset_content="mnist, all of it"))
    writer.apply(replace(METRICS, place={TAG_DEVICE: "CPU of ada", TAG_HOST: "lovelace"}))
    run = client.get_run(writer._run_ids[MEMBER.hash])
    tags = {**made_by, TAG_DEVICE: "CPU of ada", TAG_HOST: "lovelace"}
    assert tags.items() <= run.data.tags.items()
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, len(given.dataset.digest)) == (MEMBER.cell.params["dataset"], 8)
    assert "mnist, all of it" in given.dataset.source
    writer.apply(replace(START, dataset_content="mnist, all of it"))
    assert len(client.get_run(run.info.run_id).inputs.dataset_inputs) == 1


def test_a_picture_that_has_no_folder_is_refused_and_holds_up_nothing(
    home: Home, writer: RunWriter, folder: Path
) -> None:
    home.artifacts.rmdir()
    home.artifacts.touch()
    writer.apply(START)
    with pytest.raises(WriteRefusedError, match=f"^picture: .*{home.artifacts}"):
        writer.apply(PICTURE)
    for write in (METRICS, FINISH, FORGET):
        writer.apply(write)
    assert Store(home).members()[MEMBER.hash].is_finished
    assert not folder.exists()


def test_checkpoints_go_where_nothing_was_refused(writer: RunWriter, folder: Path) -> None:
    for write in (START, METRICS, FINISH, FORGET):
        writer.apply(write)
    assert not folder.exists()


def test_an_answer_that_names_no_run_is_none(writer: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = mock.Mock(**{"info.run_id": ""})  # as MLflow's client reads a proxy's `{}`
    with monkeypatch.context() as broken:
        broken.setattr(writer._client, "create_run", lambda *words, **more: nothing)
        with pytest.raises(MlflowException, match="no MLflow server: it names no run"):
            writer.apply(START)
    writer.apply(START)


def test_a_server_that_fails_is_no_refusal(writer: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: Any, **more: Any) -> None:
        raise MlflowException("INTERNAL_ERROR: database is locked")

    monkeypatch.setattr(writer._client, "create_run", fail)
    with pytest.raises(MlflowException, match="locked"):
        writer.apply(START)


def test_a_member_that_a_search_gave_up_is_neither_finished_nor_failed(home: Home, writer: RunWriter) -> None:
    for write in (START, METRICS, PruneMember(member=MEMBER.hash, end_ms=3000, epoch=2)):
        writer.apply(write)
    stored = Store(home).members()[MEMBER.hash]
    assert (stored.pruned, stored.is_finished, stored.has_failed, stored.result) == (2, False, False, None)

    again = new_writer(home)
    again.apply(START)
    stored = Store(home).members()[MEMBER.hash]
    assert (stored.pruned, stored.status) == (None, "RUNNING")


def test_a_second_try_takes_the_error_away_only_once(home: Home, writer: RunWriter) -> None:
    writer.apply(START)
    writer.apply(FailMember(member=MEMBER.hash, end_ms=3000, error="no memory"))
    again = new_writer(home)
    again.apply(START)
    again.apply(START)
    stored = Store(home).members()[MEMBER.hash]
    assert (stored.status, stored.error) == ("RUNNING", "")


def test_a_cell_without_results_has_no_run(home: Home, writer: RunWriter) -> None:
    writer.apply(WriteCell(params=CELL.params, note="", time_ms=1, values={"num_seeds": 0.0}))
    assert rows(home, "select count(*) from runs") == [(0,)]


def test_more_members_share_their_cell(home: Home, writer: RunWriter) -> None:
    writer.apply(START)
    writer.apply(replace(START, member=OTHER.hash, params=OTHER.params))
    assert rows(home, "select count(*) from runs where name like 'st %'") == [(1,)]


def test_stored_members_are_taken_over_whatever_their_experiment(home: Home, writer: RunWriter) -> None:
    writer.apply(START)
    store = Store(home)
    elsewhere = open_experiment(store.client, "other", home)
    other = RunWriter(store.client, elsewhere, store.members(), home.checkpoints)
    other.apply(START)
    other.apply(METRICS)
    assert rows(home, "select count(*) from runs where name like 'seed%'") == [(1,)]
    known = {key: replace(one, run_id="nobody") for key, one in store.members().items()}
    with pytest.raises(WriteRefusedError, match="nobody"):
        RunWriter(store.client, elsewhere, known, home.checkpoints).apply(METRICS)
    with sqlite3.connect(home.path / "mlflow.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
