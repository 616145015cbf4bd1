from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import functional

import estimators
from tests.rounding import check_equal_but_for_rounding
from trainables.models import reconstruction
from trainables.models.bernoulli_vae import BernoulliVAE
from trainables.models.discrete_vae import NegElbo, Sampler, kl_to_uniform
from trainables.models.network_sizes import BERNOULLI_VAE
from trainables.models.networks import PackedMLP

LATENT_DIM, BATCH_SIZE = 16, 4
SEEDS = (3, 7)
FORWARD = sum(map(sum, BERNOULLI_VAE.widths(LATENT_DIM)))
"""Roundings on the way to a loss: a layer's sums are as long as its input, the loss's as there are pixels."""
STEP = 2 * FORWARD
LOSS_SUM = 784 // 16 + 16
"""Roundings in the sum over pixels alone, which any kernel takes as 16 sums or more side by side."""


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images() -> torch.Tensor:
    noise = torch.rand(len(SEEDS), BATCH_SIZE, 784, generator=_generator(1))
    return (noise**6 * 255).to(torch.uint8)


def _model(num_samples: int | None = None, latent_dim: int = LATENT_DIM) -> BernoulliVAE:
    return BernoulliVAE(latent_dim, num_samples, [_generator(seed) for seed in SEEDS])


def _sampler(name: str, **hyperparameters: Any) -> Sampler:
    noise = [_generator(10 + seed) for seed in SEEDS]
    return partial(estimators.get(name).draw, **hyperparameters, generator=noise)


