"""What a sweep's runs have once it has ended: curves of cells, table and report."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from sweep.cli.mlflow_results import put_results
from sweep.home import Home
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of


def curve(driver: Driver, name: str) -> dict[int, float]:
    (cell,) = driver.runs("tags.`catsweep.kind` = 'cell'")
    history = driver.store.client.get_metric_history(cell.info.run_id, name)
    assert len(history) == len({one.step for one in history}), "a step has several values"
    return {one.step: one.value for one in history}


def test_cells_have_curves_that_end_at_the_table_s_numbers(home: Home, drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of())
    driver.train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)
    assert put_results("grid.yaml", home) == ""
    # train_neg_elbo is the value of the seed at the last epoch, and 10 more after the first.
    assert curve(driver, "train_neg_elbo_mean") == {1: 112.0, 2: 102.0}
    assert curve(driver, "train_neg_elbo_std") == {step: statistics.stdev([0, 4]) for step in (1, 2)}
    (cell,) = driver.runs("tags.`catsweep.kind` = 'cell'")
    assert cell.data.metrics["train_neg_elbo_mean"] == 102.0
    assert put_results("grid.yaml", home) == ""
    assert curve(driver, "train_neg_elbo_mean") == {1: 112.0, 2: 102.0}


def test_the_sweep_s_run_has_table_and_report(home: Home, drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of())
    driver.train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)
    put_results("grid.yaml", home)
    (sweep,) = driver.runs("tags.`catsweep.kind` = 'sweep'")
    folder = home.artifacts / sweep.info.run_id / "artifacts"
    assert "105.00 ± 2.83" in (folder / "table.html").read_text()
    assert "105.00 ± 2.83" in (folder / "report.html").read_text()


def test_a_store_that_is_away_is_said_and_no_error(
    home: Home, drive: Callable[..., Driver], monkeypatch
) -> None:
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)

    def away(*words: object, **more: object) -> None:
        raise OSError("away")

    monkeypatch.setattr("mlflow.MlflowClient.log_batch", away)
    assert put_results("grid.yaml", home).startswith("warning: the store has no curves, table or report")
