"""A pack at work by epochs: what the trainers of all tasks have in common."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainables.training.epochs import STATE_FORMAT, EpochRecord, EpochSeconds, read_history
from trainables.training.generators import generators_of, load_generators

if TYPE_CHECKING:  # a task's record stands beside its trainer, and is read where torch is not installed
    import torch

    from trainables.pack import Pack
    from trainables.training.training_data import TrainingData


class Trainer(ABC):
    """A pack of P members at work by epochs. P = 1 is the ordinary case and runs the same lines.

    A member of which a parameter or any metric is not finite has diverged, and has no metrics from then on.
    Every member has generators of its own, so that its numbers do not depend on who else is in the pack.

    A subclass makes what it trains (`_start`), does an epoch (`_run`), and says what it goes on from
    (`_kept`).

    Args:
        pack: The members; their params settle everything about the results.
        data: Images and labels; none where the task needs none.
        device: Where to train.

    Attributes:
        history: A record for each epoch done.
        parameters: Every parameter of each member, shape (P, ...), or of the one model that all share,
            (1, ...).
    """

    parameters: torch.Tensor

    def __init__(
        self, pack: Pack, data: TrainingData | None = None, device: str | torch.device = "cpu"
    ) -> None:
        import torch

        self.pack = pack
        self.history: list[EpochRecord] = []
        self._data = data
        self._device = torch.device(device)
        self._start()

    @property
    def data(self) -> TrainingData:
        """The images and labels.

        Raises:
            ValueError: If there are none.
        """
        if self._data is None:
            raise ValueError(f"a pack of task {self.pack.task.name} must be given its data, got None")
        return self._data

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.history)

    @property
    def is_finished(self) -> bool:
        """Whether every epoch is done, or every member has diverged."""
        if self.epoch >= self.pack.epochs:
            return True
        return bool(self.history) and all(epoch is not None for epoch in self.history[-1].diverged)

    def run_epoch(self) -> EpochRecord:
        """Do an epoch, and return (and keep) its record."""
        previous = self.history[-1].diverged if self.history else (None,) * len(self.pack)
        values, epoch = self._run(), self.epoch + 1
        # NaN logits draw a category like any others: a loss may be finite where the parameters are not.
        of_models = self.parameters.flatten(1).isfinite().all(1).expand(len(self.pack)).tolist()
        diverged = [
            before or (None if is_finite and one and all(map(math.isfinite, one.values())) else epoch)
            for before, is_finite, one in zip(previous, of_models, values, strict=True)
        ]
        metrics = tuple(one if end is None else None for one, end in zip(values, diverged, strict=True))
        record = EpochRecord(epoch, time.time_ns() // 1_000_000, metrics, tuple(diverged))
        self.history.append(record)
        return record

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds; keeps no record."""
        start = time.perf_counter()
        self._run()
        return EpochSeconds(0.0, 0.0, time.perf_counter() - start)

    def pictures(self) -> list[bytes | None]:
        """Return a PNG of what each member has learned; none where there is nothing to be seen."""
        return [None] * len(self.pack)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from, tensors and plain containers only."""
        return {
            "format": STATE_FORMAT,
            "members": [member.hash for member in self.pack.members],
            "history": [record.to_state() for record in self.history],
            **{name: _state_of(part) for name, part in self._kept().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is of another format, belongs to other members, or is laid out otherwise,
                as one of another device is; nothing of it has been taken over then.
        """
        history = read_history(state, self.pack)
        self._check(state, len(history))
        for name, part in self._kept().items():
            _load(part, state[name])
        self.history = history

    def _generators(self, stream: str) -> list[torch.Generator]:
        """Return a generator for each member, of one of its random streams."""
        return generators_of(self.pack, stream, self._device)

    @abstractmethod
    def _start(self) -> None:
        """Make what is trained, and set `parameters`."""

    @abstractmethod
    def _run(self) -> Sequence[Mapping[str, float] | None]:
        """Do an epoch; return the metrics of each member, or none of one that has nothing finite to show."""

    @abstractmethod
    def _kept(self) -> Mapping[str, Any]:
        """Return by name what training goes on from, as it is now.

        Tensors, lists of generators, and what has a `state_dict`; and counts of what the records tell too.
        """

    def _check(self, state: Mapping[str, Any], epochs: int) -> None:
        """Refuse a state of so many epochs that is laid out otherwise."""
        from trainables.training.state_layout import check_layout

        check_layout({**state, "history": []}, {**self.state_dict(), "history": []})
        if state.get("epoch", epochs) != epochs:
            raise ValueError(f"the state must have {state['epoch']} records, one an epoch, got {epochs}")


def _state_of(part: Any) -> Any:
    if hasattr(part, "state_dict"):
        return part.state_dict()
    return [generator.get_state() for generator in part] if isinstance(part, list) else part


def _load(part: Any, state: Any) -> None:
    """Take over a part of a state; a count follows from the records."""
    if hasattr(part, "load_state_dict"):
        part.load_state_dict(state)
    elif isinstance(part, list):
        load_generators(part, state)
    elif not isinstance(part, int):
        part.copy_(state)
