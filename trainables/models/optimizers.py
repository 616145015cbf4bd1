"""Adam and RAdam, both on PyTorch's fused Adam kernel, and RMSprop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a spec needs the names alone, and torch takes seconds to import
    import torch

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8

LearningRate = float | Sequence[float]
"""One for all, or one for each entry of the leading axis."""


def _slices(lr: LearningRate) -> Iterator[tuple[slice, float]]:
    """Yield the parts of the leading axis whose neighbours share a learning rate; one for all is one part."""
    if not isinstance(lr, Sequence):
        yield slice(None), lr
        return
    start = 0
    for value, run in groupby(lr):
        stop = start + len(list(run))
        yield slice(start, stop), value
        start = stop


class FusedAdam:
    """Adam on one tensor, with PyTorch's default β₁, β₂ and ε.

    Calls the kernel that `torch.optim.Adam(fused=True)` ends in: for a network this small, that class spends
    a third as long again on its bookkeeping. The results are equal bit for bit.

    Args:
        parameters: What to optimise, any shape.
        gradients: Where the gradients are found, same shape.
        lr: Learning rate, or one for each entry of the leading axis: then the kernel is called once for each
            run of entries that share one.
    Source: Kingma and Ba (2015), Algorithm 1.
    """

    def __init__(self, parameters: torch.Tensor, gradients: torch.Tensor, lr: LearningRate) -> None:
        import torch

        self._kernel = torch._fused_adam_
        self._first_moment = torch.zeros_like(parameters)
        self._second_moment = torch.zeros_like(parameters)
        tensors = parameters, gradients, self._first_moment, self._second_moment
        self._parts = [([[one[part]] for one in tensors], value) for part, value in _slices(lr)]
        self._num_steps = 0
        # The kernel reads the step from the device.
        self._step = torch.zeros((), device=parameters.device)

    def step(self) -> None:
        """Take one step."""
        self._num_steps += 1
        self._step += 1
        for tensors, of_part in self._parts:
            lr, eps = self._lr_and_eps(of_part, self._num_steps)
            parameters, gradients, first_moments, second_moments = tensors
            self._kernel(
                parameters,
                gradients,
                first_moments,
                second_moments,
                [],
                [self._step],
                lr=lr,
                beta1=_BETA1,
                beta2=_BETA2,
                weight_decay=0.0,
                eps=eps,
                amsgrad=False,
                maximize=False,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that optimisation goes on from."""
        return {
            "first_moment": self._first_moment,
            "second_moment": self._second_moment,
            "num_steps": self._num_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        self._first_moment.copy_(state["first_moment"])
        self._second_moment.copy_(state["second_moment"])
        self._num_steps = state["num_steps"]
        self._step.fill_(self._num_steps)

    def _lr_and_eps(self, lr: float, step: int) -> tuple[float, float]:  # noqa: ARG002
        """Return the learning rate and ε of a step, from 1."""
        return lr, _EPS


class FusedRAdam(FusedAdam):
    """RAdam as Adam with a learning rate and an ε that change with the step; arguments as for `FusedAdam`.

    RAdam's step is Adam's with lr·r_t for lr and ε / √(1 - β₂^t) for ε once ρ_t > 5. Before that it is
    lr·m̂, which Adam's lr·m̂ / (√v̂ + ε) becomes, to float32 precision, with lr·E for lr and E for ε as soon
    as E dwarfs √v̂. PyTorch has a fused kernel for Adam but none for RAdam; the results agree to 2e-6.

    Source: Liu et al. (2020), Algorithm 2; `torch.optim.RAdam` for where ε enters.
    """

    _DWARFING_EPS = 1e12

    def _lr_and_eps(self, lr: float, step: int) -> tuple[float, float]:
        beta2_power = _BETA2**step
        rho_infinity = 2 / (1 - _BETA2) - 1
        rho = rho_infinity - 2 * step * beta2_power / (1 - beta2_power)
        if rho <= 5:
            return lr * self._DWARFING_EPS, self._DWARFING_EPS
        rectification = math.sqrt(
            (rho - 4) * (rho - 2) * rho_infinity / ((rho_infinity - 4) * (rho_infinity - 2) * rho)
        )
        return lr * rectification, _EPS / math.sqrt(1 - beta2_power)


class RMSprop:
    """RMSprop on one tensor with the ρ and ε of TensorFlow's Keras up to 2.10; arguments as for `FusedAdam`.

        v ← ρ v + (1-ρ) g²,    θ ← θ - lr g / (√v + ε),    ρ = 0.9, ε = 1e-7

    What `torch.optim.RMSprop(alpha=0.9, eps=1e-7)` computes; PyTorch's own defaults are 0.99 and 1e-8.

    Source: Tieleman and Hinton (2012), Lecture 6.5.
    """

    _RHO, _EPS = 0.9, 1e-7

    def __init__(self, parameters: torch.Tensor, gradients: torch.Tensor, lr: LearningRate) -> None:
        import torch

        self._parameters = parameters
        self._gradients = gradients
        self._parts = list(_slices(lr))
        self._mean_square = torch.zeros_like(parameters)

    def step(self) -> None:
        """Take one step."""
        self._mean_square.mul_(self._RHO).addcmul_(self._gradients, self._gradients, value=1 - self._RHO)
        root = self._mean_square.sqrt().add_(self._EPS)
        for part, lr in self._parts:
            self._parameters[part].addcdiv_(self._gradients[part], root[part], value=-lr)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that optimisation goes on from."""
        return {"mean_square": self._mean_square}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        self._mean_square.copy_(state["mean_square"])


OPTIMIZERS: Mapping[str, Callable[[torch.Tensor, torch.Tensor, LearningRate], FusedAdam | RMSprop]] = (
    MappingProxyType({"adam": FusedAdam, "radam": FusedRAdam, "rmsprop": RMSprop})
)
"""Optimisers by their id, each made from parameters, gradients and a learning rate or several."""
