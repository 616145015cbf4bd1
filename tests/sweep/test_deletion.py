"""What somebody deletes in MLflow counts nowhere, stays deleted, and is trained anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis import load_runs
from analysis.report.artifacts import Artifacts
from sweep.home import Home
from sweep.planning.cell_status import sweep_status
from sweep.planning.plan import make_plan
from sweep.store.store import Store
from tests.chaos.servers import MlflowServer
from tests.sweep.samples import Driver, spec_of

SPEC = spec_of(seeds=1)


@pytest.fixture(params=["sqlite", "server", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path, empty_store_file: Path) -> Iterator[Home]:
    """A home with an empty store of each kind."""
    file = tmp_path / "home" / "mlflow.db"
    own = Home.resolve(tmp_path / "home")
    own.make_folders()
    shutil.copy(empty_store_file, file)
    if request.param == "sqlite":
        yield own
    elif request.param == "postgresql":
        yield Home(own.path, request.getfixturevalue("postgres").database)
    else:
        server = MlflowServer(tmp_path, own.tracking_uri)
        try:
            server.start()
            yield Home(own.path, server.uri)
        finally:
            server.kill()


def see_that_nothing_is_done(place: Home) -> None:
    plan = make_plan(SPEC, Store(place).members(), place)
    assert plan.members_to_run == plan.members
    assert [status.num_missing for status in sweep_status(plan)] == [1]
    assert load_runs(place.tracking_uri).empty


def see_that_all_is_done(place: Home, value: float) -> None:
    plan = make_plan(SPEC, Store(place).members(), place)
    assert plan.packs == ()
    assert load_runs(place.tracking_uri)["train_neg_elbo"].tolist() == [value]


def test_a_deleted_experiment_stays_deleted_and_its_members_are_trained_anew(place: Home) -> None:
    first = Driver(SPEC, place)
    first.train_all({0: 100.0})
    first.store.client.delete_experiment(first.experiment_id)
    see_that_nothing_is_done(place)
    second = Driver(SPEC, place)
    second.train_all({0: 200.0})
    see_that_all_is_done(place, 200.0)
    assert second.store.client.get_experiment(first.experiment_id).lifecycle_stage == "deleted"
    (sweep,) = second.runs("tags.`catsweep.kind` = 'sweep'")
    assert Artifacts(place.tracking_uri).sweep_run("small") == sweep.info.run_id


def test_deleted_runs_stay_deleted_and_are_made_anew(place: Home) -> None:
    deleted = []
    for number, kind in enumerate(("member", "cell", "sweep"), 1):
        driver = Driver(SPEC, place)
        driver.train_all({0: 100.0 * number})
        (run,) = driver.runs(f"tags.`catsweep.kind` = '{kind}'")
        driver.store.client.delete_run(run.info.run_id)
        deleted.append(run.info.run_id)
        if kind == "member":
            see_that_nothing_is_done(place)
    last = Driver(SPEC, place)
    last.train_all({})
    see_that_all_is_done(place, 200.0)
    kinds = [run.data.tags["catsweep.kind"] for run in last.runs()]
    assert sorted(kinds) == ["cell", "member", "sweep"]
    (cell,) = last.runs("tags.`catsweep.kind` = 'cell'")
    assert cell.data.metrics["train_neg_elbo_mean"] == 200.0
    stages = {last.store.client.get_run(run_id).info.lifecycle_stage for run_id in deleted}
    assert stages == {"deleted"}
