"""The spec: what a sweep declares, and the cells that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

import estimators
from estimators.hyperparameter import TEMPERATURE
from sweep.spec.block import Block, SpecModel
from sweep.spec.limits import MAX_MEMBERS
from sweep.spec.task import check_batch, check_own_data, settled, settled_block, settled_measure
from sweep.spec.values import (
    MISSING,
    BatchSize,
    Concurrency,
    Cpus,
    Dataset,
    Epochs,
    EstimatorName,
    Gpus,
    GraceEpochs,
    IterationsPerEpoch,
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
    TaskName,
    Temperature,
    Trials,
    Used,
)
from trainables.own_data import OWN_DATA
from trainables.schema import DEFAULTS, Cell, CellRequest
from trainables.task_registry import TASKS, takes_temperature
from trainables.tasks.mnist_vae import MNIST_VAE


class Measure(SpecModel):
    """How often a gradient is drawn, and by the task `gradient_quality` after which epochs of whose training.

    There the model is trained by `trained_with`, at `trained_temperature` where that takes a temperature.
    Which of these keys there are, and their defaults, is the task's (`trainables.tasks`).
    """

    epochs: MeasuredEpochs | None = None
    draws: NumDraws | None = None
    trained_with: EstimatorName | None = None
    trained_temperature: Temperature | None = None

    @field_validator("trained_temperature")
    @classmethod
    def _is_taken(cls, temperature: float | None, info: ValidationInfo) -> float | None:
        name = info.data.get("trained_with")
        if name and temperature is not None and not takes_temperature(name):
            raise SpecValueError(f"trained_temperature must be left out: {name} takes none", temperature)
        return temperature

    def params(self) -> dict[str, object]:
        """Return what it adds to the params of a cell."""
        temperature = TEMPERATURE.default if self.trained_temperature is None else self.trained_temperature
        is_annealed = self.trained_with is not None and takes_temperature(self.trained_with)
        return {
            "trained_with": self.trained_with,
            "trained_temperature": temperature if is_annealed else None,
            "measured_epochs": ",".join(map(str, self.epochs)) if self.epochs else None,
            "num_draws": self.draws,
        }


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
    """What a pack gets, and the most members that it has; None stands for "auto".

    `gpus` lists what packs may get, the best first. What is auto there, `sweep.planning.placement` chooses.
    """

    cpus: Cpus = 1
    gpus: Gpus = (None,)
    members_per_pack: PackSize = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be chosen whether packs get GPUs."""
        return None in self.gpus

    @property
    def share(self) -> float:
        """The GPUs of a pack, parts too; none where that is still to be chosen."""
        return self.gpus[0] or 0.0

    @property
    def kinds(self) -> tuple[Resources, ...]:
        """What packs may get, each alone."""
        return tuple(self.with_gpus(share) for share in self.gpus)

    @property
    def best(self) -> Resources:
        """The first of the kinds."""
        return self.kinds[0]

    def with_gpus(self, *shares: float | None) -> Resources:
        """Return the same with other GPUs."""
        return self.model_copy(update={"gpus": shares})

    @property
    def is_pack_size_measured(self) -> bool:
        """Whether the best number of members per pack is to be found by measuring; on a CPU it is one."""
        return self.members_per_pack is None and self.share > 0


_ANY = {"epochs": 1}
"""What stands for a key that is not stated where it is not known whether it must be."""


