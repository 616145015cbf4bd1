"""Members whose training is simulated go through plan, Tune, tracking and tables: every number arrives."""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scale import SEEDS, Case, Usage, run_command
from benchmarks.simulated import MARK, simulated_home, simulated_metrics
from sweep import api
from sweep.cli.table_text import TableOptions, table_text
from sweep.home import Home
from sweep.spec.file import load_spec
from trainables.schema import CellRequest
from trainables.task_registry import TASKS

SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "scale.py"
EPOCHS = 2
MIB_OF_THE_DRIVER = 1536


@dataclass(frozen=True)
class Finished:
    """A simulated sweep that has been driven to its end."""

    case: Case
    spec: str
    home: Home
    driver: Usage

    @property
    def requests(self) -> tuple[CellRequest, ...]:
        return load_spec(self.spec).requests()

    @property
    def expected(self) -> dict[tuple[str, int], dict[str, float]]:
        """The metrics of every member after every epoch."""
        members = [one.hash for request in self.requests for one in request.members]
        return {(key, epoch): simulated_metrics(key, epoch) for key in members for epoch in (1, EPOCHS)}

    @property
    def means(self) -> dict[str, float]:
        """The mean test loss of every cell after the last epoch."""
        return {
            request.cell.hash: statistics.fmean(
                simulated_metrics(member.hash, EPOCHS)["test_neg_elbo"] for member in request.members
            )
            for request in self.requests
        }

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.home.path / "mlflow.db") as store:
            return store.execute(query).fetchall()


@pytest.fixture(scope="module", params=[60, pytest.param(1000, marks=pytest.mark.slow)])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder, case = tmp_path_factory.mktemp("scale"), Case(request.param, 1, EPOCHS)
    home, spec, answer = simulated_home(folder / "home"), folder / "spec.yaml", folder / "driver.json"
    spec.write_text(case.spec_text())
    words = [sys.executable, str(SCRIPT), "--drive", str(spec), str(home.path), str(answer)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield Finished(case, str(spec), home, Usage(**json.loads(answer.read_text())))


def test_every_epoch_of_every_member_is_in_the_store_once_and_exactly(finished: Finished) -> None:
    found = finished.rows(
        "select t.value, m.step, m.key, m.value from metrics m join tags t using (run_uuid) "
        "where t.key = 'catsweep.member'"
    )
    assert len(found) == finished.case.members * EPOCHS * len(TASKS["mnist_vae"].metrics)
    by_epoch: dict[tuple[str, int], dict[str, float]] = {}
    for member, epoch, name, value in found:
        by_epoch.setdefault((member, epoch), {})[name] = value
    assert by_epoch == finished.expected


def test_runs_are_one_for_each_member_and_cell_and_one_for_the_sweep(finished: Finished) -> None:
    kinds = "select t.value, r.status, count(*) from tags t join runs r using (run_uuid) where t.key = "
    assert sorted(finished.rows(f"{kinds}'catsweep.kind' group by 1, 2")) == [
        ("cell", "FINISHED", finished.case.members // SEEDS),
        ("member", "FINISHED", finished.case.members),
        ("sweep", "FINISHED", 1),
    ]


def test_cells_have_the_means_of_their_members(finished: Finished) -> None:
    found = finished.rows(
        "select t.value, m.value from latest_metrics m join tags t using (run_uuid) "
        "where t.key = 'catsweep.cell' and m.key = 'test_neg_elbo_mean'"
    )
    assert dict(found) == finished.means


def test_plan_status_and_table_see_all_of_it(finished: Finished) -> None:
    plan = api.plan(finished.spec, home=finished.home.path)
    assert (len(plan), plan["is_done"].all(), plan["pack"].isna().all()) == (
        finished.case.members,
        True,
        True,
    )
    status = api.status(finished.spec, home=finished.home.path)
    assert status["num_done"].tolist() == [SEEDS] * len(finished.requests)
    rows = json.loads(table_text([finished.spec], finished.home, TableOptions(output_format="json")))
    assert {row["cell"]: (row["n"], row["status"]) for row in rows} == dict.fromkeys(
        finished.means, (SEEDS, "complete")
    )
    assert {row["cell"]: row["mean"] for row in rows} == pytest.approx(finished.means, rel=1e-14)


def test_nothing_waits_and_no_checkpoint_is_left(finished: Finished) -> None:
    assert not list(finished.home.checkpoints.glob("*"))


def test_the_driver_stays_small(finished: Finished) -> None:
    assert finished.driver.peak_mib < MIB_OF_THE_DRIVER


def test_a_command_of_a_large_process_is_measured_by_itself() -> None:
    large = bytearray(400 << 20)
    large[:: 1 << 12] = bytes(len(large) >> 12)  # `ru_maxrss` of what it starts would be 400 MiB too
    assert 1 < run_command(sys.executable, "-c", "import time; time.sleep(0.2)").peak_mib < 100


def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.txt").touch()
    with pytest.raises(ValueError, match="must be a home for simulations or an empty folder"):
        simulated_home(tmp_path)
    assert not (tmp_path / MARK).exists()
