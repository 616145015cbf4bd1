from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.nn import functional

import estimators
from estimators.sampling import Draw
from estimators.score_function import Objective, ObjectiveDraw, ObjectiveGradient
from tests.complaint import complaint
from tests.rounding import check_equal_but_for_rounding
from trainables.models.discrete_vae import (
    DiscreteVAE,
    bernoulli_nll,
    bernoulli_nll_and_gradient,
    kl_to_uniform,
    kl_to_uniform_and_gradient,
)
from trainables.models.networks import PackedMLP
from trainables.models.reconstruction import Reconstruction

NUM_PIXELS = 784
LOSS_SUM = NUM_PIXELS // 16 + 16
"""Roundings in the sum over pixels alone, which any kernel takes as 16 sums or more side by side."""
LATENTS = [(8, 4), (4, 24), (64, 8), (10, 30)]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(count: int, *, members: int = 1) -> torch.Tensor:
    noise = torch.rand(members, count, 784, generator=_generator(1))
    return (noise**6 * 255).to(torch.uint8)


def _all_in_category_2(logits: torch.Tensor) -> Draw:
    sample = torch.zeros_like(logits)
    sample[..., 2] = 1.0
    return Draw(sample, torch.zeros_like)


def test_kl_equals_its_definition() -> None:
    logits = torch.randn(2, 3, 4, 8, dtype=torch.float64, generator=_generator())
    posterior = torch.distributions.Categorical(logits=logits)
    prior = torch.distributions.Categorical(logits=torch.zeros_like(logits))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(-1)
    torch.testing.assert_close(kl_to_uniform(logits), expected)


def test_kl_is_bounded_by_that_of_a_certain_posterior() -> None:
    certain = torch.zeros(1, 4, 8)
    certain[..., 0] = 80.0
    torch.testing.assert_close(kl_to_uniform(certain), torch.tensor([4 * math.log(8)]))
    assert kl_to_uniform(torch.zeros(1, 4, 8)).abs() < 1e-5


def test_kl_gradient_equals_automatic_differentiation() -> None:
    logits = torch.randn(2, 3, 4, 8, dtype=torch.float64, generator=_generator()).requires_grad_()
    log_probs = torch.log_softmax(logits, -1)
    (log_probs.exp() * log_probs).sum().backward()
    kl, gradient = kl_to_uniform_and_gradient(logits.detach())
    torch.testing.assert_close(kl, kl_to_uniform(logits.detach()).sum(-1))
    torch.testing.assert_close(gradient, logits.grad)


def test_bernoulli_nll_and_its_gradient_equal_pytorch() -> None:
    logits = (30 * torch.randn(2, 3, 50, dtype=torch.float64, generator=_generator())).requires_grad_()
    grey = torch.rand(2, 3, 50, dtype=torch.float64, generator=_generator(1))
    expected = functional.binary_cross_entropy_with_logits(logits, grey, reduction="none").sum((-1, -2))
    expected.sum().backward()
    value, gradient = bernoulli_nll_and_gradient(logits.detach(), grey)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, logits.grad)


def test_bernoulli_nll_is_finite_for_extreme_logits() -> None:
    logits = torch.tensor([[[-3e4, 3e4, -3e4, 3e4]]])
    grey = torch.tensor([[[0.0, 1.0, 1.0, 0.5]]])
    torch.testing.assert_close(bernoulli_nll(logits, grey), torch.tensor([4.5e4]))


def test_recon_is_the_summed_bernoulli_log_likelihood_of_grey_levels() -> None:
    model = DiscreteVAE(8, 4, [_generator()])
    images = _images(5)
    loss = model.evaluate(images, _all_in_category_2)
    logits = model.encode(images)
    probs = torch.sigmoid(model.decode(_all_in_category_2(logits).sample)).double()
    grey = images / 255
    log_likelihood = grey * probs.log() + (1 - grey) * (1 - probs).log()
    expected = -log_likelihood.sum((-1, -2))
    check_equal_but_for_rounding(loss.recon, expected, length=images.numel())
    torch.testing.assert_close(loss.kl, kl_to_uniform(logits).sum(-1))


