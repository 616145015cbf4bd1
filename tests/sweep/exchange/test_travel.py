"""Results travel: export, import and delete, through the commands, in real stores of every kind."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from analysis import load_history, load_members, load_runs
from sweep.exchange.incoming import incoming_members
from sweep.home import Home
from sweep.store.store import Store
from tests.chaos.servers import MlflowServer
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, metrics_of, record, spec_of
from trainables.schema import TAG_KIND
from trainables.store.member_file import MemberFileError, read_members, write_members
from trainables.task_registry import TASKS

Command = Callable[..., Answer]
Drive = Callable[..., Driver]
SPEC = SPEC_TEXT.replace("seeds: 2", "seeds: 5")
NOT_COPIED = ("run_id",)


@pytest.fixture
def full(drive: Drive, own_folder: Path) -> Driver:
    """A store with a finished member, one of odd numbers, one diverged, one failed and one in training."""
    (own_folder / "small.yaml").write_text(SPEC)
    driver = drive(spec_of(seeds=5), dataset_content="made from these", code="0.1.0 sha256 abc")
    packs = {pack.members[0].seed: pack for pack in driver.plan.packs}
    driver.train(packs[0], record(1, 110.123456789012345), record(2, 1 / 3))
    odd = record(2, 100.0)
    values = {**metrics_of(1e-300), "train_kl": -math.inf, "epoch_seconds": 2.0}
    driver.train(packs[1], record(1, 7.0), type(odd)(2, odd.timestamp_ms, (values,), (None,)))
    driver.train(packs[2], record(1, None))
    driver.tracker.fail(packs[3], "out of memory – 内存\nat last")
    driver.tracker.start(packs[4])
    driver.tracker.log(packs[4], [record(1, 110.0)])
    driver.tracker.flush()
    driver.settle()
    return driver


@pytest.fixture
def other(tmp_path: Path, empty_store_file: Path) -> Home:
    """A home with an empty store."""
    place = Home.resolve(tmp_path / "other")
    place.make_folders()
    shutil.copy(empty_store_file, place.path / "mlflow.db")
    return place


def frames(home: Home) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all that is known of members but those in training, in an order that is the same everywhere."""
    runs = load_runs(home.tracking_uri)
    runs = runs[runs["status"] != "RUNNING"].sort_values("member", ignore_index=True)
    history = load_history(home.tracking_uri, TASKS["mnist_vae"].metrics, runs["run_id"])
    member_of = dict(zip(runs["run_id"], runs["member"], strict=True))
    history = history.assign(
        run_id=history["run_id"].map(member_of).astype("str"), metric=history["metric"].astype("str")
    )
    runs.attrs = {}
    return runs.drop(columns="run_id"), history.sort_values(["run_id", "metric", "step"], ignore_index=True)


def assert_equal(one: Home, two: Home) -> None:
    for mine, theirs in zip(frames(one), frames(two), strict=True):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


@pytest.mark.parametrize("name", ["small.parquet", "small.csv", "small.csv.gz"])
def test_members_come_out_of_a_file_as_they_went_in(
    name: str, full: Driver, other: Home, catsweep: Command
) -> None:
    answer = catsweep("export", "small.yaml", "--out", name, "--home", full.home.path)
    assert (answer.status, answer.out) == (0, f"5 of 5 members in 7 rows: {name}\n")
    answer = catsweep("import", name, "--home", other.path)
    assert (answer.status, answer.out) == (
        0, f"{name}: 4 members brought in, 0 were there, 1 are still in training there and stay out\n"
    )  # fmt: skip
    assert_equal(full.home, other)


def test_a_value_that_changes_on_its_way_is_seen(full: Driver, other: Home, catsweep: Command) -> None:
    """The comparison of this file catches a wrong digit."""
    table = load_members(full.home.tracking_uri)
    column = table.column("test_kl").to_pylist()
    table = table.set_column(
        table.column_names.index("test_kl"), "test_kl", [[v and v + 1e-9 for v in column]]
    )
    write_members(table, Path("small.parquet"))
    assert catsweep("import", "small.parquet", "--home", other.path).status == 0
    with pytest.raises(AssertionError):
        assert_equal(full.home, other)


def test_to_bring_them_twice_changes_nothing(full: Driver, other: Home, catsweep: Command) -> None:
    catsweep("import", full.home.path, "--home", other.path)
    before = load_runs(other.tracking_uri)
    answer = catsweep("import", full.home.path, full.home.tracking_uri, "--home", other.path)
    left = "0 members brought in, 4 were there, 1 are still in training there and stay out"
    assert answer.out == f"{full.home.path}: {left}\n{full.home.tracking_uri}: {left}\n"
    pd.testing.assert_frame_equal(load_runs(other.tracking_uri), before)


