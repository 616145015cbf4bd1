from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.complaint import complaint
from tests.rounding import check_equal_but_for_rounding
from trainables.models.activations import ACTIVATIONS
from trainables.models.network_sizes import num_parameters
from trainables.models.networks import PackedMLP
from trainables.models.reconstruction import Reconstruction

LATENT_DIM, CATEGORICAL_DIM, NUM_PIXELS = 3, 4, 32
WIDTHS = (LATENT_DIM * CATEGORICAL_DIM, 16, 48, NUM_PIXELS)
FORWARD = sum(WIDTHS)
"""Roundings on the way to a loss: a layer's sums are as long as its input, the loss's as there are pixels."""
SEEDS = (3, 7)
BATCH_SIZE = 5


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _decoder() -> tuple[PackedMLP, torch.Tensor]:
    """Return a pack and its parameters' gradients, which hold what is noticed wherever it is left."""
    parameters = torch.zeros(len(SEEDS), num_parameters(WIDTHS))
    gradients = torch.full_like(parameters, math.nan)
    decoder = PackedMLP(WIDTHS, parameters, gradients)
    decoder.initialize([_generator(seed) for seed in SEEDS])
    return decoder, gradients


def _grey_levels() -> torch.Tensor:
    return torch.rand(len(SEEDS), BATCH_SIZE, NUM_PIXELS, generator=_generator(1))


def _samples(num_samples: int, *, relaxed: bool) -> torch.Tensor:
    shape = (num_samples, len(SEEDS), BATCH_SIZE, LATENT_DIM, CATEGORICAL_DIM)
    scores = torch.randn(shape, generator=_generator(2))
    if relaxed:
        return torch.softmax(scores, -1)
    return functional.one_hot(scores.argmax(-1), CATEGORICAL_DIM).float()


def _plain_losses(decoder: PackedMLP, samples: torch.Tensor) -> torch.Tensor:
    """Each loss by itself, by ordinary layers."""
    losses = torch.zeros(samples.shape[:3])
    for member in range(len(SEEDS)):
        hidden = samples[:, member].flatten(-2)
        for index, weight in enumerate(decoder.weights):
            hidden = torch.relu(hidden) if index else hidden
            hidden = hidden @ weight[member, :-1] + weight[member, -1]
        grey = _grey_levels()[member].expand(hidden.shape)
        nll = functional.binary_cross_entropy_with_logits(hidden, grey, reduction="none")
        losses[:, member] = nll.sum(-1)
    return losses


def _check(decoder: PackedMLP, num_samples: int, *, relaxed: bool, images: torch.Tensor) -> None:
    """Compare losses and their gradients with ordinary layers; evaluations of other sizes go before."""
    reconstruction = Reconstruction(decoder, images)
    reconstruction(_samples(num_samples + 1, relaxed=False))
    samples = _samples(num_samples, relaxed=relaxed)
    plain = samples.clone().requires_grad_()
    expected = _plain_losses(decoder, plain)
    weights = torch.randn(expected.shape, generator=_generator(3))
    (weights * expected).sum().backward()
    check_equal_but_for_rounding(reconstruction(samples), expected.detach(), length=FORWARD)
    leaf = samples.clone().requires_grad_()
    losses = reconstruction(leaf)
    reconstruction(_samples(num_samples, relaxed=False))  # whose gradient another call does not change
    (weights * losses).sum().backward()
    check_equal_but_for_rounding(losses.detach(), expected.detach(), length=FORWARD)
    check_equal_but_for_rounding(leaf.grad, plain.grad, length=2 * FORWARD)


@pytest.mark.parametrize("relaxed", [False, True])
@pytest.mark.parametrize("num_samples", [1, 2, 7])
def test_losses_and_gradients_are_those_of_ordinary_layers(num_samples: int, relaxed: bool) -> None:
    decoder, _ = _decoder()
    assert complaint(_check, decoder, num_samples, relaxed=relaxed, images=_grey_levels()) == ""


def test_check_rejects_a_backward_pass_without_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(ACTIVATIONS["relu"], backward=lambda grad, _value: grad)
    monkeypatch.setattr("trainables.models.networks.ACTIVATIONS", {"relu": wrong})
    decoder, _ = _decoder()
    with pytest.raises(AssertionError, match="not close"):
        _check(decoder, 2, relaxed=True, images=_grey_levels())


def test_check_rejects_the_losses_of_other_images() -> None:
    decoder, _ = _decoder()
    with pytest.raises(AssertionError, match="not close"):
        _check(decoder, 2, relaxed=False, images=_grey_levels().roll(1, 1))


def test_gradients_of_the_parameters_are_left_alone() -> None:
    decoder, gradients = _decoder()
    samples = _samples(2, relaxed=True).requires_grad_()
    Reconstruction(decoder, _grey_levels())(samples).sum().backward()
    assert gradients.isnan().all()


@pytest.mark.parametrize("batch_size", [1, 7, 100, 1000, 5000])
def test_chunks_bound_the_rows_that_are_decoded_at_once(batch_size: int) -> None:
    decoder, _ = _decoder()
    chunk_size = Reconstruction(decoder, torch.zeros(2, batch_size, NUM_PIXELS)).chunk_size
    assert chunk_size >= 1
    assert chunk_size * batch_size <= max(1000, batch_size)
    assert (chunk_size + 1) * batch_size > 1000
