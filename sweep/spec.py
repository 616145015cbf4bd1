"""The spec: what a sweep declares, and the cells that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

import estimators
from estimators.hyperparameter import TEMPERATURE
from sweep.spec_block import Block, SpecModel
from sweep.spec_values import (
    BatchSize,
    Concurrency,
    Cpus,
    Dataset,
    Epochs,
    EstimatorName,
    Gpus,
    GraceEpochs,
    MeasuredEpochs,
    NumDraws,
    PackSize,
    Precision,
    ReductionFactor,
    Sampler,
    SamplerSeed,
    SearchKind,
    SearchMetric,
    Seeds,
    SpecValueError,
    StoppingKind,
    SweepName,
    Task,
    Temperature,
    Trials,
)
from trainables.schema import DEFAULTS, GRADIENT_QUALITY, MNIST_VAE, Cell, CellRequest


class Measure(SpecModel):
    """How the task `gradient_quality` judges the grid's estimators: after which epochs of whose training.

    The model is trained by `trained_with`, at `trained_temperature` where that takes a temperature; every
    estimator's gradient is drawn `draws` times.
    """

    epochs: MeasuredEpochs
    draws: NumDraws = 1024
    trained_with: EstimatorName = "reinmax"
    trained_temperature: Temperature | None = None

    @field_validator("trained_temperature")
    @classmethod
    def _is_taken(cls, temperature: float | None, info: ValidationInfo) -> float | None:
        name = info.data.get("trained_with")
        if name and temperature is not None and not _takes_temperature(name):
            raise SpecValueError(f"trained_temperature must be left out: {name} takes none", temperature)
        return temperature

    def params(self) -> dict[str, object]:
        """Return what it adds to the params of a cell."""
        temperature = TEMPERATURE.default if self.trained_temperature is None else self.trained_temperature
        return {
            "trained_with": self.trained_with,
            "trained_temperature": temperature if _takes_temperature(self.trained_with) else None,
            "measured_epochs": ",".join(map(str, self.epochs)),
            "num_draws": self.draws,
        }


def _takes_temperature(estimator: str) -> bool:
    return TEMPERATURE in estimators.get(estimator).hyperparameters


class EarlyStopping(SpecModel):
    """Successive halving (ASHA): cells that do badly are given up before their last epoch.

    Cells are compared after `grace_epochs`, and then each time that the epochs have grown by the factor; of
    those that got so far, about one in `reduction_factor` goes on.
    """

    kind: StoppingKind
    grace_epochs: GraceEpochs
    reduction_factor: ReductionFactor = 3


class Search(SpecModel):
    """How the grid is walked through: every cell of it (grid), or cells that a sampler chooses (optuna).

    With optuna the grid's blocks declare the space, of which `trials` cells are tried. Sought is the one with
    the lowest mean of `metric` over the seeds at the last epoch. `seed` is the sampler's.
    """

    kind: SearchKind = "grid"
    sampler: Sampler = "tpe"
    trials: Trials | None = None
    metric: SearchMetric = "train_neg_elbo"
    seed: SamplerSeed = 0
    concurrency: Concurrency = None
    early_stopping: EarlyStopping | None = None

    @property
    def is_grid(self) -> bool:
        """Whether every cell is trained."""
        return self.kind == "grid"

    @property
    def num_trials(self) -> int:
        """How many cells a search may try; of a grid none are searched for."""
        return self.trials or 0

    @field_validator("sampler", "trials", "metric", "seed", "concurrency", "early_stopping", mode="before")
    @classmethod
    def _belongs_to_optuna(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("kind") == "grid":
            raise SpecValueError(f"{info.field_name} must be left out where search.kind is grid", value)
        return value

    @model_validator(mode="after")
    def _says_how_many(self) -> Search:
        if not self.is_grid and self.trials is None:
            rule = "trials must be an integer >= 1 where search.kind is optuna"
            raise SpecValueError(rule, self.trials)
        return self


class Resources(SpecModel):
    """What a pack gets, and the most members that it has (`members_per_pack`; None stands for "auto")."""

    cpus: Cpus = 1
    gpus: Gpus = 0.0
    members_per_pack: PackSize = None

    @property
    def is_pack_size_measured(self) -> bool:
        """Whether the best number of members per pack is to be found by measuring; on a CPU it is one."""
        return self.members_per_pack is None and self.gpus > 0


class Spec(SpecModel):
    """A sweep as declared: cells of the grid, all of them or those that a search chooses, with every seed."""

    name: SweepName
    task: Task = MNIST_VAE
    dataset: Dataset = "mnist"
    epochs: Epochs
    batch_size: BatchSize = 100
    seeds: Seeds
    precision: Precision = DEFAULTS["precision"]
    measure: Measure | None = Field(default=None, validate_default=True)
    grid: Annotated[list[Block], Field(min_length=1)]
    search: Search = Search()
    resources: Resources = Resources()

    @field_validator("measure")
    @classmethod
    def _belongs_to_the_task(cls, measure: Measure | None, info: ValidationInfo) -> Measure | None:
        task, epochs = info.data.get("task"), info.data.get("epochs")
        if task is not None and (measure is None) == (task == GRADIENT_QUALITY):
            rule, stated = ("given", None) if measure is None else ("left out", {"epochs": measure.epochs})
            raise SpecValueError(f"measure must be {rule} where task is {task}", stated)
        if measure is not None and epochs is not None and measure.epochs[-1] != epochs:
            rule = f"epochs to measure after must end with the last, {epochs}"
            raise SpecValueError(rule, list(measure.epochs), place=("epochs",))
        return measure

    @field_validator("grid")
    @classmethod
    def _has_an_exact_gradient(cls, grid: list[Block], info: ValidationInfo) -> list[Block]:
        exact = estimators.get("exact")
        for index, block in enumerate(grid):
            for latent in block.latent if info.data.get("task") == GRADIENT_QUALITY else ():
                if not exact.can_train(*map(int, latent.split("x"))):
                    rule = f"latent must have at most {exact.max_states} states for an exact gradient"
                    raise SpecValueError(rule, latent, place=(index, "latent"))
        return grid

    @field_validator("search")
    @classmethod
    def _fits_the_task(cls, search: Search, info: ValidationInfo) -> Search:
        if not search.is_grid and info.data.get("task") == GRADIENT_QUALITY:
            rule = f"kind must be grid where task is {GRADIENT_QUALITY}"
            raise SpecValueError(rule, search.kind, place=("kind",))
        return search

    @field_validator("search")
    @classmethod
    def _can_stop_early(cls, search: Search, info: ValidationInfo) -> Search:
        epochs, stopping = info.data.get("epochs"), search.early_stopping
        if stopping is not None and epochs is not None and stopping.grace_epochs >= epochs:
            rule = f"early_stopping.grace_epochs must be less than epochs, {epochs}"
            place = ("early_stopping", "grace_epochs")
            raise SpecValueError(rule, stopping.grace_epochs, place=place)
        return search

    @field_validator("resources")
    @classmethod
    def _packs_fit_the_search(cls, resources: Resources, info: ValidationInfo) -> Resources:
        search = info.data.get("search", Search())
        if not search.is_grid and resources.members_per_pack is not None:
            rule = (
                "members_per_pack must be auto where search.kind is optuna: the seeds of a cell are one pack"
            )
            raise SpecValueError(rule, resources.members_per_pack, place=("members_per_pack",))
        return resources

    @property
    def _stated_precision(self) -> dict[str, str]:
        """The precision as a param, where it is not the one that members have anyway."""
        return {} if self.precision == DEFAULTS["precision"] else {"precision": self.precision}

    @model_validator(mode="after")
    def _precision_fits_the_device(self) -> Spec:
        if self.precision == "tf32" and self.resources.gpus == 0:
            rule = "precision must be float32 where resources.gpus is 0"
            raise SpecValueError(rule, self.precision, place=("precision",))
        return self

    def requests(self) -> tuple[CellRequest, ...]:
        """Return the cells in the order of the grid, each once; an ordinary cell wins over a noted one."""
        cells: dict[str, Cell] = {}
        for block in self.grid:
            for cell in self.cells_of(block):
                if cell.hash not in cells or (cells[cell.hash].note and not cell.note):
                    cells[cell.hash] = cell
        return tuple(CellRequest(cell, self.seeds) for cell in cells.values())

    def cells_of(self, block: Block) -> Iterator[Cell]:
        """Yield the cell of each of a block's settings."""
        for setting in block.settings():
            yield Cell.from_params(
                {
                    "task": self.task,
                    "task_version": 1,
                    "dataset": self.dataset,
                    "batch_size": self.batch_size,
                    "epochs": self.epochs,
                    **self._stated_precision,
                    **(self.measure.params() if self.measure else {}),
                    **setting,
                },
                note=block.note,
            )
