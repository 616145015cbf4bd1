"""What plan, status and tables say of a search."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.runner import Outcome
from sweep.search.planning import open_queue
from sweep.search.queue import CellQueue, Job
from sweep.store.store import Store
from tests.sweep.conftest import Answer
from tests.sweep.samples import Driver, record, spec_of
from tests.sweep.search.samples import GRID, records_of, search_of, value_of

Command = Callable[..., Answer]
STOPPING = {"kind": "asha", "grace_epochs": 1}


def write_spec(trials: int = 4, epochs: int = 3) -> None:
    block = {"estimator": "st", "latent": "8x4", **GRID}
    search = {"kind": "optuna", "trials": trials, "early_stopping": STOPPING}
    spec = {"name": "small", "epochs": epochs, "seeds": 2, "grid": [block], "search": search}
    Path("search.yaml").write_text(yaml.safe_dump(spec))


@pytest.fixture
def half_done(home: Home, drive: Callable[..., Driver]) -> list[Job]:
    """Of four trials one complete, one given up, one in training; a cell of the space is a grid's."""
    driver = drive(search_of(trials=4, epochs=3, early_stopping=STOPPING))
    write_spec()
    queue = open_queue(driver.plan.spec, {}, home)
    complete, pruned, running = (_next(queue) for _ in range(3))
    for job, epochs in ((complete, 3), (pruned, 1), (running, 1)):
        write_manifest(home.checkpoints, job.pack)
        driver.tracker.start(job.pack)
        records = [records_of(job, epoch) for epoch in range(1, epochs + 1)]
        queue.advanced(job, records)
        driver.tracker.log(job.pack, records)
    queue.ended(complete, has_failed=False)
    driver.tracker.finish(complete.pack, records_of(complete, 3))
    queue.ended(pruned, has_failed=False)
    driver.tracker.prune(pruned.pack, 1)
    driver.tracker.flush()
    driver.settle()
    return [complete, pruned, running]


def _next(queue: CellQueue) -> Job:
    job = queue.next()
    assert job is not None
    return job


def test_status_shows_the_cells_tried_and_the_best_so_far(
    catsweep: Command, home: Home, half_done: list[Job]
) -> None:
    answer = catsweep("status", "search.yaml", "--home", home.path)
    assert (answer.status, answer.err) == (0, "")
    heading, *cells, total, search, best, to_come, _estimate, _disk = (
        " ".join(line.split()) for line in answer.out.splitlines()
    )
    assert heading == "cell done diverged running failed pruned missing"
    assert [cell.split()[-6:] for cell in cells] == [
        ["2", "0", "0", "0", "0", "0"],
        ["0", "0", "0", "0", "2", "0"],
        ["0", "0", "2", "0", "0", "0"],
    ]
    assert total == "all 2 0 2 0 2 0"
    assert search == (
        "search of 6 cells for the lowest train_neg_elbo (tpe): 2/4 trials done (1 complete, 1 pruned), "
        "each of 2 seeds"
    )
    params = half_done[0].request.cell.params
    mean = value_of(half_done[0].request) + 0.5
    name = f"st 8x4 adam lr={params['lr']} τ={params['temperature']}"
    assert best == f"best so far: {name}, train_neg_elbo {mean:.2f}, the lowest of 1 cells trained to the end"
    assert to_come == (
        "1 cells are still to be chosen; estimates are for cells spread over the space, trained to the end"
    )


def test_json_holds_the_same_for_programs(catsweep: Command, home: Home, half_done: list[Job]) -> None:
    status = json.loads(catsweep("status", "search.yaml", "--home", home.path, "--json").out)
    search: dict[str, Any] = status["search"]
    assert (search["trials_done"], search["trials_asked"], search["num_cells"]) == (2, 4, 6)
    assert {fate: search[fate] for fate in ("complete", "pruned", "diverged", "failed")} == {
        "complete": 1, "pruned": 1, "diverged": 0, "failed": 0,
    }  # fmt: skip
    assert search["best"]["cell"] == half_done[0].request.cell.hash
    assert search["best"]["value"] == pytest.approx(value_of(half_done[0].request) + 0.5)
    assert status["totals"]["pruned"] == 2
    assert [cell["cell"] for cell in status["cells"]] == [job.request.cell.hash for job in half_done]
    plan = json.loads(catsweep("plan", "search.yaml", "--home", home.path, "--json").out)
    assert plan["search"] == search
    assert (plan["num_packs"], plan["num_cells"]) == (2, 3)


