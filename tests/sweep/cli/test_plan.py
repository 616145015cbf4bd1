from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of
from trainables.data import ImageDataset

Command = Callable[..., Answer]


def test_the_plan_of_table2_counts_cells_by_where_they_come_from(catsweep: Command, own_folder: Path) -> None:
    answer = catsweep("plan", "table2")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == (
        "table2: 45 cells (42 as published, 3 as printed), 450 members (0 done), 450 packs to train"
    )
    table = {tuple(line.split()[:2]): line.split()[2:] for line in lines[1:-1]}
    assert table["estimator", "latent"] == ["cells", "members", "done"]
    assert len(table) == 1 + 42
    assert (table["st", "8x4"], table["st", "10x30"]) == (["1", "10", "0"], ["2", "20", "0"])
    assert lines[-1] == (
        "no estimate for 450 packs, of which no epoch has been measured; measure a few steps with --calibrate"
    )
    assert list(own_folder.iterdir()) == []


def test_cells_of_no_paper_are_counted_plainly(catsweep: Command) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("plan", "grid.yaml")
    assert answer.out.splitlines()[0] == "small: 1 cells, 2 members (0 done), 2 packs to train"


def test_what_the_store_holds_is_counted_and_gives_the_estimate(
    catsweep: Command, home: Home, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    drive(spec_of(seeds=1)).train_all({0: 354.0})  # hence 360 s an epoch
    Path("grid.yaml").write_text(SPEC_TEXT)
    lines = catsweep("plan", "grid.yaml", "--home", home.path).out.splitlines()
    assert lines[0] == "small: 1 cells, 2 members (1 done), 1 packs to train"
    assert lines[2].split() == ["st", "8x4", "1", "2", "1"]
    assert lines[3] == (
        "estimate: 0.20 core-hours, 0.20 hours on the 2 cores of this machine; "
        "seconds per epoch: 1 packs recorded in the store"
    )


def test_nothing_is_left_of_a_sweep_that_is_done(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("plan", "grid.yaml", "--home", home.path)
    assert answer.out.splitlines()[-1] == "nothing left to do"


def test_json_holds_the_same_for_programs(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of(seeds=1)).train_all({0: 100.0})
    Path("grid.yaml").write_text(SPEC_TEXT + "    note: '[odd] one'\n")
    answer = catsweep("plan", "grid.yaml", "--home", home.path, "--json")
    plan = json.loads(answer.out)
    (cell,) = plan.pop("cells")
    estimate = plan.pop("estimate")
    assert plan == {"name": "small", "num_cells": 1, "num_members": 2, "num_done": 1, "num_packs": 1}
    assert (estimate["num_known"], estimate["num_unknown"]) == (1, 0)
    (request,) = spec_of().requests()
    assert cell == {
        **request.cell.params,
        "latent": "8x4",
        "note": "[odd] one",
        "cell": request.cell.hash,
        "seeds": [0, 1],
        "done": [0],
    }


def test_a_calibration_measures_what_no_run_has_recorded(
    catsweep: Command, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = np.zeros((200, 784), dtype=np.uint8), np.zeros(200, dtype=np.uint8)
    monkeypatch.setattr("trainables.data.fetch", lambda name, folder: folder)
    monkeypatch.setattr(
        "trainables.data.load", lambda name, folder: ImageDataset(name, images, labels, images, labels)
    )
    for name in ("_WARM_UP_STEPS", "_TIMED_STEPS"):
        monkeypatch.setattr(f"sweep.estimates.{name}", 1)
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("plan", "grid.yaml", "--home", "home", "--calibrate")
    assert answer.status == 0
    assert answer.out.splitlines()[-1].startswith("estimate: ")
    assert answer.out.splitlines()[-1].endswith("seconds per epoch: 2 packs calibrated on this machine")
    assert not (own_folder / "home" / "mlflow.db").exists()