def test_a_sweep_goes_on_from_what_came_in(full: Driver, other: Home, catsweep: Command) -> None:
    catsweep("import", full.home.path, "--home", other.path)
    answer = catsweep("status", "small.yaml", "--home", other.path)
    # Of the two that are whole, one has minus infinity: it has diverged.
    assert answer.out.splitlines()[1].split()[-5:] == [
        "1",
        "2",
        "0",
        "1",
        "1",
    ]  # one with minus infinity has diverged
    (cell,) = cells_of(other)
    assert cell.data.metrics["num_seeds"] == 1  # minus infinity counts nowhere
    assert cell.data.metrics["test_neg_elbo_mean"] == metrics_of(1 / 3)["test_neg_elbo"]


def cells_of(home: Home) -> list[Any]:
    client = Store(home).client
    experiments = [one.experiment_id for one in client.search_experiments()]
    return list(client.search_runs(experiments, f"tags.`{TAG_KIND}` = 'cell'"))


def test_shards_come_together_in_one_cell(
    drive: Drive, home: Home, other: Home, own_folder: Path, catsweep: Command
) -> None:
    (own_folder / "small.yaml").write_text(SPEC_TEXT)
    drive(spec_of(seeds=[0])).train_all({0: 100.0})
    catsweep("import", home.path, "--home", other.path)
    drive(spec_of(seeds=[1])).train_all({1: 102.0})
    assert "1 members brought in, 1 were there" in catsweep("import", home.path, "--home", other.path).out
    (cell,) = cells_of(other)
    assert (cell.data.metrics["num_seeds"], cell.data.metrics["train_neg_elbo_mean"]) == (2, 101.0)
    assert catsweep("status", "small.yaml", "--home", other.path).out.splitlines()[1].split()[-5] == "2"


def test_other_numbers_are_listed_and_never_mixed(full: Driver, other: Home, catsweep: Command) -> None:
    table = load_members(full.home.tracking_uri)
    catsweep("import", full.home.path, "--home", other.path)
    changed = [value if value is None else value + 0.5 for value in table.column("train_kl").to_pylist()]
    place = table.column_names.index("train_kl")
    write_members(table.set_column(place, "train_kl", [changed]), Path("changed.parquet"))
    before = frames(other)
    answer = catsweep("import", "changed.parquet", "--home", other.path)
    member = full.plan.members[0].hash
    assert answer.status == 1
    assert answer.out.splitlines()[:2] == [
        "changed.parquet: 0 members brought in, 2 were there, 1 are still in training there and stay out",
        "2 members are there with other numbers, and stay as they are:",
    ]
    assert f"  member {member}: train_kl" in answer.out
    for mine, theirs in zip(frames(other), before, strict=True):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


def test_how_long_it_took_is_no_conflict(full: Driver, other: Home, catsweep: Command) -> None:
    table = load_members(full.home.tracking_uri)
    catsweep("import", full.home.path, "--home", other.path)
    slower = [value if value is None else value * 2 for value in table.column("epoch_seconds").to_pylist()]
    place = table.column_names.index("epoch_seconds")
    write_members(table.set_column(place, "epoch_seconds", [slower]), Path("slower.parquet"))
    assert catsweep("import", "slower.parquet", "--home", other.path).status == 0


def test_what_failed_here_gives_way_to_what_finished_there(
    drive: Drive, home: Home, other: Home, catsweep: Command
) -> None:
    driver = drive(spec_of(seeds=1))
    (pack,) = driver.plan.packs
    driver.tracker.fail(pack, "out of memory")
    driver.settle()
    catsweep("import", home.path, "--home", other.path)
    assert Store(other).members()[pack.members[0].hash].has_failed
    driver = drive(spec_of(seeds=1), retry_failed=True)
    driver.train_all({0: 100.0})
    assert "1 members brought in" in catsweep("import", home.path, "--home", other.path).out
    assert Store(other).members()[pack.members[0].hash].is_finished


