"""Stores with known numbers: two estimators over four epochs, a line of β, a map of τ and η."""

import pytest

from analysis.figures.results import Results
from analysis.runs.frame import runs_frame
from trainables import schema
from trainables.schema import CellRequest, Member


@pytest.fixture(scope="module")
def log_members(open_store):
    """Return a function that fills a fresh store: a function of seed and epoch gives each cell's values."""
    from mlflow.entities import Metric, Param, RunTag

    def fill(*cells):
        store = open_store()
        experiment = store.client.create_experiment("sweep")
        for request, metrics, status in cells:
            for seed in request.seeds:
                tags = {schema.TAG_KIND: schema.KIND_MEMBER, schema.TAG_SCHEMA_VERSION: schema.SCHEMA_VERSION}
                run_id = store.client.create_run(experiment).info.run_id
                values = [
                    Metric(metric, value, 1000, step)
                    for metric, value_of in metrics.items()
                    for step, value in value_of(seed).items()
                ]
                params = [Param(*item) for item in Member(request.cell, seed).params.items()]
                store.client.log_batch(run_id, values, params, [RunTag(*tag) for tag in tags.items()])
                if status != "RUNNING":
                    store.client.set_terminated(run_id, status)
        return store

    return fill


@pytest.fixture(scope="module")
def request_for():
    """Return a function that makes a request for a cell."""

    def make(estimator="st", latent="8x4", seeds=(0, 1), *, epochs=4, note="", **params):
        categorical_dim, latent_dim = latent.split("x")
        shared = {"task": "mnist_vae", "dataset": "mnist", "optimizer": "adam", "lr": 0.0005}
        own = {"estimator": estimator, "categorical_dim": categorical_dim, "latent_dim": latent_dim}
        cell = schema.Cell.from_params({**shared, **own, "epochs": epochs, **params}, note)
        return CellRequest(cell, tuple(seeds))

    return make


@pytest.fixture
def results_of(record):
    """Return a function that makes the results of a metric from the values of each cell's seeds."""

    def make(metric, *cells, task="mnist_vae", epochs=4, seeds=None):
        records, requests, shared = [], [], {"task": task, "epochs": epochs}
        for estimator, latent, values, params in cells:
            made = [
                record(estimator, latent, seed, value, metric=metric, **{**shared, **params})
                for seed, value in enumerate(values)
            ]
            records += made
            cell = schema.Cell.from_params(made[0].params)
            requests.append(CellRequest(cell, tuple(range(seeds or len(values)))))
        return Results.from_runs(runs_frame(records, [metric]), requests, metric, "std")

    return make
