"""The real command on a search: what it leaves, what follows a killed driver, and a grid after it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from sweep.search.study import CELL, PRUNED
from sweep.store.store import Store
from tests.sweep.conftest import Answer
from tests.sweep.test_resume import MEMBERS, Sweep, kill_in_the_middle

SPEC = """
name: {name}
epochs: {epochs}
batch_size: 600
seeds: {seeds}
grid:
  - {{estimator: [st, reinmax], latent: 8x4, lr: [0.001, 0.0005], temperature: 1.0}}
search: {{{search}}}
"""
STOPPING = "early_stopping: {kind: asha, grace_epochs: 1, reduction_factor: 2}"
METRIC_ROWS = f"select run_uuid, key, step from metrics where run_uuid in ({MEMBERS})"


class Search(Sweep):
    """A search with its study."""

    def trials(self) -> list[FrozenTrial]:
        """Return the trials that have a cell."""
        url = f"sqlite:///{self.home / 'optuna.db'}"
        (name,) = optuna.get_all_study_names(url)
        return [
            trial
            for trial in optuna.load_study(study_name=name, storage=url).trials
            if CELL in trial.user_attrs
        ]

    def outcomes(self) -> list[tuple[str, TrialState, float | None]]:
        return [(trial.user_attrs[CELL], trial.state, trial.value) for trial in self.trials()]

    def stored(self) -> dict[str, Any]:
        """Return the members in the store, by cell."""
        from sweep.home import Home

        found: dict[str, Any] = {}
        for member in Store(Home.resolve(self.home)).members().values():
            assert member.member is not None
            found.setdefault(member.member.cell.hash, []).append(member)
        return found

    def is_in_the_middle(self) -> bool:
        """Whether a cell has been told, and is in the store, and another one is between two epochs."""
        is_told = self.has_a_told_and_a_running_trial()
        return is_told and self.has_checkpoint() and bool(self.finished())

    def has_a_told_and_a_running_trial(self) -> bool:
        try:
            with sqlite3.connect(self.home / "optuna.db") as study:
                states = [state for (state,) in study.execute("select state from trials")]
        except sqlite3.OperationalError:  # the driver is still making the tables
            return False
        return "COMPLETE" in states and "RUNNING" in states


@pytest.fixture
def search_in(tmp_path: Path, mnist_folder: Path) -> Any:
    """Return a function that makes a search in a home of its own."""

    def make(place: str, search: str, *, name: str = "search", epochs: int = 1, seeds: int = 1) -> Search:
        home = tmp_path / place
        if not home.exists():
            home.mkdir()
            (home / "data").symlink_to(mnist_folder, target_is_directory=True)
        spec = tmp_path / f"{place}-{name}.yaml"
        spec.write_text(SPEC.format(name=name, epochs=epochs, seeds=seeds, search=search))
        return Search(str(spec), home)

    return make


def test_a_search_trains_its_trials_and_no_more(search_in: Any, catsweep: Callable[..., Answer]) -> None:
    search: Search = search_in("home", "kind: optuna, trials: 3, metric: test_neg_elbo")
    options = (search.spec, "--home", search.home)
    first = catsweep("run", *options)
    assert first.status == 0, first.err
    assert "search of 4 cells for the lowest test_neg_elbo (tpe), 3 trials of 1 seeds" in first.err
    assert "3 members finished" in first.err

    outcomes, stored = search.outcomes(), search.stored()
    assert len(outcomes) == len(stored) == 3
    for cell, state, value in outcomes:
        (member,) = stored[cell]
        assert (state, value) == (TrialState.COMPLETE, pytest.approx(member.metrics["test_neg_elbo"]))
        assert member.is_finished
    assert search.unfinished() == []

    status = json.loads(catsweep("status", *options, "--json").out)
    assert status["search"] | {"best": None} == {
        "num_cells": 4,
        "sampler": "tpe",
        "metric": "test_neg_elbo",
        "trials_asked": 3,
        "trials_done": 3,
        "complete": 3,
        "diverged": 0,
        "pruned": 0,
        "failed": 0,
        "best": None,
    }
    best_cell, _, best_value = min(outcomes, key=lambda outcome: outcome[2] or 0)
    assert (status["search"]["best"]["cell"], status["search"]["best"]["value"]) == (best_cell, best_value)
    assert [cell["done"] for cell in status["cells"]] == [1, 1, 1]
    table = json.loads(catsweep("tables", *options, "--format", "json").out)
    assert sorted(row["cell"] for row in table) == sorted(stored)

    again = catsweep("run", *options)
    assert "0 members finished" in again.err
    assert search.outcomes() == outcomes


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_search_goes_on_as_if_nothing_had_happened(search_in: Any) -> None:
    """Cells come one after the other, so that the whole search is reproducible: cells, values and epochs."""
    options = {"search": "kind: optuna, trials: 3, concurrency: 1", "epochs": 4, "seeds": 2}
    whole: Search = search_in("whole", **options)
    whole.run("run")
    killed: Search = search_in("killed", **options)
    kill_in_the_middle(killed)
    finished_before = killed.finished()
    again = killed.run("run")

    assert finished_before
    assert "1 done before" in again.stderr
    assert [trial.user_attrs[CELL] for trial in killed.trials()] == [
        trial.user_attrs[CELL] for trial in whole.trials()
    ]
    assert killed.outcomes() == whole.outcomes()
    assert finished_before.items() <= killed.finished().items()
    assert set(Counter(killed.rows(METRIC_ROWS)).values()) == {1}
    assert len(killed.rows(METRIC_ROWS)) == len(whole.rows(METRIC_ROWS))
    assert killed.unfinished() == []
    assert "0 members finished" in killed.run("run").stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_a_search_gave_up_is_left_by_it_and_finished_by_a_grid(search_in: Any) -> None:
    options = {"epochs": 3, "seeds": 2}
    search: Search = search_in("home", f"kind: optuna, trials: 4, concurrency: 1, {STOPPING}", **options)
    search.run("run")
    pruned = [trial for trial in search.trials() if PRUNED in trial.user_attrs]
    assert pruned
    stored = search.stored()
    for trial in pruned:
        assert trial.state is TrialState.PRUNED
        assert sorted(trial.intermediate_values) == list(range(1, trial.user_attrs[PRUNED] + 1))
        for member in stored[trial.user_attrs[CELL]]:
            assert (member.status, member.pruned) == ("KILLED", trial.user_attrs[PRUNED])
            assert member.result is None
    assert len(search.unfinished()) == len(pruned)
    outcomes = search.outcomes()
    assert "0 members finished" in search.run("run").stderr
    assert search.outcomes() == outcomes
    rows = json.loads(search.run("status", "--json").stdout)["totals"]
    assert (rows["pruned"], rows["done"]) == (2 * len(pruned), 2 * (4 - len(pruned)))

    grid: Search = search_in("home", "kind: grid", name="grid", **options)
    assert f"{2 * len(pruned)} members finished" in grid.run("run").stderr
    assert all(
        member.is_finished and member.pruned is None
        for members in grid.stored().values()
        for member in members
    )
    assert set(Counter(grid.rows(METRIC_ROWS)).values()) == {1}
    assert grid.unfinished() == []
    assert "0 members finished" in search.run("run").stderr
