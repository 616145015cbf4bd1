import math
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from analysis.runs.history import load_history

METRIC = "test_neg_elbo"


@pytest.fixture(scope="module")
def store(open_store):
    store = open_store()
    store.ids = {
        "plain": store.add("st", "8x4", 0, [101.0, 100.123456789012345, 1 / 3]),
        "odd": store.add("st", "8x4", 1, [math.nan, math.inf, -math.inf, 1e-300]),
        "twice": store.add("st", "8x4", 2, [5.0, 4.0]),
        "sparse": store.add("st", "8x4", 3, []),
        "empty": store.add("st", "8x4", 4, []),
        "other": store.add("st", "8x4", 5, [1.0]),
    }
    for step in (50, 1, 10):
        store.client.log_metric(store.ids["sparse"], METRIC, step / 2, timestamp=step, step=step)
    store.client.log_metric(store.ids["twice"], METRIC, 7.0, timestamp=2000, step=1)
    store.client.log_metric(store.ids["twice"], METRIC, 6.0, timestamp=500, step=2)
    store.client.log_metric(store.ids["plain"], "gradient_std", 7.4, timestamp=1, step=2)
    return store


@pytest.fixture
def asked(store):
    return [run_id for name, run_id in store.ids.items() if name != "other"]


def points(frame, run_id, metric=METRIC):
    chosen = frame[(frame["run_id"] == run_id) & (frame["metric"] == metric)]
    return list(zip(chosen["step"], chosen["value"], strict=True))


def test_every_step_is_one_row_with_its_exact_value(store, asked):
    frame = load_history(store.uri, [METRIC], asked)
    assert list(frame) == ["run_id", "metric", "step", "value"]
    assert points(frame, store.ids["plain"]) == [(1, 101.0), (2, 100.123456789012345), (3, 1 / 3)]
    assert points(frame, store.ids["sparse"]) == [(1, 0.5), (10, 5.0), (50, 25.0)]
    assert points(frame, store.ids["empty"]) == []


def test_values_that_are_not_finite_survive_the_database(store, asked):
    values = [value for _, value in points(load_history(store.uri, [METRIC], asked), store.ids["odd"])]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 1e-300]


def test_latest_value_of_a_step_counts(store, asked):
    assert points(load_history(store.uri, [METRIC], asked), store.ids["twice"]) == [(1, 7.0), (2, 4.0)]


def test_only_the_asked_runs_and_metrics_are_read(store, asked):
    both = load_history(store.uri, [METRIC, "gradient_std"], asked)
    assert points(both, store.ids["plain"], "gradient_std") == [(2, 7.4)]
    assert store.ids["other"] not in set(both["run_id"])
    assert set(load_history(store.uri, [METRIC], asked)["metric"]) == {METRIC}


def test_empty_and_absent_stores_have_the_columns_and_types_of_a_full_one(store, asked, tmp_path):
    full = load_history(store.uri, [METRIC], asked)
    for empty in (
        load_history(store.uri, [METRIC], []),
        load_history(store.uri, [], asked),
        load_history(f"sqlite:///{tmp_path / 'absent.db'}", [METRIC], asked),
    ):
        assert len(empty) == 0
        assert list(empty) == list(full)
        assert (empty["step"].dtype, empty["value"].dtype) == (full["step"].dtype, full["value"].dtype)
    assert not (tmp_path / "absent.db").exists()


def test_more_runs_than_one_query_takes_are_all_read(store, asked, monkeypatch):
    whole = load_history(store.uri, [METRIC], asked)
    monkeypatch.setattr("analysis.runs.history_sql._RUNS_PER_QUERY", 2)
    pd.testing.assert_frame_equal(load_history(store.uri, [METRIC], asked), whole)


def test_database_without_mlflows_index_is_read_too(store, asked):
    whole = load_history(store.uri, [METRIC], asked)
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("drop index index_metrics_run_uuid_key_step")
        database.commit()
    try:
        pd.testing.assert_frame_equal(load_history(store.uri, [METRIC], asked), whole)
    finally:
        with closing(sqlite3.connect(store.path)) as database:
            database.execute("create index index_metrics_run_uuid_key_step on metrics (run_uuid, key, step)")
            database.commit()


def test_server_and_database_give_identical_frames(store, asked, serve):
    wanted = [METRIC, "gradient_std"]
    from_database, from_server = (load_history(uri, wanted, asked) for uri in (store.uri, serve(store)))
    assert len(from_database) > 10
    pd.testing.assert_frame_equal(from_server, from_database, check_exact=True)
