from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import TrialScheduler

from sweep.search.halving import PackHalving
from sweep.spec.sweep_spec import EarlyStopping
from tests.sweep.samples import record
from trainables.pack_trainable import RECORDS

METRIC = "train_neg_elbo"
CONTINUE, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP


def halving(grace_epochs: int = 2, reduction_factor: int = 2, epochs: int = 9) -> PackHalving:
    stopping = EarlyStopping(kind="asha", grace_epochs=grace_epochs, reduction_factor=reduction_factor)
    return PackHalving(stopping, METRIC, epochs)


class Packs:
    """Packs that report to a scheduler; each seed of a pack ends a nat apart from the next."""

    def __init__(self, scheduler: PackHalving) -> None:
        self.scheduler = scheduler
        self.trials: dict[str, Any] = {}

    def report(self, pack: str, *values: float | None, epochs: tuple[int, ...]) -> str:
        if pack not in self.trials:
            self.trials[pack] = SimpleNamespace(trial_id=pack)
            self.scheduler.on_trial_add(None, self.trials[pack])
        states = [record(epoch, *values).to_state() for epoch in epochs]
        return self.scheduler.on_trial_result(None, self.trials[pack], {RECORDS: states})


def test_of_packs_as_old_the_worse_ones_are_given_up() -> None:
    packs = Packs(halving())
    assert packs.report("good", 100.0, 102.0, epochs=(1,)) == CONTINUE
    assert packs.report("good", 100.0, 102.0, epochs=(2,)) == CONTINUE
    assert packs.report("bad", 200.0, 202.0, epochs=(1,)) == CONTINUE  # within its grace
    assert packs.report("bad", 200.0, 202.0, epochs=(2,)) == STOP
    assert packs.report("better", 90.0, 92.0, epochs=(2,)) == CONTINUE


def test_the_mean_over_the_pack_is_what_counts() -> None:
    packs = Packs(halving())
    packs.report("even", 100.0, 100.0, epochs=(2,))
    assert packs.report("one good seed, mean 110", 90.0, 130.0, epochs=(2,)) == STOP
    assert packs.report("one bad seed, mean 90", 120.0, 60.0, epochs=(2,)) == CONTINUE


def test_packs_are_compared_again_when_they_have_grown_by_the_factor() -> None:
    packs = Packs(halving(grace_epochs=2, reduction_factor=2, epochs=9))
    packs.report("first", 100.0, epochs=(2, 3, 4))
    assert packs.report("second", 99.0, epochs=(2,)) == CONTINUE
    assert packs.report("second", 120.0, epochs=(3,)) == CONTINUE
    assert packs.report("second", 120.0, epochs=(4,)) == STOP


def test_a_pack_in_which_a_member_has_diverged_is_never_given_up() -> None:
    packs = Packs(halving())
    packs.report("good", 100.0, 100.0, epochs=(2,))
    assert packs.report("diverged", None, 500.0, epochs=(2, 3, 4)) == CONTINUE
    assert packs.report("bad", 110.0, 110.0, epochs=(2,)) == STOP  # and does not count in the comparison


def test_a_pack_that_has_passed_a_comparison_is_not_judged_again_after_a_restart() -> None:
    """Of packs with 110, 100 and 99 after two epochs the first one went on, and is the best by now."""
    scheduler = halving()
    scheduler.replay([{1: 130.0, 2: 100.0}, {1: 130.0, 2: 99.0}])
    packs = Packs(scheduler)
    states = [record(epoch, value).to_state() for epoch, value in ((1, 130.0), (2, 110.0), (3, 80.0))]
    packs.trials["went on"] = SimpleNamespace(trial_id="went on")
    scheduler.on_trial_add(None, packs.trials["went on"])
    assert scheduler.on_trial_result(None, packs.trials["went on"], {RECORDS: states}) == CONTINUE
    assert packs.report("new", 110.0, epochs=(2,)) == STOP


def test_a_pack_in_which_a_member_has_diverged_since_is_not_given_up_after_a_restart() -> None:
    scheduler = halving()
    scheduler.replay([{1: 130.0, 2: 90.0}])
    packs = Packs(scheduler)
    states = [record(2, 500.0, 500.0).to_state(), record(3, None, 500.0).to_state()]
    packs.trials["diverged"] = SimpleNamespace(trial_id="diverged")
    scheduler.on_trial_add(None, packs.trials["diverged"])
    assert scheduler.on_trial_result(None, packs.trials["diverged"], {RECORDS: states}) == CONTINUE


def test_all_epochs_of_a_first_result_count_after_a_restart() -> None:
    packs = Packs(halving())
    assert packs.report("went on", 100.0, epochs=(1, 2, 3)) == CONTINUE
    assert packs.report("new", 110.0, epochs=(2,)) == STOP


def test_what_earlier_runs_scored_is_compared_with() -> None:
    scheduler = halving()
    scheduler.replay([{1: 130.0, 2: 100.0}, {}])
    packs = Packs(scheduler)
    assert packs.report("new", 110.0, epochs=(2,)) == STOP
    forgetful = Packs(halving())
    assert forgetful.report("new", 110.0, epochs=(2,)) == CONTINUE


def test_a_result_without_records_decides_nothing() -> None:
    packs = Packs(halving())
    assert packs.report("good", 100.0, epochs=()) == CONTINUE
