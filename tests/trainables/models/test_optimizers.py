from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from tests.rounding import rounding
from trainables.models.optimizers import OPTIMIZERS, FusedAdam, FusedRAdam, RMSprop

LR = 0.0007
_WARM_UP = 5
"""Steps of RAdam that do not divide by the size of the gradient."""


def _gradients(steps: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-4, 1, shape[-1])
    return [torch.randn(shape, generator=generator) * scales for _ in range(steps)]


def _ours(kind: type[FusedAdam | RMSprop], steps: int, shape: tuple[int, ...] = (3, 40)) -> torch.Tensor:
    parameters, gradients = torch.zeros(shape), torch.zeros(shape)
    optimizer = kind(parameters, gradients, LR)
    for gradient in _gradients(steps, shape):
        gradients.copy_(gradient)
        optimizer.step()
    return parameters


Make = Callable[..., torch.optim.Optimizer]


def _theirs(make: Make, steps: int) -> torch.Tensor:
    """Return the parameters before the first step and after every one, shape (steps + 1, 3, 40)."""
    parameter = torch.nn.Parameter(torch.zeros(3, 40))
    optimizer = make([parameter], lr=LR)
    ways = [parameter.detach().clone()]
    for gradient in _gradients(steps, (3, 40)):
        parameter.grad = gradient.clone()
        optimizer.step()
        ways.append(parameter.detach().clone())
    return torch.stack(ways)


def check_equals(kind: type[FusedAdam | RMSprop], make: Make, steps: int) -> None:
    """Parameters are sums of steps; a dozen roundings lead from a gradient to its step.

    The means of gradients and of their squares, besides, remember the roundings of all steps before.
    """
    ways = _theirs(make, steps)
    size = ways.diff(dim=0).abs().sum(0)
    excess = ((_ours(kind, steps) - ways[-1]).abs() / (rounding(2 * (steps + 12), 1.0) * size)).max().item()
    assert excess <= 1, f"not close: {excess:.3g} times what rounding explains"


@pytest.mark.parametrize("steps", [1, 5, 6, 7, 300])
def test_fused_radam_equals_pytorch_radam(steps: int) -> None:
    check_equals(FusedRAdam, torch.optim.RAdam, steps)


@pytest.mark.parametrize("steps", [1, 7, 300])
def test_fused_adam_equals_pytorch_s_fused_adam_bit_for_bit(steps: int) -> None:
    def fused(parameters: list[torch.nn.Parameter], lr: float) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=lr, fused=True)

    assert torch.equal(_ours(FusedAdam, steps), _theirs(fused, steps)[-1])


def test_plain_adam_is_not_radam() -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_equals(FusedAdam, torch.optim.RAdam, 10)


class _WithAdamsEps(FusedRAdam):
    def _lr_and_eps(self, lr: float, step: int) -> tuple[float, float]:
        of_step, eps = super()._lr_and_eps(lr, step)
        return of_step, min(eps, 1e-8) if step > _WARM_UP else eps


def test_check_rejects_radam_with_the_eps_of_adam() -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_equals(_WithAdamsEps, torch.optim.RAdam, 100)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_restored_optimizer_goes_on_bit_for_bit(name: str) -> None:
    whole, half, gradients = torch.ones(2, 8), torch.ones(2, 8), torch.zeros(2, 8)
    optimizer, restored = (OPTIMIZERS[name](one, gradients, 0.001) for one in (whole, half))
    for step, gradient in enumerate(_gradients(12, (2, 8))):
        gradients.copy_(gradient)
        if step == 7:
            half.copy_(whole)
            restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        optimizer.step()
        if step >= 7:
            restored.step()
    assert torch.equal(half, whole)


def _their_rmsprop(alpha: float, eps: float) -> Make:
    def made(parameters: list[torch.nn.Parameter], lr: float) -> torch.optim.RMSprop:
        return torch.optim.RMSprop(parameters, lr=lr, alpha=alpha, eps=eps, foreach=False)

    return made


@pytest.mark.parametrize("steps", [1, 7, 300])
def test_rmsprop_is_pytorch_s_with_the_constants_of_tensorflow(steps: int) -> None:
    check_equals(RMSprop, _their_rmsprop(0.9, 1e-7), steps)


@pytest.mark.parametrize(("alpha", "eps"), [(0.99, 1e-7), (0.9, 1e-4)])
def test_rmsprop_with_other_constants_is_another(alpha: float, eps: float) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_equals(RMSprop, _their_rmsprop(alpha, eps), 7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_with_learning_rates_of_their_own_are_as_if_alone(name: str) -> None:
    shape, rates = (5, 48), (0.001, 0.001, 0.003, 0.0005, 0.001)
    together, gradients = torch.ones(shape), torch.zeros(shape)
    alone = torch.ones(shape)
    of_all = OPTIMIZERS[name](together, gradients, rates)
    of_each = [OPTIMIZERS[name](alone[i], gradients[i], lr) for i, lr in enumerate(rates)]
    for gradient in _gradients(9, shape):
        gradients.copy_(gradient)
        for optimizer in (of_all, *of_each):
            optimizer.step()
    assert torch.equal(together, alone)


def test_neighbours_with_one_learning_rate_are_updated_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, shapes = torch._fused_adam_, []

    def counted(parameters: list[torch.Tensor], *rest: object, **options: object) -> object:
        shapes.append(tuple(parameters[0].shape))
        return kernel(parameters, *rest, **options)

    monkeypatch.setattr(torch, "_fused_adam_", counted)
    for rates in (0.001, [0.001] * 4, [0.001, 0.001, 0.003, 0.003]):
        FusedAdam(torch.ones(4, 8), torch.ones(4, 8), rates).step()
    assert shapes == [(4, 8), (4, 8), (2, 8), (2, 8)]
