"""The study of a search in Optuna: one trial for each cell that is tried, asked for and told.

A study's name is the sweep's, with a hash of all that its values depend on: the space, the metric, the seeds
and the early stopping. A spec that changes one of them has another study, which learns from the store what
has finished; more trials, another sampler or another seed of the sampler go on with the same one.

Which cell is suggested depends on the sampler's seed, the number of the trial and what had been told before,
and on nothing in memory: a study whose driver was killed goes on to suggest what it would have suggested.

A suggestion that repeats a cell of the study is no trial: it is told as failed, which samplers do not learn
from, with the user attribute `repeats`, and the untried cell that differs from it in the fewest choices is
tried instead. So a study has never more cells than the spec allows trials, and ends where the space does.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import StorageInternalError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from sweep.search.scores import Fate, Verdict
from sweep.search.space import SearchSpace
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoreError
from trainables.error_reason import reason_of

AWAY = (StorageInternalError, SQLAlchemyError)
"""What is raised while a study's database does not answer."""
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries while the study's database does not answer."""

CELL = "cell"
"""User attribute of a trial: hash of its cell."""
REPEATS = "repeats"
"""User attribute of a suggestion that is no trial: number of the trial of the same cell."""
PRUNED = "pruned"
"""User attribute of a trial that was stopped early: the epoch."""

_SAMPLERS = {"tpe": TPESampler, "random": RandomSampler}
_log = logging.getLogger(__name__)

_FATES = {TrialState.COMPLETE: Fate.COMPLETE, TrialState.FAIL: Fate.FAILED}
_STATES = {Fate.DIVERGED: TrialState.PRUNED, Fate.PRUNED: TrialState.PRUNED, Fate.FAILED: TrialState.FAIL}


@dataclass(frozen=True)
class CellTrial:
    """A cell that a study has tried.

    Args:
        number: Optuna's number of the trial.
        cell: Hash of the cell.
        verdict: What became of it; none while it is in training.
        is_told: Whether Optuna knows.
        scores: Mean of the metric over the seeds by epoch, as far as reported.
    """

    number: int
    cell: str
    verdict: Verdict | None = None
    is_told: bool = False
    scores: Mapping[int, float] = field(default_factory=dict)


def study_name(spec: Spec, space: SearchSpace) -> str:
    """Return the name of a spec's study: the sweep's, and a hash of what its values depend on."""
    stopping = spec.search.early_stopping
    parts = [
        space.description(),
        spec.search.metric,
        sorted(spec.seeds),
        stopping.model_dump() if stopping is not None else None,
    ]
    return f"{spec.name}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]}"


_Answer = TypeVar("_Answer")