class Spec(SpecModel):
    """A sweep as declared: cells of the grid, all of them or those that a search chooses, with every seed."""

    name: SweepName
    use: Used = ()
    task: TaskName = MNIST_VAE
    dataset: Dataset | None = Field(default=None, validate_default=True)
    epochs: Epochs = Field(default=None, validate_default=True)
    iterations_per_epoch: IterationsPerEpoch | None = Field(default=None, validate_default=True)
    batch_size: BatchSize | None = Field(default=None, validate_default=True)
    seeds: Seeds
    precision: Precision | None = Field(default=None, validate_default=True)
    measure: Measure | None = Field(default=None, validate_default=True)
    grid: Annotated[list[Block], Field(min_length=1)]
    search: Search = Search()
    resources: Resources = Resources()

    @field_validator(
        "dataset", "epochs", "iterations_per_epoch", "batch_size", "precision", "measure", mode="before"
    )
    @classmethod
    def _belongs_to_the_task(cls, value: object, info: ValidationInfo) -> object:
        task, key = TASKS.get(info.data.get("task", "")), info.field_name or ""
        if task is None:  # which is said already
            return _ANY.get(key) if value is None else value
        return settled(task, key, value)

    @field_validator("dataset")
    @classmethod
    def _is_one_of_the_task(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        task = TASKS.get(info.data.get("task", ""))
        if task and dataset in OWN_DATA:
            check_own_data(task, OWN_DATA[dataset])
        elif task and dataset and dataset not in task.datasets:
            rule = f"dataset must be one of {', '.join(task.datasets)} where task is {task.name}"
            raise SpecValueError(rule, dataset, task.datasets)
        return dataset

    @field_validator("measure")
    @classmethod
    def _measures_to_the_end(cls, measure: Measure | None, info: ValidationInfo) -> Measure | None:
        task, epochs = TASKS.get(info.data.get("task", "")), info.data.get("epochs")
        if measure is None or task is None:
            return measure
        measure = settled_measure(task, measure)
        if measure.epochs is not None and epochs is not None and measure.epochs[-1] != epochs:
            rule = f"epochs to measure after must end with the last, {epochs}"
            raise SpecValueError(rule, list(measure.epochs), place=("epochs",))
        return measure

    @field_validator("grid")
    @classmethod
    def _fits_the_task(cls, grid: list[Block], info: ValidationInfo) -> list[Block]:
        task = TASKS.get(info.data.get("task", ""))
        if task is None:
            return grid
        settled_grid = [settled_block(task, *one) for one in enumerate(grid)]
        for index, block in enumerate(settled_grid):
            block.check_exclude(task, index)
        return settled_grid

    @field_validator("search")
    @classmethod
    def _seeks_what_the_task_has(cls, search: Search, info: ValidationInfo) -> Search:
        task = TASKS.get(info.data.get("task", ""))
        if search.is_grid or task is None:
            return search
        if any(block.exclude for block in info.data.get("grid", ())):
            rule = "kind must be grid where a block has exclude"
            raise SpecValueError(rule, search.kind, place=("kind",))
        if not task.search_metrics:
            rule = f"kind must be grid where task is {task.name}"
            raise SpecValueError(rule, search.kind, place=("kind",))
        if search.metric not in task.search_metrics:
            rule = f"metric must be one of {', '.join(task.search_metrics)} where task is {task.name}"
            raise SpecValueError(rule, search.metric, task.search_metrics, place=("metric",))
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
    def _stated_precision(self) -> dict[str, object]:
        """The precision as a param, where it is not the one that members have anyway."""
        return {} if self.precision in (None, DEFAULTS["precision"]) else {"precision": self.precision}

    @model_validator(mode="after")
    def _has_few_enough_members(self) -> Spec:
        num_cells = self.num_cells
        num_asked = num_cells if self.search.is_grid else min(num_cells, self.search.num_trials)
        num_members = num_asked * len(self.seeds)
        if max(num_cells, num_members) > MAX_MEMBERS:
            raise SpecValueError(
                f"grid must have at most {MAX_MEMBERS:,} cells and ask for as many members, not "
                f"{num_cells:,} cells and {num_members:,} members; split it into several specs, which may "
                "share a home",
                MISSING,
                place=("grid",),
            )
        return self

    @model_validator(mode="after")
    def _batches_fit_the_data(self) -> Spec:
        if self.dataset is not None and self.batch_size is not None:
            latents = [latent for block in self.grid for latent in block.latent]
            check_batch(TASKS[self.task], self.dataset, self.batch_size, latents)
        return self

    @model_validator(mode="after")
    def _measured_training_takes_the_latents(self) -> Spec:
        name = self.measure.trained_with if self.measure else None
        only = estimators.get(name).categorical_dim if name else None
        for latent in (latent for block in self.grid for latent in block.latent):
            if only is not None and latent.split("x")[0] != str(only):
                rule = f"trained_with must take the categories of {latent}, and {name} takes {only}"
                raise SpecValueError(rule, name, place=("measure", "trained_with"))
        return self

    @model_validator(mode="after")
    def _precision_fits_the_device(self) -> Spec:
        if self.precision == "tf32" and 0.0 in self.resources.gpus:
            rule = "precision must be float32 where resources.gpus is 0"
            raise SpecValueError(rule, self.precision, place=("precision",))
        return self

    @property
    def _which_data(self) -> dict[str, object]:
        """Which images those of a user's are, as params."""
        own = OWN_DATA.get(self.dataset or "")
        if own is None:
            return {}
        shape = {} if own.shape_text == DEFAULTS["image_shape"] else {"image_shape": own.shape_text}
        return {"dataset_version": own.version, **shape}

    @property
    def num_cells(self) -> int:
        """How many cells the blocks declare, none of which is made for it.

        One that two have counts twice, and one that is excluded counts.
        """
        return sum(block.num_settings(TASKS[self.task]) for block in self.grid)

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
        for setting in block.settings(TASKS[self.task]):
            yield Cell.from_params(
                {
                    "task": self.task,
                    "task_version": TASKS[self.task].version or 1,
                    "dataset": self.dataset,
                    **self._which_data,
                    "batch_size": self.batch_size,
                    "epochs": self.epochs,
                    "iterations_per_epoch": self.iterations_per_epoch,
                    **self._stated_precision,
                    **(self.measure.params() if self.measure else {}),
                    **setting,
                },
                note=block.note,
                label=block.label,
            )
