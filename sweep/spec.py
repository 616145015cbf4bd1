"""The spec: what a sweep declares, and the cells that it stands for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

import estimators
from sweep.spec_values import (
    BatchSize,
    Beta,
    Concurrency,
    Cpus,
    Dataset,
    Epochs,
    EstimatorName,
    Eta,
    Gap,
    Gpus,
    GraceEpochs,
    Latent,
    LearningRate,
    Many,
    NumMcSamples,
    NumSamples,
    OptimizerName,
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
from trainables.schema import DEFAULTS, Cell, CellRequest


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(_Model):
    """A block of a grid: lists multiply. A hyperparameter left out is at its default.

    `note` says why cells are there that are no ordinary ones; tables show them apart and do not rank them.
    """

    estimator: Many[EstimatorName]
    latent: Many[Latent]
    optimizer: Many[OptimizerName] = Field(default=["adam"])
    lr: Many[LearningRate]
    temperature: Many[Temperature] | None = None
    eta: Many[Eta] | None = None
    beta: Many[Beta] | None = None
    num_mc_samples: Many[NumMcSamples] | None = None
    gap: Many[Gap] | None = None
    num_samples: Many[NumSamples] | None = None
    note: str = ""

    @field_validator("latent")
    @classmethod
    def _has_few_enough_states(cls, latents: list[str], info: ValidationInfo) -> list[str]:
        for estimator in map(estimators.get, info.data.get("estimator", ())):
            for latent in latents:
                categorical_dim, latent_dim = map(int, latent.split("x"))
                if not estimator.can_train(categorical_dim, latent_dim):
                    raise SpecValueError(
                        f"latent must have at most {estimator.max_states} states for {estimator.name}, which "
                        f"enumerates them, and {latent} has {categorical_dim}^{latent_dim}",
                        latent,
                    )
        return latents

    @field_validator("temperature", "eta", "beta", "num_mc_samples", "gap", "num_samples")
    @classmethod
    def _belongs_to_every_estimator(
        cls, values: list[float] | None, info: ValidationInfo
    ) -> list[float] | None:
        for estimator in info.data.get("estimator", ()):
            known = {own.name: own for own in estimators.get(estimator).hyperparameters}
            own = known.get(info.field_name or "")
            if values is not None and own is None:
                takes = f"only {', '.join(known)}" if known else "none"
                raise SpecValueError(f"{info.field_name} must be left out: {estimator} takes {takes}", values)
            for value in values or ():
                if own is not None and not own.allows(value):
                    raise SpecValueError(f"{own.name} must be {own.rule} for {estimator}", value)
        return values

    def settings(self) -> Iterator[dict[str, object]]:
        """Yield the params that the block settles, one dictionary for each combination."""
        for estimator, latent, optimizer, lr in itertools.product(
            self.estimator, self.latent, self.optimizer, self.lr
        ):
            hyperparameters = estimators.get(estimator).hyperparameters
            choices = [getattr(self, own.name) or [own.default] for own in hyperparameters]
            categorical_dim, latent_dim = latent.split("x")
            for values in itertools.product(*choices):
                yield {
                    "estimator": estimator,
                    "categorical_dim": categorical_dim,
                    "latent_dim": latent_dim,
                    "optimizer": optimizer,
                    "lr": lr,
                    **{own.name: value for own, value in zip(hyperparameters, values, strict=True)},
                }


class EarlyStopping(_Model):
    """Successive halving (ASHA): cells that do badly are given up before their last epoch.

    Cells are compared after `grace_epochs`, and then each time that the epochs have grown by the factor; of
    those that got so far, about one in `reduction_factor` goes on.
    """

    kind: StoppingKind
    grace_epochs: GraceEpochs
    reduction_factor: ReductionFactor = 3


class Search(_Model):
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


class Resources(_Model):
    """What a pack gets, and the most members that it has (`members_per_pack`; None stands for "auto")."""

    cpus: Cpus = 1
    gpus: Gpus = 0.0
    members_per_pack: PackSize = None

    @property
    def is_pack_size_measured(self) -> bool:
        """Whether the best number of members per pack is to be found by measuring; on a CPU it is one."""
        return self.members_per_pack is None and self.gpus > 0


class Spec(_Model):
    """A sweep as declared: cells of the grid, all of them or those that a search chooses, with every seed."""

    name: SweepName
    task: Task = "mnist_vae"
    dataset: Dataset = "mnist"
    epochs: Epochs
    batch_size: BatchSize = 100
    seeds: Seeds
    precision: Precision = DEFAULTS["precision"]
    grid: Annotated[list[Block], Field(min_length=1)]
    search: Search = Search()
    resources: Resources = Resources()

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
                    **setting,
                },
                note=block.note,
            )