def _plain_networks(model: DiscreteVAE, member: int) -> tuple[torch.nn.Sequential, torch.nn.Sequential]:
    networks = []
    for network in (model.encoder, model.decoder):
        modules: list[torch.nn.Module] = []
        for weight in network.weights:
            layer = torch.nn.Linear(weight.shape[1] - 1, weight.shape[2])
            with torch.no_grad():
                layer.weight.copy_(weight[member, :-1].t())
                layer.bias.copy_(weight[member, -1])
            modules += [layer, torch.nn.ReLU()]
        networks.append(torch.nn.Sequential(*modules[:-1]))
    return networks[0], networks[1]


def _forward(model: DiscreteVAE) -> int:
    """Roundings on the way to a loss: sums are as long as a layer's input, the loss's as there are pixels."""
    layers = [*model.encoder.weights, *model.decoder.weights]
    return sum(weight.shape[1] for weight in layers) + NUM_PIXELS


def _check_equal_gradients(model: DiscreteVAE, member: int, plain: tuple[torch.nn.Sequential, ...]) -> None:
    for network, reference in zip((model.encoder, model.decoder), plain, strict=True):
        layers = [layer for layer in reference if isinstance(layer, torch.nn.Linear)]
        for gradient, layer in zip(network.weight_gradients, layers, strict=True):
            assert layer.weight.grad is not None
            assert layer.bias.grad is not None
            expected = torch.cat((layer.weight.grad.t(), layer.bias.grad.unsqueeze(0)))
            check_equal_but_for_rounding(gradient[member], expected, length=2 * _forward(model))


def _given_to_encoder(model: DiscreteVAE) -> list[torch.Tensor]:
    """Return where the gradients that the encoder is given are left, each of shape (P, B, L·C)."""
    given: list[torch.Tensor] = []
    backward = model.encoder.backward

    def noting(grad: torch.Tensor, scale: float) -> torch.Tensor:
        given.append(grad.clone())
        return backward(grad, scale)

    model.encoder.backward = noting  # type: ignore[assignment, method-assign]
    return given


def _check_objective_gradients(model: DiscreteVAE, images: torch.Tensor, name: str) -> None:
    """Compare with the estimator's own rule, given the loss of plain networks."""
    members = len(model.parameters)
    estimator = estimators.get(name)
    values = {own.name: 3 if own.is_integer else 0.7 for own in estimator.hyperparameters}
    draw = partial(estimator.draw, **values, generator=[_generator(seed) for seed in range(members)])
    given = _given_to_encoder(model)
    loss = model.differentiate(images, draw)
    for member in range(members):
        encoder, decoder = _plain_networks(model, member)
        grey = images[member % len(images)] / 255

        def recon_of(sample: torch.Tensor, grey=grey, decoder=decoder) -> torch.Tensor:
            pixels = decoder(sample.flatten(-2))
            grey = grey.expand(pixels.shape)
            return functional.binary_cross_entropy_with_logits(pixels, grey, reduction="none").sum(-1)

        logits = encoder(grey).view(1, -1, model.latent_dim, model.categorical_dim)
        drawn = estimator.draw(logits.detach(), **values, generator=[_generator(member)])
        gradient = drawn.rule(recon_of, None).gradient
        recon = recon_of(drawn.sample)
        gradient = gradient + kl_to_uniform_and_gradient(logits.detach())[1]
        # Differences of two losses, up to twice them, each a rounded sum.
        largest = 4 * float(recon.detach().max())
        passed = given[0][member].view_as(gradient)
        check_equal_but_for_rounding(passed, gradient, length=LOSS_SUM, size=largest)
        ((recon.sum() + (logits * passed).sum()) / logits.shape[1]).backward()
        check_equal_but_for_rounding(loss.recon[member], recon.sum().detach(), length=_forward(model))
        _check_equal_gradients(model, member, (encoder, decoder))


WITH_OBJECTIVE = [
    name for name, one in estimators.REGISTRY.items() if one.needs_objective and one.categorical_dim is None
]


@pytest.mark.parametrize("name", WITH_OBJECTIVE)
def test_gradient_of_an_estimator_that_evaluates_is_its_rule_s(name: str) -> None:
    model = DiscreteVAE(4, 3, [_generator(seed) for seed in range(2)])
    assert complaint(_check_objective_gradients, model, _images(20, members=2), name) == ""


