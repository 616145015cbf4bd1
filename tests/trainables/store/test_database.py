"""A store's file is read alike by the SQL of SQLite and by that of other databases."""

from __future__ import annotations

import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from analysis.runs.history import load_history
from tests.chaos.servers import PostgresServer, postgres_programs
from trainables import schema
from trainables.store import run_tables
from trainables.store.database import DatabaseError, opened, sqlite_path, sqlite_uri
from trainables.store.run_record import RunRecord

METRICS = ("test_neg_elbo", "train_kl", "epoch_seconds")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    shutil.copy(empty_store_file, path)
    fill(f"sqlite:///{path}")
    return path


def fill(uri: str) -> None:
    """Log members of two cells, one without params, one with nothing but a seed, and a cell's run."""
    client = MlflowClient(uri)
    experiment = client.create_experiment("theirs")
    kind = {schema.TAG_KIND: schema.KIND_MEMBER, schema.TAG_SCHEMA_VERSION: "1"}

    def log(tags: dict[str, str], params: dict[str, str], values: dict[str, float]) -> None:
        run_id = client.create_run(experiment, tags=tags).info.run_id
        client.log_batch(
            run_id,
            [Metric(name, value, 1000, 2) for name, value in values.items()],
            [Param(*item) for item in params.items()],
            [RunTag("other", "tag")],
        )
        client.set_terminated(run_id)

    for seed in range(2):
        for lr in ("0.0005", "5e-4"):
            log(kind, {"lr": lr, "seed": str(seed), "odd": 'a "quoted" τ'}, {"test_neg_elbo": 1 / 3 + seed})
    log(
        {**kind, schema.TAG_DIVERGED: "2", schema.TAG_MEMBER: "m1"},
        {},
        {"train_kl": math.inf, "unknown": 1.0},
    )
    log({**kind, schema.TAG_ERROR: "no memory", schema.TAG_NOTE: "odd"}, {"lr": "1"}, {"train_kl": math.nan})
    log(kind, {"seed": "7"}, {})
    log({**kind, schema.TAG_KIND: schema.KIND_CELL}, {"lr": "1"}, {"test_neg_elbo": 5.0})


def comparable(records: list[RunRecord]) -> list[tuple[object, ...]]:
    """Return records in an order of their own, with values that are equal even where they are no number."""
    return sorted(
        (
            one.run_id,
            one.experiment,
            one.status,
            one.end_time,
            dict(one.params),
            dict(one.tags),
            str(one.metrics),
        )
        for one in records
    )


