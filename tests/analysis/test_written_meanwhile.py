"""A store that a sweep writes to while it is read: members are whole or they do not count."""

import pandas as pd
import pytest

from analysis import load_runs, render, table
from trainables import schema
from trainables.store import run_client, run_tables

METRIC = "test_neg_elbo"


@pytest.fixture
def store(open_store):
    """One finished member, one of which the last epoch is still to come."""
    store = open_store()
    store.add("st", "8x4", 0, [9.0, 100.0])
    store.running = store.add("st", "8x4", 1, [9.0], status="RUNNING")
    return store


@pytest.fixture
def finish_before(store, monkeypatch):
    """Return a function that has the running member end just before the n-th of a reader's queries."""
    seen, places = [], []

    read = run_tables.rows

    def interrupted(connection, query, **values):
        seen.append(query)
        if len(seen) == places[0]:
            store.client.log_metric(store.running, METRIC, 104.0, timestamp=2000, step=2)
            store.client.set_terminated(store.running, "FINISHED")
        return read(connection, query, **values)

    def arm(number):
        places.append(number)
        monkeypatch.setattr(run_tables, "rows", interrupted)
        return seen

    return arm


NUM_QUERIES = 4


@pytest.mark.parametrize("number", range(1, NUM_QUERIES + 1))
def test_member_that_ends_between_two_queries_counts_whole_or_is_running(store, finish_before, number):
    seen = finish_before(number)
    (row,) = table(load_runs(store.uri, metrics=METRIC)).to_dict("records")
    assert len(seen) == NUM_QUERIES
    # Read values first and states last, and it would be a finished one without its last epoch: "incomplete".
    assert (row["n"], row["mean"], row["status"]) in [
        (2, 102.0, "complete"),
        (1, 100.0, "1 of 2; 1 running"),
    ]


def test_a_reader_makes_no_more_queries_than_are_interrupted_here(store, finish_before):
    seen = finish_before(100)
    load_runs(store.uri, metrics=METRIC)
    assert len(seen) == NUM_QUERIES


def test_running_member_is_said_below_the_table(store):
    text = render(table(load_runs(store.uri, metrics=METRIC)))
    assert "100.00" in text
    assert "Not complete: ST 8x4 (1 of 2; 1 running)." in text


def test_run_that_begins_between_two_pages_of_a_server_makes_no_other_appear_twice(store, serve, monkeypatch):
    store.add("gst", "8x4", 0, [9.0, 8.0])
    uri = serve(store)
    before = load_runs(uri, metrics=METRIC)
    read, is_first = run_client._record, [True]

    def begin_another(run, *rest):
        if is_first.pop() if is_first else False:
            store.add("gst", "8x4", 1, [7.0], status="RUNNING")
        return read(run, *rest)

    monkeypatch.setattr(run_client, "_PAGE", 2)
    monkeypatch.setattr(run_client, "_record", begin_another)
    meanwhile = load_runs(uri, metrics=METRIC)
    # Newest first, which is the server's own order, the second page would begin with the last of the first.
    assert not meanwhile["run_id"].duplicated().any()
    assert set(before["run_id"]) <= set(meanwhile["run_id"])
    pd.testing.assert_frame_equal(load_runs(uri, metrics=METRIC), load_runs(store.uri, metrics=METRIC))


def test_two_sweeps_that_share_a_member_count_it_once_and_say_so(open_store, request_of):
    store = open_store()
    for experiment, value in (("first", 100.0), ("second", 104.0)):
        store.add("st", "8x4", 0, [9.0, value], experiment=experiment)
    store.add("st", "8x4", 1, [9.0, 106.0], experiment="second")
    store.add("st", "8x4", 2, [9.0, 1.0], experiment="second", tags={schema.TAG_SCHEMA_VERSION: "0"})
    frame = table(load_runs(store.uri, metrics=METRIC), [request_of("st", seeds=(0, 1))])
    # The later one of seed 0 counts: (104 + 106) / 2; all three runs would give 103.33, the first one 103.
    assert frame[["n", "mean", "status"]].values.tolist() == [[2, 105.0, "complete"]]
    text = render(frame)
    assert "1 member has several finished runs; the latest counts." in text
    assert "Runs of the store that are left out: schema version 0 (1)." in text
