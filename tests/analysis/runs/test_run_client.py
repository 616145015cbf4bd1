import math

import pandas as pd
import pytest

from analysis import load_runs
from trainables import schema
from trainables.store import run_client


@pytest.fixture(scope="module")
def store(open_store):
    store = open_store()
    store.add("st", "8x4", 0, [101.0, 100.123456789012345])
    store.add("st", "8x4", 1, [101.0, math.nan], tags={schema.TAG_DIVERGED: "2"})
    store.add("st", "8x4", 2, [101.0, math.inf])
    store.add("reinmax_cv", "4x24", 3, [90.0], lr="7e-4", experiment="other", status="RUNNING")
    store.add("gst", "8x4", 0, [], status="FAILED", tags={schema.TAG_ERROR: "no memory"})
    store.add("gst", "8x4", 1, [1.0], tags={schema.TAG_SCHEMA_VERSION: "2"})
    store.add("gst", "8x4", 2, [1.0], tags={schema.TAG_KIND: schema.KIND_CELL})
    store.client.delete_run(store.add("gst", "8x4", 3, [1.0]))
    store.add("gst", "8x4", 4, [1.0], experiment="deleted sweep")
    store.client.delete_experiment(store.experiments["deleted sweep"])
    return store


@pytest.fixture(scope="module")
def server_uri(store, serve):
    return serve(store)


def test_server_and_database_give_identical_frames(store, server_uri):
    from_database, from_server = load_runs(store.uri), load_runs(server_uri)
    assert len(from_database) == 5
    pd.testing.assert_frame_equal(from_server, from_database, check_exact=True)
    assert from_server.attrs == from_database.attrs == {"skipped": {"schema version 2": 1}}


def test_server_is_read_page_by_page(store, server_uri, monkeypatch):
    monkeypatch.setattr(run_client, "_PAGE", 2)
    asked = ["test_neg_elbo"]
    pd.testing.assert_frame_equal(load_runs(server_uri, metrics=asked), load_runs(store.uri, metrics=asked))
