"""One store on PostgreSQL, the same rows in SQLite, and a live server: three ways to identical frames."""

import math
import shutil
from contextlib import closing

import pandas as pd
import pytest
import sqlalchemy as sa

from analysis import load_history, load_runs
from analysis.runs.frame import resolve_duplicates
from tests.analysis.conftest import Store
from tests.chaos.servers import MlflowServer
from tests.conftest import running_postgres
from trainables import schema

METRIC = "test_neg_elbo"
TABLES = ("experiments", "runs", "tags", "params", "latest_metrics", "metrics")


class PostgresStore(Store):
    """A store whose path is the URL of a database."""

    @property
    def uri(self):
        return self.path


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def store(postgres):
    """A store with a member of every kind, two runs of one of them, and one that another program logged."""
    from mlflow import MlflowClient

    store = PostgresStore(postgres.database, MlflowClient(postgres.database))
    store.ids = {
        "first": store.add("st", "8x4", 0, [9.0, 8.0], experiment="earlier"),
        "plain": store.add("st", "8x4", 0, [101.0, 100.123456789012345, 1 / 3], epochs=3),
        "again": store.add("st", "8x4", 0, [7.0, 6.0]),
        "odd": store.add("st", "8x4", 1, [math.nan, math.inf, -math.inf, 1e-300], epochs=4),
        "diverged": store.add("gst", "8x4", 1, [101.0, math.nan], tags={schema.TAG_DIVERGED: "2"}),
        "loose": store.add("reinmax_cv", "4x24", 3, [90.0], lr="7e-4", epochs="1.0", status="RUNNING"),
        "failed": store.add(
            "gst", "8x4", 0, [], status="FAILED", tags={schema.TAG_ERROR: "no memory – 内存"}
        ),
    }
    store.client.log_metric(store.ids["plain"], METRIC, 7.0, timestamp=2000, step=1)
    store.client.log_metric(store.ids["plain"], METRIC, 6.0, timestamp=500, step=2)
    store.client.log_metric(store.ids["plain"], "gradient_std", 7.4, timestamp=1, step=2)
    store.add("gst", "8x4", 2, [1.0], tags={schema.TAG_SCHEMA_VERSION: "2"})
    store.add("gst", "8x4", 2, [1.0], tags={schema.TAG_KIND: schema.KIND_CELL})
    store.client.delete_run(store.add("gst", "8x4", 3, [1.0]))
    return store


@pytest.fixture(scope="module")
def uris(store, empty_store_file, tmp_path_factory):
    """The three tracking URIs."""
    copy = tmp_path_factory.mktemp("copy") / "mlflow.db"
    shutil.copy(empty_store_file, copy)
    copy_rows(store.uri, f"sqlite:///{copy}")
    server = MlflowServer(tmp_path_factory.mktemp("server"), store.uri)
    server.start()
    yield {"postgresql": store.uri, "sqlite": f"sqlite:///{copy}", "server": server.uri}
    server.kill()


def copy_rows(source, target):
    """Replace the rows of one database by another's."""
    engines = sa.create_engine(source), sa.create_engine(target)
    with closing(engines[0].connect()) as reading, engines[1].begin() as writing:
        for name in TABLES:
            tables = [
                sa.Table(name, sa.MetaData(), autoload_with=engine, resolve_fks=False) for engine in engines
            ]
            writing.execute(sa.delete(tables[1]))
            rows = [dict(row._mapping) for row in reading.execute(sa.select(tables[0]))]
            if rows:
                writing.execute(sa.insert(tables[1]), rows)
    for engine in engines:
        engine.dispose()


def test_members_and_their_last_epochs_are_identical(uris, store):
    frames = {name: load_runs(uri) for name, uri in uris.items()}
    assert set(frames["sqlite"]["run_id"]) == set(store.ids.values())
    assert frames["sqlite"].set_index("run_id").loc[store.ids["plain"], METRIC] == 1 / 3
    for name in ("postgresql", "server"):
        pd.testing.assert_frame_equal(frames[name], frames["sqlite"], check_exact=True)
        assert frames[name].attrs == frames["sqlite"].attrs == {"skipped": {"schema version 2": 1}}


def test_asked_metrics_and_what_becomes_of_duplicates_are_identical(uris, store):
    found = {name: resolve_duplicates(load_runs(uri, metrics=METRIC)) for name, uri in uris.items()}
    kept = set(found["sqlite"].runs["run_id"])
    assert store.ids["again"] in kept
    assert store.ids["first"] not in kept
    assert list(found["sqlite"].duplicates.values()) == [2]
    for name in ("postgresql", "server"):
        pd.testing.assert_frame_equal(found[name].runs, found["sqlite"].runs, check_exact=True)
        assert found[name].duplicates == found["sqlite"].duplicates
        assert found[name].skipped == found["sqlite"].skipped == {"schema version 2": 1}


def test_histories_are_identical(uris, store):
    asked = [METRIC, "gradient_std"]
    frames = {name: load_history(uri, asked, list(store.ids.values())) for name, uri in uris.items()}
    mine = frames["sqlite"][lambda frame: frame["run_id"] == store.ids["plain"]]
    assert list(zip(mine["metric"], mine["step"], mine["value"], strict=True)) == [
        ("gradient_std", 2, 7.4),
        (METRIC, 1, 7.0),
        (METRIC, 2, 100.123456789012345),
        (METRIC, 3, 1 / 3),
    ]
    for name in ("postgresql", "server"):
        pd.testing.assert_frame_equal(frames[name], frames["sqlite"], check_exact=True)