def test_all_ways_to_read_a_file_agree(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = run_tables.read_records(f"sqlite:///{store}", METRICS)
    assert len(records) == 7
    monkeypatch.setattr(run_tables, "_is_sqlite", lambda connection: False)
    assert comparable(run_tables.read_records(f"sqlite:///{store}", METRICS)) == comparable(records)


def test_all_metrics_are_read_where_none_are_named(store: Path) -> None:
    names = {name for one in run_tables.read_records(f"sqlite:///{store}", None) for name in one.metrics}
    assert names == {"test_neg_elbo", "train_kl", "unknown"}


def test_what_is_read_is_what_was_logged(store: Path) -> None:
    records = run_tables.read_records(f"sqlite:///{store}", METRICS)
    assert {(one.params["lr"], one.params["seed"]) for one in records if "odd" in one.params} == {
        (lr, seed) for lr in ("0.0005", "5e-4") for seed in "01"
    }
    whole = [one for one in records if "odd" in one.params]
    assert all(one.params["odd"] == 'a "quoted" τ' for one in whole)
    assert all(one.metrics["test_neg_elbo"] == (1 / 3 + int(one.params["seed"]), 2) for one in whole)
    (diverged,) = (one for one in records if schema.TAG_DIVERGED in one.tags)
    assert (diverged.params, diverged.tags[schema.TAG_MEMBER]) == ({}, "m1")
    assert diverged.metrics == {"train_kl": (math.inf, 2)}
    (failed,) = (one for one in records if schema.TAG_ERROR in one.tags)
    assert math.isnan(failed.metrics["train_kl"].value)
    assert [dict(one.params) for one in records if one.params.get("seed") == "7"] == [{"seed": "7"}]


def test_a_member_tag_is_read_only_where_there_are_no_params(store: Path) -> None:
    tagged = [
        one for one in run_tables.read_records(f"sqlite:///{store}", ()) if schema.TAG_MEMBER in one.tags
    ]
    assert [(one.params, one.metrics) for one in tagged] == [({}, {})]


@pytest.mark.parametrize("ending", ["", "?timeout=1"])
def test_a_file_that_is_no_database_is_one_kind_of_error(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but several lines of text\n" * 100)
    with pytest.raises(DatabaseError, match="file is not a database"), opened(f"sqlite:///{path}{ending}"):
        pass


@pytest.mark.parametrize("ending", ["", "?timeout=1"])
def test_a_database_of_another_program_is_an_error_only_where_it_has_runs(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table walks (id integer)")
    assert run_tables.read_records(f"sqlite:///{path}{ending}", METRICS) == []
    with sqlite3.connect(path) as connection:
        connection.execute("create table runs (id integer)")
    with pytest.raises(DatabaseError, match="no such table: tags"):
        run_tables.read_records(f"sqlite:///{path}{ending}", METRICS)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    if postgres_programs() is None or psutil.Process().username() != "root":
        pytest.skip("needs PostgreSQL, and root to start it as its own user")
    folder = Path(tempfile.mkdtemp(prefix="records-postgres-"))  # pytest's folders are closed to other users
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


def test_postgresql_gives_what_a_file_gives(postgres: PostgresServer, store: Path) -> None:
    assert run_tables.read_records(postgres.database, METRICS) == []
    fill(postgres.database)
    answers = []
    for uri in (postgres.database, f"sqlite:///{store}"):
        records = run_tables.read_records(uri, METRICS)
        history = load_history(uri, ["test_neg_elbo"], [one.run_id for one in records])
        runs = sorted(
            str((one.status, sorted(one.params.items()), sorted(one.tags.items()), one.metrics))
            for one in records
        )
        answers.append((runs, sorted(history[["step", "value"]].itertuples(index=False, name=None))))
    assert answers[0] == answers[1]
    assert len(answers[0][0]) == 7


def test_a_postgresql_that_is_away_is_the_same_kind_of_error() -> None:
    with pytest.raises(DatabaseError, match="refused"), opened("postgresql://nobody@127.0.0.1:1/none"):
        pass


ODD_NAMES = ["plain", "a%20b", "a%2520b", "a?b", "a#b", "a b", "ä ☃", "a:b@c", "100%", "a&b=c;d'e\"f"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_path_that_became_a_uri_is_read_back_and_is_what_everybody_opens(
    name: str, tmp_path: Path, store: Path
) -> None:
    path = tmp_path / name / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(store, path)
    uri = sqlite_uri(path)
    assert sqlite_path(uri) == path
    with opened(uri) as connection:
        assert connection is not None
    assert [one.name for one in MlflowClient(uri).search_experiments()] == ["theirs", "Default"]
    assert list(tmp_path.iterdir()) == [path.parent]  # MLflow makes no folder of a name misread


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////a%20b/c.db", Path("/a b/c.db")),
        ("sqlite:////a/c.db?timeout=3", Path("/a/c.db")),
        ("sqlite+pysqlite:////a/c.db", Path("/a/c.db")),
        ("sqlite:///c.db", Path("c.db")),
        ("postgresql://host/c.db", None),
        ("http://host/sqlite:///c.db", None),
    ],
)
def test_only_the_uri_of_an_sqlite_file_has_a_path(uri: str, path: Path | None) -> None:
    assert sqlite_path(uri) == path


def test_paths_that_differ_have_uris_that_differ() -> None:
    names = [Path("/", name, "mlflow.db") for name in ODD_NAMES]
    assert len({sqlite_uri(path) for path in names}) == len(names)
