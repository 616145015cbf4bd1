from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import sweep
from sweep.cluster_error import ClusterError
from sweep.home import Home
from sweep.runner import Outcome
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of

SPEC = "grid.yaml"


@pytest.fixture(autouse=True)
def _spec_file() -> None:
    Path(SPEC).write_text(SPEC_TEXT)


def test_the_package_offers_the_three_functions_and_nothing_else() -> None:
    from sweep import api

    assert (sweep.plan, sweep.run, sweep.status) == (api.plan, api.run, api.status)
    with pytest.raises(AttributeError, match="module 'sweep' has no attribute 'plam'"):
        sweep.plam  # noqa: B018


def test_the_plan_is_a_frame_with_a_row_for_each_member(home: Home, drive: Callable[..., Driver]) -> None:
    drive(spec_of(seeds=1)).train_all({0: 100.0})
    frame = sweep.plan(SPEC, home=home.path)
    assert list(frame["seed"]) == ["0", "1"]
    assert list(frame["is_done"]) == [True, False]
    assert frame["pack"].isna().tolist() == [True, False]
    assert set(frame["latent"]) == {"8x4"}
    (request,) = spec_of().requests()
    assert list(frame["member"]) == [member.hash for member in request.members]
    assert set(frame["cell"]) == {request.cell.hash}


def test_the_status_is_a_frame_with_a_row_for_each_cell(home: Home, drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of())
    driver.train(driver.plan.packs[0], *_records())
    driver.tracker.start(driver.plan.packs[1])
    driver.settle()
    (row,) = sweep.status(Path(SPEC), home=str(home.path)).to_dict("records")
    assert (row["estimator"], row["latent"], row["lr"], row["note"]) == ("st", "8x4", "0.0005", "")
    assert {key: value for key, value in row.items() if key.startswith("num_")} == {
        "num_done": 1,
        "num_diverged": 0,
        "num_running": 1,
        "num_failed": 0,
        "num_missing": 0,
        "num_pruned": 0,
    }


def test_another_store_can_be_named(home: Home, drive: Callable[..., Driver], tmp_path: Path) -> None:
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    frame = sweep.status(SPEC, home=tmp_path / "empty", tracking_uri=home.tracking_uri)
    assert list(frame["num_done"]) == [2]
    assert not (tmp_path / "empty").exists()


def test_running_passes_its_arguments_on_and_returns_the_status(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def run_sweep(spec: object, text: str, place: Home, **options: object) -> Outcome:
        calls.append((spec, text, place, options))
        return Outcome(0, 0, is_interrupted=False)

    monkeypatch.setattr("sweep.runner.run_sweep", run_sweep)
    frame = sweep.run(SPEC, home=home.path, address="auto", retry_failed=True)
    options = {"address": "auto", "retry_failed": True, "shard": None}
    assert calls == [(spec_of(), SPEC_TEXT, home, options)]
    assert list(frame["num_missing"]) == [2]


def test_a_spec_that_does_not_fit_the_cluster_is_named_with_the_line(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_sweep(*words: object, **options: object) -> Outcome:
        raise ClusterError("cpus must be at most 2, got 9", key="cpus")

    Path(SPEC).write_text(SPEC_TEXT + "resources: {cpus: 9}\n")
    monkeypatch.setattr("sweep.runner.run_sweep", run_sweep)
    with pytest.raises(ClusterError) as caught:
        sweep.run(SPEC, home=home.path)
    assert str(caught.value) == "grid.yaml, line 8: cpus must be at most 2, got 9"


def _records() -> list[object]:
    from tests.sweep.samples import record

    return [record(1, 110.0), record(2, 100.0)]
