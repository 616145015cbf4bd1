from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from optuna.trial import TrialState
from ray.tune.search import Searcher

from sweep.search.searcher import CellSearcher
from tests.sweep.search.samples import Lab, records_of
from trainables.pack import Pack
from trainables.pack_trainable import PACK, RECORDS

MakeLab = Callable[..., Lab]


def searcher_of(lab: Lab) -> CellSearcher:
    return CellSearcher(lab.open(), lambda pack: {"members": pack.to_params()})


def result_of(searcher: CellSearcher, trial: str, *epochs: int) -> dict[str, Any]:
    job = searcher._jobs[trial]
    return {RECORDS: [records_of(job, epoch).to_state() for epoch in epochs]}


def test_a_suggestion_is_the_config_of_a_cell_s_pack(lab: MakeLab) -> None:
    small = lab(trials=1)
    searcher = searcher_of(small)
    config = searcher.suggest("a")
    assert isinstance(config, dict)
    pack = Pack.from_params(config[PACK]["members"])
    assert [member.seed for member in pack.members] == [0, 1]
    assert searcher.suggest("b") == Searcher.FINISHED


def test_the_last_epoch_comes_with_the_end_alone(lab: MakeLab) -> None:
    small = lab(trials=1)
    searcher = searcher_of(small)
    searcher.suggest("a")
    searcher.on_trial_result("a", result_of(searcher, "a", 1))
    searcher.on_trial_complete("a", result_of(searcher, "a", 2))
    (trial,) = small.trials()
    assert trial.state is TrialState.COMPLETE
    assert sorted(trial.intermediate_values) == [1, 2]


def test_an_error_is_told_as_a_failure_and_an_end_without_a_result_not_at_all(lab: MakeLab) -> None:
    small = lab(trials=2)
    searcher = searcher_of(small)
    searcher.suggest("failing")
    searcher.suggest("stopped by the user")
    searcher.on_trial_complete("failing", error=True)
    searcher.on_trial_complete("stopped by the user")
    assert [trial.state for trial in small.trials()] == [TrialState.FAIL, TrialState.RUNNING]


def test_tune_may_pickle_and_save_the_searcher(lab: MakeLab, tmp_path: Any) -> None:
    searcher = searcher_of(lab())
    assert isinstance(pickle.loads(pickle.dumps(searcher)), CellSearcher)
    searcher.save_to_dir(str(tmp_path))
    assert not list(tmp_path.glob("searcher-state*"))
