"""Real tracking stores, made once and copied, and members with known numbers to fill them with."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trainables import schema
from trainables.store.run_record import LastValue, RunRecord

METRIC = "test_neg_elbo"


def member_params(estimator, latent, seed, epochs, overrides):
    categorical_dim, latent_dim = latent.split("x")
    params = {
        "task": "mnist_vae",
        "dataset": "mnist",
        "estimator": estimator,
        "categorical_dim": categorical_dim,
        "latent_dim": latent_dim,
        "optimizer": "adam",
        "lr": "0.0005",
        "epochs": epochs,
        "seed": seed,
        **overrides,
    }
    return {name: str(value) for name, value in params.items() if value is not None}


def member_tags(extra):
    tags = {schema.TAG_KIND: schema.KIND_MEMBER, schema.TAG_SCHEMA_VERSION: schema.SCHEMA_VERSION, **extra}
    return {name: value for name, value in tags.items() if value is not None}


@dataclass
class Store:
    """A real SQLite store; `add` logs one run through MLflow's client."""

    path: Path
    client: object
    experiments: dict = field(default_factory=dict)

    @property
    def uri(self):
        return f"sqlite:///{self.path}"

    def add(
        self,
        estimator,
        latent,
        seed,
        values,
        *,
        status="FINISHED",
        epochs=2,
        tags=None,
        experiment="sweep",
        metric=METRIC,
        **params,
    ):
        from mlflow.entities import Metric, Param

        if experiment not in self.experiments:
            self.experiments[experiment] = self.client.create_experiment(experiment)
        run = self.client.create_run(self.experiments[experiment], tags=member_tags(tags or {}))
        run_id = run.info.run_id
        self.client.log_batch(
            run_id,
            [Metric(metric, value, 1000, step) for step, value in enumerate(values, 1)],
            [Param(*item) for item in member_params(estimator, latent, seed, epochs, params).items()],
        )
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Return a function that starts a real `mlflow server` over a store's file, and returns its address."""
    from tests.chaos.servers import MlflowServer

    with ExitStack() as servers:

        def start(store):
            server = MlflowServer(tmp_path_factory.mktemp("server"), store.uri)
            servers.callback(server.kill)
            server.start()
            return server.uri

        yield start


@pytest.fixture(scope="module")
def open_store(empty_store_file, tmp_path_factory):
    """Return a function that opens a fresh, empty store."""
    from mlflow import MlflowClient

    def open_one():
        path = tmp_path_factory.mktemp("store") / "mlflow.db"
        shutil.copy(empty_store_file, path)
        return Store(path, MlflowClient(f"sqlite:///{path}"))

    return open_one


@pytest.fixture
def record():
    """Return a function that makes a run record without a store; `step` is the step of its value."""
    count = iter(range(1_000_000))

    def make(
        estimator="st",
        latent="8x4",
        seed=0,
        value=100.0,
        *,
        status="FINISHED",
        epochs=2,
        step=None,
        tags=None,
        metric=METRIC,
        start=None,
        **params,
    ):
        number = next(count)
        start = 1_000 * number if start is None else start
        values = {} if value is None else {metric: LastValue(value, epochs if step is None else step)}
        end = None if status == "RUNNING" else start + 500
        given = member_params(estimator, latent, seed, epochs, params)
        return RunRecord(f"run{number}", "sweep", status, start, end, given, member_tags(tags or {}), values)

    return make


@pytest.fixture
def request_of():
    """Return a function that makes a request for a cell with seeds."""

    def make(estimator="st", latent="8x4", seeds=(0, 1), *, epochs=2, note="", **params):
        cell = schema.Cell.from_params(member_params(estimator, latent, None, epochs, params), note)
        return schema.CellRequest(cell, tuple(seeds))

    return make
