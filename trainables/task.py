"""What a task is: all that a spec, a pack, a table and a figure must know of it, and what trains its packs.

A task is a file with its trainer and its record, `TASK`. Specs and analysis read the record where torch is
not installed: a trainer imports it, and what needs it, in its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from estimators import registry
from estimators.hyperparameter import NUM_SAMPLES, Hyperparameter
from trainables.models.network_sizes import Architecture
from trainables.schema.metrics import Metric, names_of


class Stated(Enum):
    """How a spec states a key for which a task has no default."""

    REQUIRED = "required"
    OPTIONAL = "optional"


REQUIRED, OPTIONAL = Stated.REQUIRED, Stated.OPTIONAL

Keys = Mapping[str, object]
"""Keys of a spec with their defaults, `REQUIRED` where there is none, or `OPTIONAL` where none is needed."""


@dataclass(frozen=True)
class Figure:
    """A figure that is drawn of a task's cells where none is asked for.

    Args:
        metrics: A panel each.
        against: "epoch", "iteration" or "seconds"; or "estimator", for bars of two metrics.
    """

    metrics: tuple[str, ...]
    against: str = "epoch"


@dataclass(frozen=True)
class Task:
    """What is done with a cell.

    Args:
        name: Its name in specs and in the store.
        trainer: A class that derives from `trainables.training.trainer.Trainer`, made of a pack, its data
            (none for a task without data sets) and a device.
        epoch_metrics: What a member logs after every epoch. An epoch is what lies between two checkpoints,
            and the step of the store: a pass over the training images, or, without images, whatever the task
            makes of it.
        headline: The metric that a table shows where none is asked for.
        progress: The metric that is shown while packs train.
        keys: What a spec of it may state besides name, task, seeds, grid and resources. Any other key is
            refused.
        measure_keys: The same for the keys of `measure`, where the task takes it.
        block_keys: The same for a block's keys besides estimator, latent, the estimator's hyperparameters
            and the note; a default is a list of values, as a block's are.
        free_params: What members of one pack may differ in; everything else they share.
        free_on_gpu: What they may differ in besides, where packs had better be large.
        num_parameters: Maps the params of a member to how many numbers its model's parameters take.
        datasets: The data sets that it can be done with, and users' own besides; none where it needs no
            images.
        image_shape: Height and width that images must have; none means any.
        num_classes: How many classes labels are of, from 0 on; none where they do not matter.
        architecture: The networks of a member whose params state nothing of them; none where none can.
        fixed: Values of keys that no spec of it need state.
        measured_metrics: What a member logs besides, after the epochs at which gradients are measured.
        search_metrics: Metrics that a search may seek the lowest mean of; none where there is no searching.
        least_draws: Fewest estimates of a gradient that it measures by.
        trains_one_model: Whether the members of a pack share one model, in whose training they are judged.
        categorical_dim: How many categories its variables have; none means any number.
        is_differentiable: Whether f has a gradient with respect to the samples; where it has none, only
            estimators that evaluate it at one-hot samples alone can train.
        max_states: Most states C^L, where they are enumerated for exact gradients; none means any.
        has_image_per_variable: Whether an example has an image for each variable, and not one.
        table_metrics: What tables show beside the headline where nothing is asked for.
        draws_pictures: Whether a member ends with a picture of what it has learned.
        averages_draws: Whether a pathwise estimator averages over `num_samples` draws here.
        comparable_params: Params that cells must share to be ranked, besides those that all must.
        version: A param of every member, which goes up when a change alters a task's numbers; none is 1, and
            of a user's task a number that its content gives.
        label_params: Params that are part of every row's name, since they are an estimator's budget.
        figures: What is drawn where nothing is asked for and no hyperparameter is varied; where empty, what
            is varied decides first.
    Raises:
        ValueError: If what is stated does not go together.
    """

    name: str
    trainer: Callable[..., Any]
    epoch_metrics: tuple[Metric, ...]
    headline: str
    progress: str
    keys: Keys
    block_keys: Keys = field(default_factory=dict)
    measure_keys: Keys = field(default_factory=dict)
    free_params: frozenset[str] = frozenset({"seed"})
    free_on_gpu: frozenset[str] = frozenset()
    num_parameters: Callable[[Mapping[str, str]], int] = lambda _params: 0
    datasets: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    num_classes: int | None = None
    architecture: Architecture | None = None
    fixed: Mapping[str, object] = field(default_factory=dict)
    measured_metrics: tuple[Metric, ...] = ()
    search_metrics: tuple[str, ...] = ()
    least_draws: int = 1
    trains_one_model: bool = False
    categorical_dim: int | None = None
    is_differentiable: bool = True
    max_states: int | None = None
    has_image_per_variable: bool = False
    table_metrics: tuple[str, ...] = ()
    draws_pictures: bool = False
    averages_draws: bool = False
    comparable_params: tuple[str, ...] = ()
    label_params: tuple[str, ...] = ()
    version: int | None = None
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        shown = {
            *self.default_tables,
            *self.search_metrics,
            *(name for one in self.figures for name in one.metrics),
        }
        defaults = [value for value in self.block_keys.values() if not isinstance(value, Stated)]
        rules = {
            f"must log what it shows, {', '.join(sorted(shown - {*self.metrics}))} too": shown
            <= {*self.metrics},
            "must log its progress after every epoch": self.progress in names_of(*self.epoch_metrics),
            "must not select by a metric of a test set": not any(
                name.startswith("test_") for name in self.selection_metrics
            ),
            "must have epochs either among its keys or fixed": ("epochs" in self.keys)
            != ("epochs" in self.fixed),
            "must have the key dataset if it has data sets": ("dataset" in self.keys) == bool(self.datasets),
            "must have the key measure if it has keys of it": ("measure" in self.keys)
            == bool(self.measure_keys),
            "must have lists as defaults of a block's keys": all(isinstance(one, list) for one in defaults),
        }
        for rule, is_kept in rules.items():
            if not is_kept:
                raise ValueError(f"task {self.name} {rule}")

    def can_train_with(self, estimator: str) -> bool:
        """Say whether f is all that an estimator needs it to be."""
        own = registry.get(estimator)
        return self.is_differentiable or (own.needs_objective and not own.relaxes_samples)

    @property
    def records(self) -> tuple[Metric, ...]:
        """All that its members log."""
        return (*self.epoch_metrics, *self.measured_metrics)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all that its members log."""
        return names_of(*self.records)

    @property
    def default_tables(self) -> tuple[str, ...]:
        """The metrics that tables show where none is asked for."""
        return (self.headline, *self.table_metrics)

    @property
    def tests_every_epoch(self) -> bool:
        """Whether an epoch, and so its seconds, holds a pass over test images besides that of training."""
        return bool(self.datasets)

    @property
    def selection_metrics(self) -> tuple[str, ...]:
        """The metrics that cells may be chosen by; the first is the one where none is asked for."""
        return names_of(*(metric for metric in self.records if metric.may_select))

    def has_few_enough_states(self, categorical_dim: int, latent_dim: int) -> bool:
        """Say whether L variables of C categories have at most `max_states` states C^L."""
        return registry.has_few_enough_states(categorical_dim, latent_dim, self.max_states)

    def hyperparameters_of(self, estimator: str) -> tuple[Hyperparameter, ...]:
        """Return an estimator's hyperparameters here: with the number of draws that are averaged.

        Raises:
            ValueError: If there is no such estimator.
        """
        own = registry.get(estimator).hyperparameters
        is_added = self.averages_draws and NUM_SAMPLES.name not in {one.name for one in own}
        return (*own, NUM_SAMPLES) if is_added and registry.get(estimator).is_random else own
