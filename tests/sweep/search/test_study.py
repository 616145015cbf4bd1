from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from sweep.home import Home
from sweep.search import study as study_module
from sweep.search.scores import Fate, Verdict
from sweep.search.space import SearchSpace
from sweep.search.study import CELL, PRUNED, REPEATS, study_name
from sweep.store.store import StoreError
from tests.sweep.samples import spec_of
from tests.sweep.search.samples import GRID, Lab, search_of

MakeLab = Callable[..., Lab]


def name_of(**changes: Any) -> str:
    spec = search_of(**changes)
    return study_name(spec, SearchSpace(spec))


def ask_all(lab: Lab) -> list[str]:
    """Ask for every trial there is, and tell a value that depends on the cell alone."""
    study = lab.study()
    cells = []
    while (trial := study.ask()) is not None:
        cells.append(trial.cell)
        study.tell(trial.number, Verdict(Fate.COMPLETE, float(int(trial.cell, 16) % 97)))
    return cells


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_no_cell_is_tried_twice_and_a_finite_space_ends(sampler: str, lab: MakeLab) -> None:
    small = lab(trials=50, sampler=sampler)
    cells = ask_all(small)
    assert sorted(cells) == sorted(small.space.requests)
    assert len(cells) == 6


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_driver_that_is_killed_while_it_asks_changes_no_later_suggestion(
    sampler: str, tmp_path: Path, empty_study_file: Path
) -> None:
    asked = []
    for place in ("whole", "killed"):
        home = Home.resolve(tmp_path / place)
        home.make_folders()
        small = Lab(search_of(trials=5, sampler=sampler), home, {}, empty_study_file)
        study = small.study()
        first = study.ask()
        assert first is not None
        study.tell(first.number, Verdict(Fate.COMPLETE, 1.0))
        if place == "killed":
            study._study.ask()  # and no more: it has no cell yet
            study.drop_halves()
        asked.append([first.cell, *ask_all(small)])
    assert asked[0] == asked[1]


def test_the_study_has_no_more_cells_than_trials_are_allowed(lab: MakeLab) -> None:
    assert len(ask_all(lab(trials=4))) == 4
    assert ask_all(lab(trials=4)) == []
    assert len(ask_all(lab(trials=5))) == 1  # more trials go on with the same study


def test_a_repeated_suggestion_is_marked_and_teaches_the_sampler_nothing(lab: MakeLab) -> None:
    small = lab(trials=50, sampler="random")
    ask_all(small)
    trials = small.trials()
    first = {trial.user_attrs[CELL]: trial.number for trial in trials if CELL in trial.user_attrs}
    repeats = [trial for trial in trials if REPEATS in trial.user_attrs]
    assert repeats
    assert len(trials) == 6 + len(repeats)
    for trial in repeats:
        assert trial.state is TrialState.FAIL
        cell, _ = small.space.choose(lambda name, values, trial=trial: trial.params[name])
        assert first[cell] == trial.user_attrs[REPEATS] < trial.number


def test_without_the_rule_for_repeats_cells_would_be_tried_twice() -> None:
    """The samplers alone do repeat cells of this space, so that the tests above can fail."""
    space = SearchSpace(search_of())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    cells = [space.choose(study.ask().suggest_categorical)[0] for _ in range(6)]
    assert len(set(cells)) < 6


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_is_the_same_whether_or_not_it_was_interrupted(
    sampler: str, lab: MakeLab, tmp_path: Any
) -> None:
    """TPE only leaves its random start after ten trials, so the space has to be larger than that."""
    wide = {"lr": [0.001, 0.0007, 0.0005, 0.0003], "temperature": [0.5, 0.7, 1.0, 1.3, 1.5]}
    whole = lab(search_of(wide, trials=16, sampler=sampler))
    cells = ask_all(whole)
    whole.forget()
    again = []
    for trials in range(1, 17):  # a new process for every trial
        again += ask_all(lab(search_of(wide, trials=trials, sampler=sampler)))
    assert again == cells


def test_another_seed_of_the_sampler_searches_otherwise(lab: MakeLab) -> None:
    orders = []
    for seed in (0, 0, 1):
        searched = lab(trials=6, seed=seed)
        orders.append(ask_all(searched))
        searched.forget()
    assert orders[0] == orders[1] != orders[2]


