"""Tracking against a real SQLite store; what is read back is what MLflow's own client returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from sweep.execution.tracking import open_experiment
from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.store.store import Store
from tests.sweep.samples import SPEC_TEXT, Driver, metrics_of, record, rows, spec_of
from trainables.pack import Pack
from trainables.schema import (
    KIND_MEMBER,
    SCHEMA_VERSION,
    TAG_KIND,
    TAG_SCHEMA_VERSION,
    Member,
)
from trainables.task_registry import TASKS

TRAINING_METRICS = TASKS["mnist_vae"].metrics

Drive = Callable[..., Driver]


def catsweep_tags(run: Any) -> dict[str, str]:
    return {key: value for key, value in run.data.tags.items() if key.startswith("catsweep.")}


def members_of(driver: Driver) -> tuple[Member, ...]:
    return driver.plan.members


def test_a_member_becomes_a_run_of_the_schema(drive: Drive) -> None:
    driver = drive(spec_of({"estimator": "reinmax_cv", "eta": 1.5}))
    driver.train_all({0: 100.0, 1: 104.0})
    first, _ = members_of(driver)
    run = driver.run_of(first)

    assert run.data.params == {
        "task": "mnist_vae",
        "task_version": "1",
        "dataset": "mnist",
        "estimator": "reinmax_cv",
        "categorical_dim": "8",
        "latent_dim": "4",
        "optimizer": "adam",
        "lr": "0.0005",
        "temperature": "1.0",
        "eta": "1.5",
        "num_mc_samples": "100",
        "batch_size": "100",
        "epochs": "2",
        "seed": "0",
    }
    assert catsweep_tags(run) == {
        "catsweep.kind": "member",
        "catsweep.schema_version": "1",
        "catsweep.member": first.hash,
        "catsweep.cell": first.cell.hash,
        "catsweep.pack_size": "1",
    }
    assert run.data.metrics == metrics_of(100.0)
    assert run.info.run_name == "seed 0, reinmax_cv 8x4 adam lr=0.0005 τ=1.0 η=1.5"
    assert (run.info.status, run.info.end_time) == ("FINISHED", record(2).timestamp_ms)


def test_metrics_have_the_names_of_the_schema_and_a_step_for_each_epoch(drive: Drive) -> None:
    driver = drive(spec_of())
    driver.train_all({0: 100.0, 1: 104.0})
    run_id = driver.run_of(members_of(driver)[1]).info.run_id
    assert set(TRAINING_METRICS) == {
        "train_neg_elbo",
        "train_recon",
        "train_kl",
        "test_neg_elbo",
        "test_recon",
        "test_kl",
        "epoch_seconds",
    }
    for name in TRAINING_METRICS:
        history = driver.store.client.get_metric_history(run_id, name)
        assert [(one.step, one.value, one.timestamp) for one in history] == [
            (1, metrics_of(114.0)[name], record(1).timestamp_ms),
            (2, metrics_of(104.0)[name], record(2).timestamp_ms),
        ]


def test_runs_nest_members_under_cells_under_the_sweep(drive: Drive) -> None:
    driver = drive(spec_of({"lr": [0.001, 0.002], "note": "odd"}))
    driver.train_all({0: 100.0, 1: 104.0})
    (sweep,) = driver.runs("tags.`catsweep.kind` = 'sweep'")
    cells = driver.runs("tags.`catsweep.kind` = 'cell'")
    assert {run.data.tags["mlflow.parentRunId"] for run in cells} == {sweep.info.run_id}
    cell_of = {run.data.tags["catsweep.cell"]: run for run in cells}
    for member in members_of(driver):
        cell = cell_of[member.cell.hash]
        assert driver.run_of(member).data.tags["mlflow.parentRunId"] == cell.info.run_id
        assert cell.data.params == member.cell.params
        assert catsweep_tags(cell) == {
            "catsweep.kind": "cell",
            "catsweep.schema_version": "1",
            "catsweep.cell": member.cell.hash,
            "catsweep.note": "odd",
        }
        assert cell.info.status == "FINISHED"
    assert catsweep_tags(sweep) == {"catsweep.kind": "sweep", "catsweep.schema_version": "1"}
    assert "mlflow.parentRunId" not in sweep.data.tags
    assert len(driver.runs()) == 1 + 2 + 4


def test_the_sweep_keeps_its_spec_and_environment(drive: Drive, home: Home) -> None:
    driver = drive(spec_of())
    (sweep,) = driver.runs("tags.`catsweep.kind` = 'sweep'")
    kept = {path.name: path.read_text() for path in home.artifacts.rglob("*") if path.is_file()}
    assert sweep.info.artifact_uri.startswith(home.artifacts.as_uri())
    assert kept == {"spec.yaml": SPEC_TEXT, "environment.json": '{\n  "code": "abc"\n}'}


@pytest.mark.parametrize(("is_complete", "status"), [(True, "FINISHED"), (False, "KILLED")])
def test_the_status_of_the_sweep_says_whether_it_was_finished(
    is_complete: bool, status: str, drive: Drive
) -> None:
    driver = drive(spec_of())
    query = "tags.`catsweep.kind` = 'sweep'"
    assert [run.info.status for run in driver.runs(query)] == ["RUNNING"]
    driver.tracker.close(is_complete=is_complete)
    assert [run.info.status for run in driver.runs(query)] == [status]
    again = drive(spec_of())
    assert [run.info.status for run in again.runs(query)] == ["RUNNING"]


def test_a_member_is_running_until_its_pack_ends(drive: Drive) -> None:
    driver = drive(spec_of())
    first, second = members_of(driver)
    driver.tracker.start(Pack((first,)))
    assert driver.run_of(first).info.status == "RUNNING"
    assert driver.runs(f"tags.`catsweep.member` = '{second.hash}'") == []


def test_metrics_are_written_in_batches(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive(spec_of())
    first, _ = members_of(driver)
    driver.tracker.start(Pack((first,)))
    driver.tracker.log(Pack((first,)), [record(1, 110.0)])
    assert driver.run_of(first).data.metrics == {}
    monkeypatch.setattr("sweep.execution.tracking.FLUSH_SECONDS", 0.0)
    time.sleep(0.001)
    driver.tracker.log(Pack((first,)), [record(2, 100.0)])
    assert driver.run_of(first).data.metrics == metrics_of(100.0)
    assert driver.rows("select count(*) from metrics where key = 'train_kl'") == [(2,)]


def test_more_metrics_than_a_batch_may_hold_are_all_written(drive: Drive) -> None:
    driver = drive(spec_of(epochs=200))
    first, _ = members_of(driver)
    driver.train(Pack((first,)), *(record(epoch, 100.0) for epoch in range(1, 201)))
    run_id = driver.run_of(first).info.run_id
    count = f"select count(*) from metrics where run_uuid = '{run_id}'"
    assert driver.rows(count) == [(200 * len(TRAINING_METRICS),)]


def test_writing_the_same_records_again_adds_no_rows(drive: Drive) -> None:
    records = (record(1, 110.0), record(2, 100.0))
    of_members = f"metrics where key in {TRAINING_METRICS!r}"
    killed = drive(spec_of(seeds=1))
    (pack,) = killed.plan.packs
    killed.tracker.start(pack)
    killed.tracker.log(pack, records[:1])
    killed.tracker.flush()
    before = killed.rows(f"select * from {of_members}")

    again = drive(spec_of(seeds=1))
    again.train(pack, *records)
    after = again.rows(f"select * from {of_members}")
    assert (len(before), len(after)) == (len(TRAINING_METRICS), 2 * len(TRAINING_METRICS))
    assert set(before) < set(after)
    again.tracker.log(pack, records)
    again.tracker.close(is_complete=True)
    assert again.rows(f"select * from {of_members}") == after


def test_an_interrupted_member_goes_on_in_its_run(drive: Drive) -> None:
    killed = drive(spec_of(seeds=1))
    (pack,) = killed.plan.packs
    killed.tracker.start(pack)
    run_id = killed.run_of(pack.members[0]).info.run_id

    again = drive(spec_of(seeds=1))
    assert again.plan.packs == (pack,)
    again.train(pack, record(1, 110.0), record(2, 100.0))
    run = again.run_of(pack.members[0])
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")


def test_a_member_names_the_code_that_trained_it_and_each_that_went_on_with_it(drive: Drive) -> None:
    for code in ("1.0 sha256 a", "1.0 sha256 a", "1.1 sha256 b"):
        driver = drive(spec_of(seeds=1), code=code)
        (pack,) = driver.plan.packs
        driver.tracker.start(pack)
        driver.settle()
    assert driver.run_of(pack.members[0]).data.tags["catsweep.code"] == "1.0 sha256 a, then 1.1 sha256 b"


def test_a_pack_that_starts_again_after_its_process_died_keeps_its_runs(drive: Drive) -> None:
    driver = drive(spec_of(resources={"members_per_pack": 2}))
    (pack,) = driver.plan.packs
    driver.tracker.start(pack)
    driver.train(pack, record(1, 110.0, 114.0), record(2, 100.0, 104.0))
    assert [driver.run_of(one).info.status for one in pack.members] == ["FINISHED"] * 2
    assert driver.run_of(pack.members[0]).data.tags["catsweep.pack_size"] == "2"


def test_a_member_that_diverged_is_tagged_with_the_epoch_and_has_no_metrics_from_then_on(
    drive: Drive,
) -> None:
    driver = drive(spec_of(resources={"members_per_pack": 2}))
    (pack,) = driver.plan.packs
    driver.train(pack, record(1, None, 114.0), record(2, None, 104.0))
    driver.tracker.close(is_complete=True)
    diverged, other = (driver.run_of(one) for one in pack.members)
    assert (diverged.info.status, diverged.data.tags["catsweep.diverged"]) == ("FINISHED", "1")
    assert diverged.data.metrics == {}
    assert (other.info.status, other.data.metrics) == ("FINISHED", metrics_of(104.0))
    assert "catsweep.diverged" not in other.data.tags
    assert drive(spec_of()).plan.packs == ()


def test_a_member_that_failed_is_tagged_with_the_reason(drive: Drive) -> None:
    driver = drive(spec_of())
    first, second = members_of(driver)
    driver.tracker.start(Pack((first,)))
    driver.tracker.log(Pack((first,)), [record(1, 110.0)])
    driver.tracker.fail(Pack((first,)), "Traceback ...\nRuntimeError: no memory")
    run = driver.run_of(first)
    assert run.info.status == "FAILED"
    assert run.data.tags["catsweep.error"] == "Traceback ...\nRuntimeError: no memory"
    assert run.data.metrics == metrics_of(110.0)
    assert [one.members for one in drive(spec_of()).plan.packs] == [(second,)]


def test_a_pack_that_fails_before_it_started_has_runs_and_is_not_tried_again(drive: Drive) -> None:
    driver = drive(spec_of(seeds=1))
    (pack,) = driver.plan.packs
    driver.tracker.fail(pack, "MemoryError: cannot allocate")
    driver.tracker.close(is_complete=True)
    run = driver.run_of(pack.members[0])
    assert (run.info.status, run.data.tags["catsweep.error"]) == ("FAILED", "MemoryError: cannot allocate")
    assert run.data.params == pack.members[0].params
    again = drive(spec_of(seeds=1))
    assert (again.plan.packs, again.plan.has_failed(pack.members[0])) == ((), True)
    assert drive(spec_of(seeds=1), retry_failed=True).plan.packs == (pack,)


def test_a_long_error_keeps_its_end(drive: Drive) -> None:
    driver = drive(spec_of())
    first, _ = members_of(driver)
    driver.tracker.start(Pack((first,)))
    driver.tracker.fail(Pack((first,)), "x" * 100_000 + "RuntimeError: the reason")
    error = driver.run_of(first).data.tags["catsweep.error"]
    assert error.endswith("xRuntimeError: the reason")
    assert len(error) == 4000


def test_a_failed_member_that_is_tried_again_loses_its_error(drive: Drive) -> None:
    driver = drive(spec_of(seeds=1))
    (pack,) = driver.plan.packs
    driver.tracker.start(pack)
    driver.tracker.fail(pack, "no memory")
    run_id = driver.run_of(pack.members[0]).info.run_id

    again = drive(spec_of(seeds=1), retry_failed=True)
    again.train(pack, record(1, 110.0), record(2, 100.0))
    run = again.run_of(pack.members[0])
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    assert "catsweep.error" not in run.data.tags


def test_a_run_of_another_program_goes_on_whatever_the_form_of_its_numbers(home: Home, drive: Drive) -> None:
    client = Store(home).client
    (request,) = spec_of(seeds=1).requests()
    theirs = {**request.members[0].params, "lr": "5e-4", "epochs": "2.0"}
    tags = {TAG_KIND: KIND_MEMBER, TAG_SCHEMA_VERSION: SCHEMA_VERSION}
    run_id = client.create_run(client.create_experiment("theirs"), tags=tags).info.run_id
    client.log_batch(run_id, params=[Param(*item) for item in theirs.items() if item[0] != "task_version"])

    driver = drive(spec_of(seeds=1))
    driver.train_all({0: 100.0})
    run = client.get_run(run_id)
    assert (run.info.status, run.data.metrics, run.data.params["lr"]) == (
        "FINISHED",
        metrics_of(100.0),
        "5e-4",
    )
    assert driver.runs("tags.`catsweep.kind` = 'member'") == []


def test_a_run_that_a_crash_left_without_params_gets_them(home: Home, drive: Drive) -> None:
    driver = drive(spec_of(seeds=1))
    (pack,) = driver.plan.packs
    driver.tracker.start(pack)
    run_id = driver.run_of(pack.members[0]).info.run_id
    rows(home, f"delete from params where run_uuid = '{run_id}'")

    again = drive(spec_of(seeds=1))
    again.train_all({0: 100.0})
    run = again.run_of(pack.members[0])
    assert (run.info.run_id, run.data.params) == (run_id, pack.members[0].params)


def test_what_has_finished_elsewhere_is_left_as_it_is(drive: Drive) -> None:
    first, second = drive(spec_of()).plan.members
    drive(spec_of(name="other", seeds=[0])).train_all({0: 100.0})
    driver = drive(spec_of(name="other"))
    before = driver.run_of(first)
    # A pack of an interrupted run goes on with all its members, of which one is done.
    driver.train(Pack((first, second)), record(1, 111.0, 114.0), record(2, 101.0, 104.0))
    driver.tracker.close(is_complete=True)
    after = driver.run_of(first)
    assert after.to_dictionary() == before.to_dictionary()
    run_id = before.info.run_id
    assert driver.rows(f"select count(*) from metrics where run_uuid = '{run_id}'") == [
        (2 * len(TRAINING_METRICS),)
    ]
    assert driver.run_of(second).data.metrics == metrics_of(104.0)


def test_a_member_that_is_only_in_the_pack_goes_on_in_its_run_too(home: Home, drive: Drive) -> None:
    wide = drive(spec_of(resources={"members_per_pack": 2}))
    (pack,) = wide.plan.packs
    wide.tracker.start(pack)
    (home.checkpoints / pack.hash / "epoch-000001.pt").touch()

    narrow = drive(spec_of(seeds=[0]))
    assert narrow.plan.packs == (pack,)
    narrow.train(pack, record(1, 110.0, 114.0), record(2, 100.0, 104.0))
    narrow.tracker.close(is_complete=True)
    runs = narrow.runs("tags.`catsweep.kind` = 'member'")
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]


def test_checkpoints_go_once_the_store_holds_everything(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(spec_of(seeds=1))
    (pack,) = driver.plan.packs
    folder = driver.home.checkpoints / pack.hash
    send = driver.store.client.log_batch
    driver.settle()

    def refuse(*words: Any, **more: Any) -> None:
        raise MlflowException("away")

    monkeypatch.setattr(driver.store.client, "log_batch", refuse)
    driver.train(pack, record(1, 110.0), record(2, 100.0))
    assert not driver.outbox.settle(0.3)
    assert folder.is_dir()
    assert not any(stored.is_finished for stored in driver.store.members().values())
    monkeypatch.setattr(driver.store.client, "log_batch", send)
    driver.tracker.close(is_complete=True)
    assert not folder.exists()
    run = driver.run_of(pack.members[0])
    assert (run.info.status, run.data.metrics) == ("FINISHED", metrics_of(100.0))


def test_an_answer_that_names_no_experiment_is_none_of_mlflow(home: Home) -> None:
    nothing = mock.Mock(**{"get_experiment_by_name.return_value.experiment_id": ""})  # as it reads `{}`
    with pytest.raises(MlflowException, match="no MLflow server: it names no experiment"):
        open_experiment(nothing, "small", home)


def test_a_deleted_experiment_is_followed_by_a_new_one_and_a_line_says_so(home: Home) -> None:
    client, said = Store(home).client, list[str]()
    for number in (1, 2, 3):
        experiment_id = open_experiment(client, "small", home, said.append)
        assert open_experiment(client, "small", home, said.append) == experiment_id
        assert client.get_experiment(experiment_id).name == ("small" if number == 1 else f"small ({number})")
        client.delete_experiment(experiment_id)
    assert [line.rpartition(", ")[2] for line in said] == ["small (2)", "small (3)"]
    assert said[0].startswith("experiment small was deleted in MLflow")


def test_a_deleted_experiment_that_is_restored_is_the_sweep_s_again(home: Home) -> None:
    client = Store(home).client
    first = open_experiment(client, "small", home)
    client.delete_experiment(first)
    assert open_experiment(client, "small", home) != first
    client.restore_experiment(first)
    assert open_experiment(client, "small", home) == first


@pytest.mark.parametrize(
    ("uri", "is_in_home"),
    [("sqlite:///store.db", True), ("postgresql+psycopg://host/mlflow", True), ("https://host", False)],
)
def test_artifacts_of_a_database_are_in_the_home(tmp_path: Path, uri: str, is_in_home: bool) -> None:
    home, client = Home(tmp_path, uri), mock.Mock(spec=MlflowClient)
    client.get_experiment_by_name.return_value = None
    open_experiment(client, "small", home)
    location = client.create_experiment.call_args.kwargs["artifact_location"]
    assert location == (home.artifacts.as_uri() if is_in_home else None)


def test_replaying_with_other_times_would_add_rows(drive: Drive) -> None:
    """The check of idempotence above can fail: MLflow does keep a second row of another time."""
    driver = drive(spec_of(seeds=1))
    driver.train_all({0: 100.0})
    (run,) = driver.runs("tags.`catsweep.kind` = 'member'")
    count = "select count(*) from metrics where key = 'train_kl'"
    assert driver.rows(count) == [(2,)]
    driver.store.client.log_batch(run.info.run_id, [Metric("train_kl", 102.0, 5, 2)])
    assert driver.rows(count) == [(3,)]


def test_a_manifest_is_needed_for_a_pack_to_go_on(home: Home, drive: Drive) -> None:
    driver = drive(spec_of(resources={"members_per_pack": 2}))
    (pack,) = driver.plan.packs
    (write_manifest(home.checkpoints, pack) / "epoch-000001.pt").touch()
    assert drive(spec_of()).plan.packs == (pack,)
    (home.checkpoints / pack.hash / "pack.json").unlink()
    assert [len(one) for one in drive(spec_of()).plan.packs] == [1, 1]
