from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, record, spec_of

Command = Callable[..., Answer]


@pytest.fixture
def half_done(drive: Callable[..., Driver]) -> None:
    """Five seeds of a cell: one done, one diverged, one running, one failed, one missing."""
    driver = drive(spec_of(seeds=5))
    done, diverged, running, failed, _ = driver.plan.packs
    driver.train(done, record(1, 110.0), record(2, 100.0))
    driver.train(diverged, record(1, None))
    driver.tracker.start(running)
    driver.tracker.start(failed)
    driver.tracker.fail(failed, "Traceback ...\nRuntimeError: no [odd] memory")
    driver.settle()


@pytest.mark.usefixtures("half_done")
def test_every_cell_has_a_line_with_its_members_by_state(catsweep: Command, home: Home) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT.replace("seeds: 2", "seeds: 5") + "    note: '[odd] [/one]'\n")
    answer = catsweep("status", "grid.yaml", "--home", home.path)
    assert (answer.status, answer.err) == (0, "")
    heading, cell, total, error, left, disk = (" ".join(line.split()) for line in answer.out.splitlines())
    assert heading == "cell done diverged running failed missing"
    assert cell == "st 8x4 adam lr=0.0005 τ=1.0 ([odd] [/one]) 1 1 1 1 1"
    assert total == "all 1 1 1 1 1"
    assert error == "failed: st 8x4 adam lr=0.0005 τ=1.0 seed 3: RuntimeError: no [odd] memory"
    assert left.startswith("estimate: ")
    assert disk.startswith("disk: ")


@pytest.mark.usefixtures("half_done")
def test_json_holds_the_same_for_programs(catsweep: Command, home: Home) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT.replace("seeds: 2", "seeds: 5"))
    status = json.loads(catsweep("status", "grid.yaml", "--home", home.path, "--json").out)
    ones = {"done": 1, "diverged": 1, "running": 1, "failed": 1, "pruned": 0, "missing": 1}
    (cell,) = status["cells"]
    assert (status["name"], status["totals"]) == ("small", ones)
    assert {key: cell[key] for key in ones} == ones
    assert (cell["estimator"], cell["latent"], cell["lr"], cell["note"]) == ("st", "8x4", "0.0005", "")
    assert cell["errors"] == ["seed 3: RuntimeError: no [odd] memory"]


def test_a_long_cell_stays_on_one_line_in_a_pipe(catsweep: Command) -> None:
    lines = catsweep("status", "table2").out.splitlines()
    assert len(lines) == 1 + 45 + 1 + 2  # heading, cells, sum, that nothing has been measured yet, and disk
    long = "reinmax_cv 10x30 radam lr=0.0005 τ=0.7 η=1.5 (as printed in Table 5)"
    assert [line.split(long)[1].split() for line in lines if long in line] == [["0", "0", "0", "0", "10"]]


def test_without_a_store_everything_is_missing_and_none_is_made(catsweep: Command, own_folder: Path) -> None:
    answer = catsweep("status", "quickstart", "--json")
    totals = {"done": 0, "diverged": 0, "running": 0, "failed": 0, "pruned": 0, "missing": 14}
    assert json.loads(answer.out)["totals"] == totals
    assert answer.err.startswith("warning: there is no tracking store at sqlite:")
    assert list(own_folder.iterdir()) == []