def test_tpe_learns_from_what_it_is_told(lab: MakeLab) -> None:
    """One learning rate of five is better by far: after its random start TPE tries that one most of all."""
    grid = {
        "lr": [0.001, 0.0009, 0.0007, 0.0005, 0.0003],
        "temperature": [0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5, 1.7],
    }
    wide = lab(search_of(grid, trials=18))
    study = wide.study()
    lrs = []
    while (trial := study.ask()) is not None:
        lrs.append(wide.space.requests[trial.cell].cell.params["lr"])
        study.tell(trial.number, Verdict(Fate.COMPLETE, 0.0 if lrs[-1] == "0.0005" else 100.0))
    assert lrs[:10].count("0.0005") <= 4
    assert lrs[10:].count("0.0005") >= 4


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "test_neg_elbo"},
        {"epochs": 3},
        {"early_stopping": {"kind": "asha", "grace_epochs": 1}},
    ],
)
def test_a_spec_whose_values_mean_something_else_has_another_study(change: dict[str, Any]) -> None:
    assert name_of(**change) != name_of()


def test_another_space_or_other_seeds_are_another_study() -> None:
    search = {"kind": "optuna", "trials": 4}
    specs = [
        spec_of(GRID, search=search),
        spec_of({**GRID, "optimizer": "radam"}, search=search),
        spec_of(GRID, search=search, seeds=3),
        spec_of(GRID, search=search, name="other"),
    ]
    assert len({study_name(spec, SearchSpace(spec)) for spec in specs}) == 4
    assert study_name(specs[0], SearchSpace(specs[0])).startswith("small-")


@pytest.mark.parametrize("change", [{"trials": 9}, {"sampler": "random"}, {"seed": 3}, {"concurrency": 2}])
def test_how_a_study_is_walked_through_does_not_make_another(change: dict[str, Any]) -> None:
    assert name_of(**change) == name_of()


def test_what_is_told_is_what_optuna_holds(lab: MakeLab) -> None:
    four = lab(trials=4)
    study = four.study()
    trials = [study.ask() for _ in range(4)]
    assert None not in trials
    complete, diverged, pruned, failed = (trial.number for trial in trials if trial is not None)
    study.report(diverged, 1, 110.0)
    study.report(pruned, 1, 120.0)
    study.report(pruned, 1, 999.0)  # to note it again changes nothing
    for number, verdict in (
        (complete, Verdict(Fate.COMPLETE, 101.5)),
        (diverged, Verdict(Fate.DIVERGED)),
        (pruned, Verdict(Fate.PRUNED, epoch=1)),
        (failed, Verdict(Fate.FAILED)),
    ):
        study.tell(number, verdict)
        study.tell(number, verdict)
    told = {trial.number: trial for trial in four.trials()}
    assert (told[complete].state, told[complete].value) == (TrialState.COMPLETE, 101.5)
    assert (told[diverged].state, told[diverged].intermediate_values) == (TrialState.PRUNED, {1: 110.0})
    assert (told[pruned].state, told[pruned].user_attrs[PRUNED]) == (TrialState.PRUNED, 1)
    assert told[pruned].intermediate_values == {1: 120.0}
    assert (told[failed].state, told[failed].value) == (TrialState.FAIL, None)
    fates = [trial.verdict and trial.verdict.fate for trial in four.study().tried().values()]
    assert fates == [Fate.COMPLETE, Fate.DIVERGED, Fate.PRUNED, Fate.FAILED]


def test_a_cell_may_be_asked_for_by_name(lab: MakeLab) -> None:
    small = lab()
    wanted = list(small.space.requests)[3]
    trial = small.study().ask_for(wanted)
    (frozen,) = small.trials()
    assert (frozen.number, frozen.state, frozen.user_attrs) == (
        trial.number,
        TrialState.RUNNING,
        {CELL: wanted},
    )
    assert frozen.params == small.space.params_of(wanted)


def test_a_database_that_is_away_for_a_moment_is_waited_for(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_module, "PAUSES", (0.0, 0.0))
    study = lab().study()
    failures = [OperationalError("select", {}, Exception("away"))] * 2

    def tried() -> dict[str, Any]:
        if failures:
            raise failures.pop()
        return {}

    monkeypatch.setattr(study, "_tried", tried)
    assert study.tried() == {}
    failures += [OperationalError("select", {}, Exception("away"))] * 3
    with pytest.raises(StoreError, match=r"study small-\w+ cannot be reached \(.*away.*run the same command"):
        study.tried()


def test_every_trial_has_draws_of_its_own(lab: MakeLab) -> None:
    """With one seed for all trials the sampler would choose the same cell again and again."""
    wide = {"lr": [0.001, 0.0007, 0.0005, 0.0003], "temperature": [0.5, 0.7, 1.0, 1.3, 1.5, 1.7]}
    small = lab(search_of(wide, trials=8, sampler="random"))
    ask_all(small)
    assert sum(REPEATS in trial.user_attrs for trial in small.trials()) <= 3
