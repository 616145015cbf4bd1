"""The spec: what a sweep declares, and the cells that it stands for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

import estimators
from sweep.spec_values import (
    BatchSize,
    Cpus,
    Dataset,
    Epochs,
    EstimatorName,
    Eta,
    Gap,
    Gpus,
    Latent,
    LearningRate,
    Many,
    NumMcSamples,
    OptimizerName,
    PackSize,
    Precision,
    Seeds,
    SpecValueError,
    SweepName,
    Task,
    Temperature,
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
    num_mc_samples: Many[NumMcSamples] | None = None
    gap: Many[Gap] | None = None
    note: str = ""

    @field_validator("temperature", "eta", "num_mc_samples", "gap")
    @classmethod
    def _belongs_to_every_estimator(cls, values: list[float] | None, info: object) -> list[float] | None:
        name: str = info.field_name  # type: ignore[attr-defined]
        for estimator in info.data.get("estimator", ()):  # type: ignore[attr-defined]
            known = [own.name for own in estimators.get(estimator).hyperparameters]
            if values is not None and name not in known:
                raise SpecValueError(
                    f"{name} must be left out: {estimator} takes only {', '.join(known)}", values
                )
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


class Search(_Model):
    """How the grid is walked through."""

    kind: Literal["grid"] = "grid"


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
    """A sweep as declared: every cell of the grid with every seed."""

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

    @property
    def _stated_precision(self) -> dict[str, str]:
        """The precision as a param, where it is not the one that members have anyway."""
        return {} if self.precision == DEFAULTS["precision"] else {"precision": self.precision}

    @model_validator(mode="after")
    def _precision_fits_the_device(self) -> Spec:
        if self.precision == "tf32" and self.resources.gpus == 0:
            raise SpecValueError("precision must be float32 where resources.gpus is 0", self.precision)
        return self

    def requests(self) -> tuple[CellRequest, ...]:
        """Return the cells in the order of the grid, each once; an ordinary cell wins over a noted one."""
        cells: dict[str, Cell] = {}
        for block in self.grid:
            for setting in block.settings():
                cell = Cell.from_params(
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
                if cell.hash not in cells or (cells[cell.hash].note and not cell.note):
                    cells[cell.hash] = cell
        return tuple(CellRequest(cell, self.seeds) for cell in cells.values())
