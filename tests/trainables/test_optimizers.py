from __future__ import annotations

import copy

import pytest
import torch

from trainables.optimizers import OPTIMIZERS, FusedRAdam


def _gradients(steps: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-4, 1, shape[-1])
    return [torch.randn(shape, generator=generator) * scales for _ in range(steps)]


def _train(optimizer: torch.optim.Optimizer, parameter: torch.nn.Parameter, steps: int) -> torch.Tensor:
    for gradient in _gradients(steps, tuple(parameter.shape)):
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("steps", [1, 5, 6, 7, 300])
def test_fused_radam_equals_pytorch_radam(steps: int) -> None:
    ours, theirs = (torch.nn.Parameter(torch.zeros(3, 40)) for _ in range(2))
    result = _train(FusedRAdam([ours], 0.0007), ours, steps)
    expected = _train(torch.optim.RAdam([theirs], 0.0007), theirs, steps)
    torch.testing.assert_close(result, expected, rtol=2e-6, atol=1e-9)


def test_plain_adam_is_not_radam() -> None:
    ours, theirs = (torch.nn.Parameter(torch.zeros(3, 40)) for _ in range(2))
    wrong = _train(torch.optim.Adam([ours], 0.0007), ours, 10)
    expected = _train(torch.optim.RAdam([theirs], 0.0007), theirs, 10)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(wrong, expected, rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_restored_optimizer_goes_on_bit_for_bit(name: str) -> None:
    gradients = _gradients(12, (2, 8))
    whole = torch.nn.Parameter(torch.ones(2, 8))
    optimizer = OPTIMIZERS[name]([whole], 0.001)
    for step, gradient in enumerate(gradients):
        if step == 7:
            half = torch.nn.Parameter(whole.detach().clone())
            restored = OPTIMIZERS[name]([half], 0.001)
            restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        whole.grad = gradient.clone()
        optimizer.step()
        if step >= 7:
            half.grad = gradient.clone()
            restored.step()
    assert torch.equal(half, whole)
