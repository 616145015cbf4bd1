"""Early stopping: Ray Tune's own asynchronous successive halving, told the scores of packs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.result import DEFAULT_METRIC
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from sweep.search.scores import epoch_score
from sweep.spec.sweep_spec import EarlyStopping
from trainables.pack_trainable import RECORDS
from trainables.training.epochs import EpochRecord

_EPOCH = "epoch"


class PackHalving(ASHAScheduler):  # type: ignore[misc]
    """Gives up packs whose score after some epoch is not among the best that others had after as many.

    A score is the mean of a metric over the pack's members, lowest best. A pack in which a member diverged is
    never given up: its cell is out of the search, but its other members train to the end, as in a grid.

    Args:
        stopping: When packs are compared and how many go on.
        metric: The metric.
        epochs: The last epoch.
    """

    def __init__(self, stopping: EarlyStopping, metric: str, epochs: int) -> None:
        # Tune requires a named metric in every result; the default one it does not look for.
        super().__init__(
            time_attr=_EPOCH,
            metric=DEFAULT_METRIC,
            mode="min",
            max_t=epochs,
            grace_period=stopping.grace_epochs,
            reduction_factor=stopping.reduction_factor,
        )
        self._pack_metric = metric

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: Mapping[str, Any]) -> str:
        """Compare what the newest epoch gave; the first result after a restart has those before it too.

        Those have been decided about: the pack went on. They count in the comparisons of others.
        """
        decision = str(TrialScheduler.CONTINUE)
        for state in result.get(RECORDS, ()):
            record = EpochRecord.from_state(state)
            score = epoch_score(record, self._pack_metric)
            decision = (
                self._compare(tune_controller, trial, record.epoch, score)
                if score is not None
                else str(TrialScheduler.CONTINUE)
            )
        return decision

    def replay(self, histories: Iterable[Mapping[int, float]]) -> None:
        """Take note of what packs of earlier runs scored.

        Args:
            histories: The scores of each by epoch.
        """
        for number, history in enumerate(histories):
            trial = SimpleNamespace(trial_id=f"earlier-{number}")  # all that the scheduler looks at
            self.on_trial_add(None, trial)
            for epoch, score in sorted(history.items()):
                self._compare(None, trial, epoch, score)
            self.on_trial_remove(None, trial)

    def _compare(self, tune_controller: Any, trial: Any, epoch: int, score: float) -> str:
        result = {_EPOCH: epoch, DEFAULT_METRIC: score}
        return str(super().on_trial_result(tune_controller, trial, result))
