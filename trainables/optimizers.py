"""Adam and RAdam, both on PyTorch's fused Adam kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

import torch


class FusedRAdam(torch.optim.Adam):
    """RAdam as Adam with a learning rate and an ε that change with the step.

    RAdam's step is Adam's with lr·r_t for lr and ε / √(1 - β₂^t) for ε once ρ_t > 5. Before that it is
    lr·m̂, which Adam's lr·m̂ / (√v̂ + ε) becomes, to float32 precision, with lr·E for lr and E for ε as soon
    as E dwarfs √v̂. PyTorch has a fused kernel for Adam but none for RAdam; the results agree to 1e-7.

    Args:
        params: Parameters to optimise.
        lr: Learning rate.
        betas: Decay rates β₁, β₂ of the moment estimates.
        eps: ε.
    Source: Liu et al. (2020), Algorithm 2; `torch.optim.RAdam` for where ε enters.
    """

    _DWARFING_EPS = 1e12

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, fused=True)
        self._radam_lr = lr
        self._radam_eps = eps
        self._beta2 = betas[1]
        self._num_steps = 0

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take one step."""
        self._num_steps += 1
        lr, eps = self._rectified(self._num_steps)
        for group in self.param_groups:
            group["lr"], group["eps"] = lr, eps
        return super().step(closure)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the moments, and the number of steps taken from them."""
        super().load_state_dict(state_dict)
        self._num_steps = max((int(state["step"]) for state in self.state.values()), default=0)

    def _rectified(self, step: int) -> tuple[float, float]:
        beta2_power = self._beta2**step
        rho_infinity = 2 / (1 - self._beta2) - 1
        rho = rho_infinity - 2 * step * beta2_power / (1 - beta2_power)
        if rho <= 5:
            return self._radam_lr * self._DWARFING_EPS, self._DWARFING_EPS
        rectification = math.sqrt(
            (rho - 4) * (rho - 2) * rho_infinity / ((rho_infinity - 4) * (rho_infinity - 2) * rho)
        )
        return self._radam_lr * rectification, self._radam_eps / math.sqrt(1 - beta2_power)


def _fused_adam(params: Iterable[torch.nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(params, lr=lr, fused=True)


OPTIMIZERS: MappingProxyType[str, Callable[[Iterable[torch.nn.Parameter], float], torch.optim.Optimizer]] = (
    MappingProxyType({"adam": _fused_adam, "radam": FusedRAdam})
)
"""Optimisers by their id, each made from parameters and a learning rate, with default β and ε."""
