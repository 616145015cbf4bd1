"""A block of a spec's grid: settings that multiply."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

import estimators
from sweep.spec_values import (
    Beta,
    EstimatorName,
    Eta,
    Gap,
    Latent,
    LearningRate,
    Many,
    NumMcSamples,
    NumSamples,
    OptimizerName,
    SpecValueError,
    Temperature,
)


class SpecModel(BaseModel):
    """A part of a spec: unknown keys are errors, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(SpecModel):
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