@pytest.fixture(params=["server", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, other: Home) -> Iterator[Home]:
    """A home whose store is a server, or a PostgreSQL database."""
    if request.param == "postgresql":
        yield Home(tmp_path / "elsewhere", request.getfixturevalue("postgres").database)
        return
    server = MlflowServer(tmp_path, other.tracking_uri)
    try:
        server.start()
        yield Home(tmp_path / "elsewhere", server.uri)
    finally:
        server.kill()


def test_there_and_back_through_another_kind_of_store(
    full: Driver, elsewhere: Home, tmp_path: Path, catsweep: Command
) -> None:
    uri = elsewhere.tracking_uri
    answer = catsweep("import", full.home.path, "--home", elsewhere.path, "--tracking-uri", uri)
    assert (answer.status, answer.err) == (0, "")
    assert_equal(full.home, elsewhere)
    back = Home.resolve(tmp_path / "back")
    assert catsweep("import", uri, "--home", back.path).status == 0
    assert_equal(full.home, back)


def table_of(**columns: Any) -> pa.Table:
    base: dict[str, Any] = {
        "status": "FINISHED", "task": "mnist_vae", "dataset": "mnist", "estimator": "st",
        "categorical_dim": "8", "latent_dim": "4", "optimizer": "adam", "lr": "0.0005", "epochs": "2",
        "seed": "0", "epoch": 2,
        "test_neg_elbo": 100.0,
    }  # fmt: skip
    values = {**base, **columns}
    count = max(len(value) for value in values.values() if isinstance(value, list)) if columns else 1
    return pa.table(
        {key: value if isinstance(value, list) else [value] * count for key, value in values.items()}
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"member": ["0123456789abcdef"]}, "params are those of member .*, and it says 0123456789abcdef"),
        ({"cell": ["0123456789abcdef"]}, "params are those of cell"),
        ({"seed": ["one"]}, "seed must be an integer, got 'one'"),
        ({"seed": [None]}, "a row is of no member"),
        ({"lr": ["fast"]}, "lr must be a number, got 'fast'"),
        ({"estimator": [None]}, "no estimator"),
        ({"status": ["DONE"]}, "status of member .* must be one of FINISHED"),
        ({"epoch": [2, 2]}, "epoch 2 twice"),
        ({"epoch": [-3]}, "an epoch must be from 0 to 2.53, got -3"),
        ({"note": ["a", "b"], "epoch": [1, 2]}, "several values of note"),
        ({"seed": ["0", "0.0"], "epoch": [1, 1]}, "is there twice"),
        ({"start_time": [-5]}, "start_time of member .* must be >= 0, got -5"),
        ({"error": ["x" * 5000]}, "error of member .* is over 4000 characters"),
        ({"\x1b[2J": [1.0]}, "is no name of a metric"),
    ],
)
def test_rows_of_no_member_are_refused_before_anything_is_written(
    columns: dict[str, Any], message: str, other: Home, catsweep: Command
) -> None:
    write_members(table_of(**columns), Path("bad.parquet"))
    with pytest.raises(MemberFileError, match=message):
        list(incoming_members(read_members(Path("bad.parquet")), "bad.parquet"))
    answer = catsweep("import", "bad.parquet", "--home", other.path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: bad.parquet: ")
    assert load_runs(other.tracking_uri).empty


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"status,seed,epoch,test_kl\nFINISHED,0,1,many\n", "cannot be read as members"),
        ("x.csv", b"status,seed\nFINISHED,0\n", "has no column epoch"),
        ("x.csv.gz", b"not zipped", "cannot be read as members"),
        ("x.parquet", b"PAR1 no", "cannot be read as members"),
        ("x.txt", b"", "must end with .parquet, .csv.gz, .csv; got x.txt"),
    ],
)
def test_a_file_of_something_else_is_one_line(
    name: str, content: bytes, message: str, other: Home, catsweep: Command
) -> None:
    Path(name).write_bytes(content)
    answer = catsweep("import", name, "--home", other.path)
    assert answer.status == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_what_is_not_there_is_named(other: Home, catsweep: Command, tmp_path: Path) -> None:
    answer = catsweep("import", "typo", "--home", other.path)
    assert (answer.status, answer.err) == (2, "error: there is no file, home or store typo\n")
    (tmp_path / "folder").mkdir()
    assert (
        "is a folder without mlflow.db" in catsweep("import", tmp_path / "folder", "--home", other.path).err
    )


def test_a_metric_that_is_nan_is_not_one_that_was_not_logged(tmp_path: Path) -> None:
    table = table_of(epoch=[1, 2], test_neg_elbo=[math.nan, None])
    for name in ("x.csv", "x.parquet"):
        write_members(table, tmp_path / name)
        (member,) = incoming_members(read_members(tmp_path / name), name)
        ((epoch, metric, value),) = member.points
        assert (epoch, metric, math.isnan(value)) == (1, "test_neg_elbo", True)


def test_what_is_deleted_is_trained_again_and_can_be_restored(
    full: Driver, own_folder: Path, catsweep: Command
) -> None:
    words = ("delete", "small.yaml", "--home", full.home.path)
    assert catsweep(*words, "--cell", "estimator=rloo").err.startswith(
        "error: --cell estimator=rloo is none of"
    )
    runs = [run.info.run_id for run in full.runs() if run.data.tags[TAG_KIND] != "sweep"]
    answer = catsweep(*words, "--cell", "estimator=st,lr=5e-4", "--yes")
    assert answer.out == "5 runs of members deleted; the next catsweep run small.yaml trains them again\n"
    assert Store(full.home).members() == {}
    assert cells_of(full.home) == []
    for run_id in runs:
        full.store.client.restore_run(run_id)
    assert len(Store(full.home).members()) == 5
    assert catsweep(*words, "--cell", full.plan.requests[0].cell.hash, "--yes").status == 0
    assert catsweep(*words).out == "the store holds no members of small to delete\n"


def test_nothing_is_deleted_without_a_yes(
    full: Driver, catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", lambda *words, **more: False)
    assert catsweep("delete", "small.yaml", "--home", full.home.path).status == 1
    assert len(Store(full.home).members()) == 5