def test_plan_says_how_many_cells_and_trials_there_are(catsweep: Command, own_folder: Path) -> None:
    write_spec(trials=100)
    answer = catsweep("plan", "search.yaml")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:2] == [
        "small: 0 cells tried, 0 members (0 done), 6 packs to train",
        "search of 6 cells for the lowest train_neg_elbo (tpe): 0/6 trials done, each of 2 seeds",
    ]
    assert [path.name for path in own_folder.iterdir()] == ["search.yaml"]


def test_the_estimate_is_of_the_cells_to_come_with_all_their_seeds(
    catsweep: Command, home: Home, half_done: list[Job]
) -> None:
    lines = catsweep("plan", "search.yaml", "--home", home.path).out.splitlines()
    assert lines[0] == "small: 3 cells tried, 6 members (2 done), 2 packs to train"
    (estimate,) = (line for line in lines if line.startswith("estimate: "))
    assert "seconds per epoch: 2 packs" in estimate


def test_tables_show_what_there_is_of_the_space(
    catsweep: Command, home: Home, half_done: list[Job], drive: Callable[..., Driver]
) -> None:
    tried = {job.request.cell.hash for job in half_done}
    other = next(request for request in search_of(epochs=3).requests() if request.cell.hash not in tried)
    params = other.cell.params
    grid = {"lr": float(params["lr"]), "temperature": float(params["temperature"])}
    of_grid = drive(spec_of(grid, epochs=3, name="grid"))
    for pack in of_grid.plan.packs:
        of_grid.train(pack, record(3, *(90.0 for _ in pack.members)))
    of_grid.settle()
    table = json.loads(catsweep("tables", "search.yaml", "--home", home.path, "--format", "json").out)
    rows = {row["cell"]: row for row in table}
    assert set(rows) == tried | {other.cell.hash}
    complete, pruned, running = (rows[job.request.cell.hash]["status"] for job in half_done)
    assert (complete, pruned, running) == ("complete", "0 of 2; 2 pruned", "0 of 2; 2 running")


@pytest.mark.parametrize("metric", ["train_neg_elbo", "test_neg_elbo"])
def test_a_run_ranks_by_what_was_searched_and_names_the_winner_by_it(
    metric: str, catsweep: Command, home: Home, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = search_of(trials=2, epochs=1, metric=metric)
    driver = drive(spec)
    queue = open_queue(spec, {}, home)
    values = {"train_neg_elbo": (90.0, 80.0), "test_neg_elbo": (70.0, 75.0)}
    for place in range(2):  # the second is the best in training, the first on the test set
        job = _next(queue)
        of_cell = {name: pair[place] for name, pair in values.items()}
        last = record(1, *(0.0 for _ in job.pack.members))
        last = replace(last, metrics=tuple({**one, **of_cell} for one in last.metrics if one is not None))
        driver.tracker.start(job.pack)
        driver.tracker.log(job.pack, [last])
        queue.advanced(job, [last])
        queue.ended(job, has_failed=False)
        driver.tracker.finish(job.pack, last)
        if of_cell[metric] == min(values[metric]):
            winner = job.request.cell
    driver.tracker.flush()
    driver.settle()
    block = {"estimator": "st", "latent": "8x4", **GRID}
    search = {"kind": "optuna", "trials": 2, "metric": metric}
    Path("search.yaml").write_text(
        yaml.safe_dump({"name": "small", "epochs": 1, "seeds": 2, "grid": [block], "search": search})
    )
    monkeypatch.setattr("sweep.api.execute", lambda *words, **options: Outcome(0, 0, is_interrupted=False))
    lines = catsweep("run", "search.yaml", "--home", home.path).out.splitlines()
    name = f"st 8x4 adam lr={winner.params['lr']} τ={winner.params['temperature']}"
    best = min(values[metric])
    assert lines[-1] == f"winner: {name}, {metric} {best:.2f}, the lowest of 2 cells trained to the end"
    (first,) = (line for line in lines if " #1" in line and "±" in line)
    assert f"{best:.2f} ± 0.00 #1" in first
    assert any(f"({metric})" in line for line in lines)


def test_a_grid_takes_up_what_a_search_gave_up(
    home: Home, half_done: list[Job], drive: Callable[..., Driver]
) -> None:
    pruned = half_done[1]
    params = pruned.request.cell.params
    block = {"lr": float(params["lr"]), "temperature": float(params["temperature"])}
    grid = drive(spec_of(block, epochs=3, name="grid"))
    assert [member for pack in grid.plan.packs for member in pack.members] == list(pruned.pack.members)
    for pack in grid.plan.packs:
        grid.train(pack, *(record(epoch, *(100.0 for _ in pack.members)) for epoch in (1, 2, 3)))
    grid.settle()
    stored = Store(home).members()
    for member in pruned.pack.members:
        assert (stored[member.hash].is_finished, stored[member.hash].pruned) == (True, None)
