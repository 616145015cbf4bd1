"""A task of one's own: the classes of symbols, learned from sums of several alone.

Symbol s is of class s mod C. An example is L symbols and the sum of their classes; a model has a row of
logits for each symbol. The estimator is given f(x) = (Σ_d x_d - sum)², whose mean is known in closed form.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.nn import functional

from trainables.models.optimizers import OPTIMIZERS
from trainables.schema import EPOCH_SECONDS
from trainables.schema.metrics import SECONDS, Metric, names_of
from trainables.task import REQUIRED, Figure, Task
from trainables.training.pack_estimator import PackEstimator
from trainables.training.trainer import Trainer

SYMBOLS_OF_A_CLASS = 5
METRICS = (
    Metric("counting_loss", "expected squared error of the sum", may_select=True, has_log_axis=True),
    Metric("symbol_accuracy", "accuracy of a symbol", is_higher_better=True, digits=4),
    SECONDS,
)


class CountingTrainer(Trainer):
    """P tables of logits in training; an epoch is `iterations_per_epoch` batches of new examples."""

    def _start(self) -> None:
        pack, params = self.pack, self.pack.shared
        categorical_dim, self._latent_dim = int(params["categorical_dim"]), int(params["latent_dim"])
        self._batch_size, self._num_steps = int(params["batch_size"]), int(params["iterations_per_epoch"])
        self._values = torch.arange(categorical_dim, dtype=torch.float32, device=self._device)
        self._classes = (
            torch.arange(SYMBOLS_OF_A_CLASS * categorical_dim, device=self._device) % categorical_dim
        )
        self._examples = self._generators("examples")
        self._estimator = PackEstimator(pack, self._device)
        self.parameters = torch.zeros(len(pack), len(self._classes), categorical_dim, device=self._device)
        self._gradients = torch.zeros_like(self.parameters)
        self._optimizer = OPTIMIZERS[params["optimizer"]](
            self.parameters, self._gradients, [float(member.params["lr"]) for member in pack.members]
        )

    def _run(self) -> list[dict[str, float]]:
        start = time.perf_counter()
        losses = torch.stack([self._step() for _ in range(self._num_steps)]).mean(0).tolist()
        is_right = self.parameters.argmax(-1) == self._classes
        seconds = time.perf_counter() - start
        return [
            {"counting_loss": loss, "symbol_accuracy": accuracy, EPOCH_SECONDS: seconds}
            for loss, accuracy in zip(losses, is_right.double().mean(-1).tolist(), strict=True)
        ]

    def _step(self) -> torch.Tensor:
        """Take a step with a batch; return the mean of E[f] before it, shape (P,)."""
        shape, count = (self._batch_size, self._latent_dim), len(self._classes)
        drawn = [torch.randint(count, shape, generator=one, device=self._device) for one in self._examples]
        symbols = functional.one_hot(torch.stack(drawn), count).to(self.parameters.dtype).flatten(1, 2)
        logits = (symbols @ self.parameters).unflatten(1, shape)  # (P, B, L, C)
        sums = (symbols @ self._classes.to(symbols.dtype)).unflatten(1, shape).sum(-1)  # (P, B)

        def f(samples: torch.Tensor) -> torch.Tensor:  # (S, P, B, L, C) to (S, P, B)
            return ((samples * self._values).sum((-1, -2)) - sums).square()

        estimate = self._estimator.gradient(logits, f, self.epoch) / self._batch_size
        torch.matmul(symbols.mT, estimate.flatten(1, 2), out=self._gradients)
        self._optimizer.step()
        probs = logits.softmax(-1)
        mean, square = ((probs * self._values**power).sum(-1) for power in (1, 2))
        return ((square - mean**2).sum(-1) + (mean.sum(-1) - sums) ** 2).mean(-1)

    def _kept(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters,
            "optimizer": self._optimizer,
            "example_generators": self._examples,
            "noise_generators": self._estimator.noise,
        }


TASK = Task(
    "counting",
    CountingTrainer,
    METRICS,
    headline="symbol_accuracy",
    progress="counting_loss",
    keys={"epochs": REQUIRED, "iterations_per_epoch": 20, "batch_size": 20},
    block_keys={"optimizer": ["adam"], "lr": REQUIRED},
    free_params=frozenset({"seed", "temperature"}),
    search_metrics=names_of(METRICS[0]),
    table_metrics=("counting_loss",),
    averages_draws=True,
    label_params=("num_samples",),
    figures=(Figure(("counting_loss", "symbol_accuracy")),),
)