def _given_to_encoder(model: BernoulliVAE, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Return where the gradients with respect to θ, shape (P, B, L), are left that the encoder is given."""
    given: list[torch.Tensor] = []
    backward = model.encoder.backward

    def noting(grad: torch.Tensor, scale: float) -> torch.Tensor:
        given.append(grad.clone())
        return backward(grad, scale)

    monkeypatch.setattr(model.encoder, "backward", noting)
    return given


def _check_differences_of_losses(actual: torch.Tensor, expected: torch.Tensor, loss: NegElbo) -> None:
    """Compare estimates of ∂f/∂θ that differences of two losses make, up to twice them; each is rounded."""
    largest = 4 * float(loss.recon.max()) / BATCH_SIZE
    check_equal_but_for_rounding(actual, expected, length=LOSS_SUM, size=largest)


def _plain(network: PackedMLP, leaves: list[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """Map (S, P, B, in) to (S, P, B, out) by ordinary layers."""
    for index, weight in enumerate(leaves):
        inputs = torch.relu(inputs) if index else inputs
        inputs = inputs @ weight[:, :-1] + weight[:, -1:]
    return inputs


class Oracle:
    """The same networks, by automatic differentiation, in float64."""

    def __init__(self, model: BernoulliVAE) -> None:
        self.encoder = [weight.double().requires_grad_() for weight in model.encoder.weights]
        self.decoder = [weight.double().requires_grad_() for weight in model.decoder.weights]
        self.model = model
        self.grey = _images().double() / 255
        theta = _plain(model.encoder, self.encoder, self.grey.unsqueeze(0))[0]
        self.logits = torch.stack((torch.zeros_like(theta), theta), -1)

    def losses(self, samples: torch.Tensor) -> torch.Tensor:
        """Map one-hot samples, (S, P, B, L, 2), to losses."""
        pixel_logits = _plain(self.model.decoder, self.decoder, samples[..., 1].double())
        grey = self.grey.expand(pixel_logits.shape)
        nll = functional.binary_cross_entropy_with_logits(pixel_logits, grey, reduction="none")
        return nll.sum(-1)

    def kl(self) -> torch.Tensor:
        posterior = torch.distributions.Bernoulli(logits=self.logits[..., 1])
        half = torch.distributions.Bernoulli(probs=torch.full_like(self.logits[..., 1], 0.5))
        return torch.distributions.kl_divergence(posterior, half).sum(-1)

    def kl_gradient(self) -> torch.Tensor:
        (gradient,) = torch.autograd.grad(self.kl().sum(), self.logits, retain_graph=True)
        return gradient[..., 1]

    def assert_gradients(self, loss: torch.Tensor) -> None:
        """Compare the model's gradients with those of a loss."""
        loss.backward()
        for network, leaves in ((self.model.encoder, self.encoder), (self.model.decoder, self.decoder)):
            for gradient, leaf in zip(network.weight_gradients, leaves, strict=True):
                check_equal_but_for_rounding(gradient, leaf.grad, length=STEP)

    def assert_value(self, loss: NegElbo, recon: torch.Tensor) -> None:
        """Compare the two terms, sums over the images; the KL is a small difference of numbers near log 2."""
        check_equal_but_for_rounding(loss.recon, recon.detach(), length=FORWARD)
        check_equal_but_for_rounding(
            loss.kl, self.kl().sum(-1).detach(), length=FORWARD, size=BATCH_SIZE * LATENT_DIM * math.log(2)
        )


def check_score_function(
    monkeypatch: pytest.MonkeyPatch, name: str, samples_of: str, **hyperparameters: Any
) -> None:
    """θ: the user's function on an ordinary f, with the same draws. Decoder: the samples it drew."""
    model = _model()
    oracle = Oracle(model)
    given = _given_to_encoder(model, monkeypatch)
    loss = model.differentiate(_images(), _sampler(name, **hyperparameters))
    seen: list[torch.Tensor] = []

    def f(samples: torch.Tensor) -> torch.Tensor:
        seen.append(samples)
        with torch.no_grad():
            return oracle.losses(samples)

    draw = _sampler(name, **hyperparameters)(oracle.logits.detach().float())
    estimate = draw.rule(f, None).gradient[..., 1].double()
    drawn = torch.cat(seen) if samples_of == "f" else draw.sample.unsqueeze(0)
    if samples_of == "indecater":  # the first evaluations of each variable hold the samples, but for it
        drawn = _drawn_by_indecater(seen[0], hyperparameters["num_samples"])
    recon = oracle.losses(drawn).mean(0)
    oracle.assert_value(loss, recon.sum(-1))
    _check_differences_of_losses(given[0], estimate + oracle.kl_gradient(), loss)
    through_theta = (given[0].double() * oracle.logits[..., 1]).sum(-1)
    oracle.assert_gradients((recon + through_theta).mean(-1).sum())


@pytest.mark.parametrize("planted", ["no KL", "off by 1e-4"])
def test_check_rejects_a_slightly_wrong_gradient(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if planted == "no KL":
        monkeypatch.setattr(
            "trainables.models.bernoulli_vae.kl_to_uniform_and_gradient",
            lambda logits: (kl_to_uniform(logits).sum(-1), torch.zeros_like(logits)),
        )
    else:
        backward = PackedMLP.backward
        monkeypatch.setattr(
            PackedMLP,
            "backward",
            lambda network, grad, scale, **options: backward(network, grad, scale * (1 + 1e-4), **options),
        )
    with pytest.raises(AssertionError, match="not close"):
        check_score_function(monkeypatch, "rloo", "f", num_samples=3)


def _drawn_by_indecater(evaluated: torch.Tensor, num_samples: int) -> torch.Tensor:
    """Read the samples off the states (variable, category, sample): what most of them agree upon."""
    by_sample = evaluated.unflatten(0, (LATENT_DIM, 2, num_samples))
    return (by_sample.mean((0, 1)) > 0.5).float()


@pytest.mark.parametrize(
    ("name", "samples_of", "hyperparameters"),
    [
        ("rloo", "f", {"num_samples": 2}),
        ("rloo", "f", {"num_samples": 9}),
        ("reinforce", "f", {"num_samples": 3}),
        ("indecater", "indecater", {"num_samples": 2}),
        ("indecater", "indecater", {"num_samples": 1}),
        ("indecater_per_variable", "first", {"num_samples": 1}),
        ("scater", "first", {"num_samples": 1}),
    ],
)
def test_gradients_of_estimators_that_call_f(
    name: str, samples_of: str, hyperparameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "_ROWS_ON_CPU", 3 * BATCH_SIZE)  # several chunks
    check_score_function(monkeypatch, name, samples_of, **hyperparameters)


def test_check_rejects_a_decoder_that_learns_from_one_sample_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_score_function(monkeypatch, "rloo", "first", num_samples=3)


@pytest.mark.parametrize("num_samples", [1, 2, 7])
@pytest.mark.parametrize("name", ["st", "stgs", "reinmax"])
def test_gradients_of_pathwise_estimators_are_means_over_their_samples(
    name: str, num_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = 3
    monkeypatch.setattr(reconstruction, "_ROWS_ON_CPU", chunk * BATCH_SIZE)
    model = _model(num_samples)
    oracle = Oracle(model)
    loss = model.differentiate(_images(), _sampler(name, temperature=0.7))
    sampler = _sampler(name, temperature=0.7)
    losses = []
    for start in range(0, num_samples, chunk):
        size = min(chunk, num_samples - start)
        draw = sampler(oracle.logits.detach().float().repeat(1, size, 1, 1))
        sample = draw.sample.unflatten(1, (size, BATCH_SIZE)).movedim(1, 0).double().requires_grad_()
        at_sample = oracle.losses(sample)
        (grad,) = torch.autograd.grad(at_sample.sum(), sample, retain_graph=True)
        theta_grad = draw.rule(grad.float().movedim(0, 1).flatten(1, 2)).unflatten(1, (size, BATCH_SIZE))
        through = (theta_grad.double().movedim(1, 0) * oracle.logits).sum((-1, -2))
        losses.append(oracle.losses(sample.detach()) + through - through.detach())
    recon = torch.cat(losses).mean(0)
    oracle.assert_value(loss, recon.sum(-1))
    oracle.assert_gradients((recon + oracle.kl()).mean(-1).sum())


def test_evaluation_is_the_negative_elbo_of_one_sample() -> None:
    model = _model()
    oracle = Oracle(model)
    loss = model.evaluate(_images(), _sampler("rloo", num_samples=2))
    sample = _sampler("rloo", num_samples=2)(oracle.logits.detach().float()).sample
    oracle.assert_value(loss, oracle.losses(sample.unsqueeze(0))[0].sum(-1))


@pytest.mark.parametrize(("name", "num_samples"), [("indecater", None), ("stgs", 2)])
def test_recon_gradient_is_the_part_of_the_training_step(
    name: str, num_samples: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hyperparameters = {"num_samples": 2} if num_samples is None else {"temperature": 1.0}
    model = _model(num_samples)
    oracle = Oracle(model)
    stepped = _given_to_encoder(model, monkeypatch)
    loss = model.differentiate(_images(), _sampler(name, **hyperparameters))
    before = model.gradients.clone()
    measured = model.recon_gradient(_images(), _sampler(name, **hyperparameters))
    again = model.recon_gradient(_images(), _sampler(name, **hyperparameters))
    assert torch.equal(measured, again)
    assert measured.shape == (len(SEEDS), BATCH_SIZE, LATENT_DIM)
    expected = stepped[0].double() - oracle.kl_gradient()
    if num_samples is None:
        _check_differences_of_losses(measured, expected, loss)
    else:
        check_equal_but_for_rounding(measured, expected, length=STEP)
    assert torch.equal(model.gradients, before)


def test_pathwise_estimator_without_a_number_of_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="num_samples must be given"):
        _model(None).differentiate(_images(), _sampler("stgs", temperature=1.0))


@pytest.mark.usefixtures("one_thread")  # several take sums of other sizes in another order
@pytest.mark.parametrize(("name", "num_samples"), [("indecater", None), ("rloo", None), ("stgs", 3)])
def test_member_of_a_pack_has_the_gradients_that_it_has_alone(name: str, num_samples: int | None) -> None:
    hyperparameters = {"num_samples": 2} if num_samples is None else {"temperature": 1.0}
    together = _model(num_samples)
    together.differentiate(_images(), _sampler(name, **hyperparameters))
    draw = estimators.get(name).draw
    for index, seed in enumerate(SEEDS):
        alone = BernoulliVAE(LATENT_DIM, num_samples, [_generator(seed)])
        sampler = partial(draw, **hyperparameters, generator=[_generator(10 + seed)])
        alone.differentiate(_images()[index : index + 1], sampler)
        assert torch.equal(together.gradients[index], alone.gradients[0])


def test_estimator_that_calls_f_with_a_number_of_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="num_samples must be left out"):
        _model(2).differentiate(_images(), _sampler("rloo", num_samples=2))
