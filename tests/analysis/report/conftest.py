"""Stores of sweeps with known numbers in every state, and the reports of them."""

import json
from dataclasses import dataclass, field

import pytest

from analysis.report import report
from trainables import schema
from trainables.schema import CellRequest, Member

PNG = b"\x89PNG\r\n\x1a\n of "
ENVIRONMENT = {
    "code": "0123456789ab",
    "python": "3.11.7",
    "packages": {"torch": "2.13.0"},
    "machine": {"platform": "Linux", "cpus": 2},
}


@dataclass
class Sweep:
    """A real store with the runs of one sweep."""

    store: object
    name: str = "small"
    requests: list = field(default_factory=list)

    def __post_init__(self):
        folder = self.store.path.parent / "artifacts"
        self.experiment = self.store.client.create_experiment(self.name, artifact_location=folder.as_uri())

    def ask(self, estimator="st", latent="8x4", seeds=(0, 1), *, epochs=3, note="", **params):
        """Add a cell to what is asked for; nothing of it is in the store yet."""
        categorical_dim, latent_dim = latent.split("x")
        shared = {"task": "mnist_vae", "dataset": "mnist", "optimizer": "adam", "lr": 0.0005}
        own = {"estimator": estimator, "categorical_dim": categorical_dim, "latent_dim": latent_dim}
        cell = schema.Cell.from_params({**shared, **own, "epochs": epochs, **params}, note)
        self.requests.append(CellRequest(cell, tuple(seeds)))
        return cell

    def add(self, cell, seed, value, *, epochs=None, status="FINISHED", picture=None, metrics=None, **tags):
        """Log a member: train loss is `value` at the last epoch and one more for each before, test 3 more."""
        from mlflow.entities import Metric, Param, RunTag

        last = int(cell.params["epochs"]) if epochs is None else epochs
        metrics = metrics or {"train_neg_elbo": 0.0, "test_neg_elbo": 3.0}
        values = [
            Metric(name, value + offset + last - step, 1000, step)
            for name, offset in metrics.items()
            for step in range(1, last + 1)
        ]
        named = {schema.TAG_KIND: schema.KIND_MEMBER, schema.TAG_SCHEMA_VERSION: schema.SCHEMA_VERSION}
        named |= {f"catsweep.{name}": text for name, text in tags.items()}
        run_id = self.store.client.create_run(self.experiment, start_time=1_700_000_000_000).info.run_id
        params = [Param(*item) for item in Member(cell, seed).params.items()]
        self.store.client.log_batch(run_id, values, params, [RunTag(*tag) for tag in named.items()])
        if picture is not None:
            self.log(run_id, schema.PICTURES_ARTIFACT, picture)
        if status != "RUNNING":
            self.store.client.set_terminated(run_id, status, end_time=1_700_000_360_000)
        return run_id

    def add_sweep_run(self, spec_text="name: small\n", environment=ENVIRONMENT):
        """Log the run of the sweep itself."""
        tags = {schema.TAG_KIND: schema.KIND_SWEEP, schema.TAG_SCHEMA_VERSION: schema.SCHEMA_VERSION}
        run_id = self.store.client.create_run(self.experiment, tags=tags).info.run_id
        self.log(run_id, schema.SPEC_ARTIFACT, spec_text.encode())
        self.log(run_id, schema.ENVIRONMENT_ARTIFACT, json.dumps(environment).encode())

    def log(self, run_id, name, content):
        path = self.store.path.parent / name
        path.write_bytes(content)
        self.store.client.log_artifact(run_id, str(path))

    def report(self, **changes):
        """Return the page."""
        asked = {"name": self.name, "spec_text": "name: small\n", **changes}
        return report(asked.pop("tracking_uri", self.store.uri), self.requests, **asked)


@pytest.fixture(scope="module")
def new_sweep(open_store):
    """Return a function that opens a store for a sweep."""
    return lambda name="small": Sweep(open_store(), name)


@pytest.fixture(scope="module")
def sweep_of_every_state(new_sweep):
    """Members that are done, running, failed, diverged and missing; the best ones with pictures."""
    sweep = new_sweep()
    sweep.add_sweep_run()
    st = sweep.ask("st", seeds=(0, 1))
    for seed, value in ((0, 100.0), (1, 104.0)):
        sweep.add(st, seed, value, picture=PNG + f"st {seed}".encode())
    low, high = (sweep.ask("reinmax", lr=lr) for lr in (0.0005, 0.001))
    for cell, values in ((low, (98.0, 98.5)), (high, (95.0, 95.5))):
        for seed, value in enumerate(values):
            sweep.add(cell, seed, value, picture=PNG + f"{cell.params['lr']} {seed}".encode())
    odd = sweep.ask("gst", seeds=(0, 1, 2, 3), note="<script>hacked = 1</script>")
    sweep.add(odd, 0, 90.0)
    sweep.add(odd, 1, 90.0, epochs=2, diverged="2")
    sweep.add(odd, 2, 90.0, epochs=1, status="RUNNING")
    error = "Traceback\n  <b>\nRuntimeError: no memory at http://ann:hunter22@store/runs"
    sweep.add(odd, 3, 90.0, epochs=1, status="FAILED", error=error)
    sweep.ask("reinmax_rao")
    return sweep
