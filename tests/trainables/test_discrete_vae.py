from __future__ import annotations

import math

import torch

from trainables.discrete_vae import DiscreteVAE, kl_to_uniform


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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


def test_recon_is_the_summed_bernoulli_log_likelihood_of_grey_levels() -> None:
    model = DiscreteVAE(8, 4, [_generator()])
    images = torch.rand(1, 5, 784, generator=_generator())
    sample = torch.zeros(1, 5, 4, 8)
    sample[..., 2] = 1.0
    loss = model(images, lambda logits: sample)
    probs = torch.sigmoid(model.decode(sample)).double()
    log_likelihood = images * probs.log() + (1 - images) * (1 - probs).log()
    torch.testing.assert_close(loss.recon.double(), -log_likelihood.sum(-1).mean(-1), rtol=1e-5, atol=0)
    torch.testing.assert_close(loss.kl, kl_to_uniform(model.encode(images)).mean(-1))


def test_kl_term_does_not_pass_through_the_estimator() -> None:
    model = DiscreteVAE(8, 4, [_generator()])
    images = torch.rand(1, 5, 784, generator=_generator())
    loss = model(images, torch.zeros_like)
    (gradient,) = torch.autograd.grad(loss.total.sum(), model.encoder[0].weight, retain_graph=True)
    (of_kl,) = torch.autograd.grad(loss.kl.sum(), model.encoder[0].weight)
    assert torch.equal(gradient, of_kl)
    assert of_kl.abs().max() > 0