class Study:
    """Asks Optuna for cells and tells it what became of them.

    Args:
        spec: The spec.
        space: Its space.
        storage: Where studies are kept.
        is_made: Whether the study is made where there is none yet.

    Raises:
        KeyError: If there is none and it is not to be made.
        StoreError: By any method but `report`, if the database does not answer for some time.
    """

    def __init__(self, spec: Spec, space: SearchSpace, storage: RDBStorage, *, is_made: bool = True) -> None:
        self._search = spec.search
        self._space = space
        self._open: dict[int, Trial] = {}
        self._reported: dict[int, set[int]] = {}
        self.name = study_name(spec, space)
        if is_made:
            self._study = optuna.create_study(storage=storage, study_name=self.name, load_if_exists=True)
        else:
            self._study = optuna.load_study(storage=storage, study_name=self.name)

    @property
    def num_allowed(self) -> int:
        """How many cells may be tried: the spec's trials, or the whole space where that is less."""
        return min(self._search.num_trials, len(self._space))

    def tried(self) -> dict[str, CellTrial]:
        """Return what has been tried by cell hash, the last trial of each cell, in the order of the first."""
        return self._patiently(self._tried)

    def ask(self) -> CellTrial | None:
        """Return a cell that has not been tried, or none where no more may be or none is left."""
        return self._patiently(self._ask)

    def ask_for(self, cell: str) -> CellTrial:
        """Return a new trial of a cell that no sampler chose."""
        return self._patiently(lambda: self._ask_for(cell))

    def report(self, number: int, epoch: int, score: float) -> None:
        """Note the mean over the seeds after an epoch; to note it again changes nothing.

        A score that the database does not take is lost: it is for people and for samplers, not for results.
        """
        try:
            if number not in self._reported:
                self._reported[number] = set(self._trials()[number].intermediate_values)
            if epoch not in self._reported[number]:
                self._trial(number).report(score, epoch)
                self._reported[number].add(epoch)
        except AWAY as error:
            _log.warning("study %s does not take a score: %s", self.name, reason_of(error))

    def tell(self, number: int, verdict: Verdict) -> None:
        """Tell what became of a trial's cell; to tell it again changes nothing."""
        self._patiently(lambda: self._tell(number, verdict))

    def drop_halves(self) -> None:
        """Tell as failed what a killed driver had asked for and not yet come to a cell with."""
        for trial in self._patiently(self._trials):
            if trial.state is TrialState.RUNNING and CELL not in trial.user_attrs:
                self.tell(trial.number, Verdict(Fate.FAILED))

    def _tried(self) -> dict[str, CellTrial]:
        return _by_cell(self._trials())

    def _ask(self) -> CellTrial | None:
        trials = self._trials()
        tried = _by_cell(trials)
        if len(tried) >= self.num_allowed:
            return None
        num_asked = sum(not {CELL, REPEATS}.isdisjoint(trial.user_attrs) for trial in trials)
        self._study.sampler = self._sampler(num_asked)
        trial = self._study.ask()
        cell, params = self._space.choose(trial.suggest_categorical)
        if cell not in tried:
            trial.set_user_attr(CELL, cell)
            return CellTrial(trial.number, cell)
        untried = [other for other in self._space.requests if other not in tried]
        nearest = self._ask_for(self._space.nearest(params, untried))
        trial.set_user_attr(REPEATS, tried[cell].number)
        self._study.tell(trial, state=TrialState.FAIL)
        return nearest

    def _ask_for(self, cell: str) -> CellTrial:
        params = self._space.params_of(cell)
        choices: dict[str, BaseDistribution] = {}

        def take(name: str, values: Sequence[str]) -> str:
            choices[name] = CategoricalDistribution(values)
            return params[name]

        self._space.choose(take)
        self._study.add_trial(
            optuna.create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=choices,
                user_attrs={CELL: cell},
            )
        )
        return CellTrial(self._trials()[-1].number, cell)

    def _tell(self, number: int, verdict: Verdict) -> None:
        if self._trials()[number].state.is_finished():
            return
        trial = self._trial(number)
        if verdict.fate is Fate.COMPLETE:
            self._study.tell(trial, verdict.value)
            return
        if verdict.fate is Fate.PRUNED:
            trial.set_user_attr(PRUNED, verdict.epoch)
        self._study.tell(trial, state=_STATES[verdict.fate])

    def _patiently(self, call: Callable[[], _Answer]) -> _Answer:
        """Call again while the database is away, and in the end raise a StoreError."""
        for pause in PAUSES:
            with suppress(*AWAY):
                return call()
            time.sleep(pause)
        try:
            return call()
        except AWAY as error:
            raise StoreError(
                f"study {self.name} cannot be reached ({reason_of(error)}); run the same command again "
                f"once its database answers"
            ) from None

    def _sampler(self, number: int) -> BaseSampler:
        digest = hashlib.sha256(f"{self._search.seed}/{number}".encode()).digest()
        sampler: BaseSampler = _SAMPLERS[self._search.sampler](seed=int.from_bytes(digest[:4], "big"))
        return sampler

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _trial(self, number: int) -> Trial:
        if number not in self._open:
            self._open[number] = Trial(self._study, self._trials()[number]._trial_id)
        return self._open[number]


def _by_cell(trials: Sequence[FrozenTrial]) -> dict[str, CellTrial]:
    return {trial.user_attrs[CELL]: _cell_trial(trial) for trial in trials if CELL in trial.user_attrs}


def _cell_trial(trial: FrozenTrial) -> CellTrial:
    return CellTrial(
        number=trial.number,
        cell=trial.user_attrs[CELL],
        verdict=_verdict(trial),
        is_told=trial.state.is_finished(),
        scores=dict(sorted(trial.intermediate_values.items())),
    )


def _verdict(trial: FrozenTrial) -> Verdict | None:
    if PRUNED in trial.user_attrs:  # set before it is told, so that a kill in between is seen
        return Verdict(Fate.PRUNED, epoch=trial.user_attrs[PRUNED])
    if not trial.state.is_finished():
        return None
    if trial.state is TrialState.PRUNED:
        return Verdict(Fate.DIVERGED)
    return Verdict(_FATES[trial.state], trial.value)