@pytest.mark.parametrize("name", WITH_OBJECTIVE)
def test_objective_check_rejects_losses_of_other_images(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class OfOtherImages(Reconstruction):
        def __init__(self, decoder: PackedMLP, grey_levels: torch.Tensor) -> None:
            super().__init__(decoder, grey_levels.roll(1, 1))

    model = DiscreteVAE(4, 3, [_generator(seed) for seed in range(2)])
    monkeypatch.setattr("trainables.models.discrete_vae.Reconstruction", OfOtherImages)
    with pytest.raises(AssertionError, match="not close"):
        _check_objective_gradients(model, _images(20, members=2), name)


def test_objective_is_evaluated_after_the_decoder_s_own_gradient_and_in_bounded_chunks() -> None:
    """Of 20 images 50 samples are a chunk; 64 samples are two."""
    model, seen = DiscreteVAE(8, 4, [_generator()]), []

    def sampler(logits: torch.Tensor) -> ObjectiveDraw:
        def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
            seen.append((chunk_size, float(model.decoder.weight_gradients[0].abs().max())))
            return ObjectiveGradient(torch.zeros(logits.shape[:2]), torch.zeros_like(logits))

        return ObjectiveDraw(_all_in_category_2(logits).sample, rule)

    model.differentiate(_images(20), sampler)
    ((chunk_size, decoder_gradient),) = seen
    assert chunk_size == 50
    assert decoder_gradient > 0


def _check_gradients(model: DiscreteVAE, images: torch.Tensor, name: str) -> None:
    """Compare the gradient of the mean negative ELBO with automatic differentiation of the same draw."""
    members = len(model.parameters)
    estimator = estimators.get(name)
    fixed = {"temperature": 0.7}
    draw = partial(estimator.draw, **fixed, generator=[_generator(seed) for seed in range(members)])
    loss = model.differentiate(images, draw)
    for member in range(members):
        encoder, decoder = _plain_networks(model, member)
        grey = images[member % len(images)] / 255
        logits = encoder(grey).view(1, -1, model.latent_dim, model.categorical_dim)
        sample = estimator.function(logits, **fixed, generator=_generator(member))
        log_probs = torch.log_softmax(logits, -1)
        constant = logits.shape[1] * model.latent_dim * math.log(model.categorical_dim)
        kl = (log_probs.exp() * log_probs).sum() + constant
        pixels = decoder(sample.flatten(-2))[0]
        recon = functional.binary_cross_entropy_with_logits(pixels, grey, reduction="none").sum()
        ((recon + kl) / logits.shape[1]).backward()
        check_equal_but_for_rounding(loss.recon[member], recon.detach(), length=_forward(model))
        # The KL is a small difference of numbers near this constant.
        check_equal_but_for_rounding(loss.kl[member], kl.detach(), length=logits[0].numel(), size=constant)
        _check_equal_gradients(model, member, (encoder, decoder))


@pytest.mark.parametrize(("categorical_dim", "latent_dim"), LATENTS)
@pytest.mark.parametrize("name", ["st", "reinmax"])
def test_gradient_equals_automatic_differentiation(name: str, categorical_dim: int, latent_dim: int) -> None:
    model = DiscreteVAE(categorical_dim, latent_dim, [_generator(seed) for seed in range(2)])
    assert complaint(_check_gradients, model, _images(20, members=2), name) == ""


def test_gradient_check_rejects_a_model_that_forgets_the_kl_term(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_gradient(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return kl_to_uniform_and_gradient(logits)[0], torch.zeros_like(logits)

    model = DiscreteVAE(8, 4, [_generator()])
    monkeypatch.setattr("trainables.models.discrete_vae.kl_to_uniform_and_gradient", without_gradient)
    with pytest.raises(AssertionError, match="not close"):
        _check_gradients(model, _images(20), "st")


def test_kl_term_does_not_pass_through_the_estimator() -> None:
    model = DiscreteVAE(8, 4, [_generator()])
    model.differentiate(_images(5), _all_in_category_2)
    of_kl = model.encoder.weight_gradients[0]
    encoder, _ = _plain_networks(model, 0)
    logits = encoder(_images(5)[0] / 255).view(5, 4, 8)
    log_probs = torch.log_softmax(logits, -1)
    (log_probs.exp() * log_probs).sum((-1, -2)).mean().backward()
    first = encoder[0]
    assert isinstance(first, torch.nn.Linear)
    assert first.weight.grad is not None
    check_equal_but_for_rounding(of_kl[0, :-1].t(), first.weight.grad, length=2 * _forward(model))
    assert of_kl.abs().max() > 0
