from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from trainables.models.optimizers import OPTIMIZERS, FusedAdam, FusedRAdam, RMSprop


def _gradients(steps: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-4, 1, shape[-1])
    return [torch.randn(shape, generator=generator) * scales for _ in range(steps)]


def _ours(kind: type[FusedAdam | RMSprop], steps: int, shape: tuple[int, ...] = (3, 40)) -> torch.Tensor:
    parameters, gradients = torch.zeros(shape), torch.zeros(shape)
    optimizer = kind(parameters, gradients, 0.0007)
    for gradient in _gradients(steps, shape):
        gradients.copy_(gradient)
        optimizer.step()
    return parameters


def _theirs(make: Callable[..., torch.optim.Optimizer], steps: int) -> torch.Tensor:
    parameter = torch.nn.Parameter(torch.zeros(3, 40))
    optimizer = make([parameter], lr=0.0007)
    for gradient in _gradients(steps, (3, 40)):
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("steps", [1, 5, 6, 7, 300])
def test_fused_radam_equals_pytorch_radam(steps: int) -> None:
    torch.testing.assert_close(
        _ours(FusedRAdam, steps), _theirs(torch.optim.RAdam, steps), rtol=2e-6, atol=1e-9
    )


@pytest.mark.parametrize("steps", [1, 7, 300])
def test_fused_adam_equals_pytorch_s_fused_adam_bit_for_bit(steps: int) -> None:
    def fused(parameters: list[torch.nn.Parameter], lr: float) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=lr, fused=True)

    assert torch.equal(_ours(FusedAdam, steps), _theirs(fused, steps))


def test_plain_adam_is_not_radam() -> None:
    with pytest.raises(AssertionError):
        torch.testing.assert_close(_ours(FusedAdam, 10), _theirs(torch.optim.RAdam, 10), rtol=2e-6, atol=1e-9)


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


def _their_rmsprop(alpha: float, eps: float, steps: int) -> torch.Tensor:
    def made(parameters: list[torch.nn.Parameter], lr: float) -> torch.optim.RMSprop:
        return torch.optim.RMSprop(parameters, lr=lr, alpha=alpha, eps=eps, foreach=False)

    return _theirs(made, steps)


@pytest.mark.parametrize("steps", [1, 7, 300])
def test_rmsprop_is_pytorch_s_with_the_constants_of_tensorflow(steps: int) -> None:
    torch.testing.assert_close(_ours(RMSprop, steps), _their_rmsprop(0.9, 1e-7, steps), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("alpha", "eps"), [(0.99, 1e-7), (0.9, 1e-4)])
def test_rmsprop_with_other_constants_is_another(alpha: float, eps: float) -> None:
    with pytest.raises(AssertionError):
        torch.testing.assert_close(_ours(RMSprop, 7), _their_rmsprop(alpha, eps, 7), rtol=1e-6, atol=1e-9)


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
