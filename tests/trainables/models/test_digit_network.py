from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.rounding import check_equal_but_for_rounding
from tests.trainables.members import images
from trainables.models.digit_network import DigitNetwork

SEEDS = (3, 7, 11)
FORWARD = 25 + 6 * 25 + 256 + 120 + 84
"""Roundings on the way to a logit: a layer's sums are as long as its input, a convolution's as its kernel."""
POSITIONS = 24 * 24
"""How many places a kernel of the first convolution is at, over which its gradient sums."""


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _plain(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def _images() -> torch.Tensor:
    return torch.stack([images(5, seed) for seed in range(len(SEEDS))])


def check_equals_ordinary_layers(network: DigitNetwork) -> None:
    logits = network(_images())
    assert torch.equal(network.evaluate(_images()), logits.detach())
    weights = torch.randn(logits.shape, generator=_generator())
    network.backward(logits, weights)
    for index, seed in enumerate(SEEDS):
        plain = _plain(seed)
        expected = plain(_images()[index].view(-1, 1, 28, 28) / 255)
        check_equal_but_for_rounding(logits[index].detach(), expected.detach(), length=FORWARD)
        (weights[index] * expected).sum().backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in plain.parameters()])
        length = 2 * FORWARD + 5 * POSITIONS
        check_equal_but_for_rounding(network.gradients[index], gradients, length=length)


def test_members_are_ordinary_networks_with_the_parameters_of_their_seeds() -> None:
    check_equals_ordinary_layers(DigitNetwork([_generator(seed) for seed in SEEDS]))


def test_check_rejects_members_in_another_order() -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_equals_ordinary_layers(DigitNetwork([_generator(seed) for seed in reversed(SEEDS)]))
