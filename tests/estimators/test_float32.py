"""float32 gradients against the float64 oracle on the same draws, and finite where probabilities underflow.

The tolerance is the backward-stable one: an input rounded to float32 moves logits/τ by eps·|logits|/τ, so no
method that sees float32 logits can promise less; a fifth of that bound is asked for, about 1e-6 at τ = 1.
"""

import pytest
import torch

from tests.estimators import oracles
from tests.estimators.oracles import Draw, Hyperparameters, draw, normal
from tests.estimators.rule_table import RULES, conditional_draws, seeded

EPS = torch.finfo(torch.float32).eps


def check_accurate(name, rule, scale, temperature):
    h = Hyperparameters(temperature=temperature, eta=1.0, gap=1.0, num_mc_samples=4)
    d = draw(normal(64, 2, 6, seed=1, scale=scale).float(), seed=2)
    g = normal(64, 2, 6, seed=3, dtype=torch.float32)
    y = conditional_draws(name, d, h.num_mc_samples, seeded(4))
    literal = oracles.RULES[name](_double(d), y.double(), h)
    expected = oracles.apply(literal, g.double())
    actual = rule(d, g, h, seeded(4))
    assert actual.dtype == torch.float32
    largest = max(d.logits.abs().max(), d.perturbed.abs().max(), y.abs().max()).item()
    rounding = EPS * (1 + largest * max(1, 1 / temperature)) * g.abs().max().item() * (1 + 1 / temperature)
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=0.2 * rounding)


def _double(d: Draw) -> Draw:
    return Draw(d.logits.double(), d.gumbels.double())


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("scale", [1.0, 20.0])
@pytest.mark.parametrize("name", RULES)
def test_equals_float64_oracle(name, scale, temperature):
    check_accurate(name, RULES[name], scale, temperature)


def _in_half(rule):
    def rounded(d, g, h, generator):
        half = Draw(d.logits.bfloat16().float(), d.gumbels)
        return rule(half, g, h, generator)

    return rounded


def _biased(rule):
    return lambda d, g, h, generator: rule(d, g, h, generator) * (1 + 1e-5)


@pytest.mark.parametrize("planted", [_in_half, _biased], ids=["bfloat16 logits", "off by 1e-5"])
@pytest.mark.parametrize("name", RULES)
def test_check_rejects(name, planted):
    with pytest.raises(AssertionError, match="not close"):
        check_accurate(name, planted(RULES[name]), 1.0, 1.0)


def check_finite_at_underflow(rule, temperature):
    """Every category as the draw, among them those whose probability underflows to 0."""
    rows = torch.tensor([[80.0, -80, 0, 79], [80, 80, 80, 80], [-80, -80, -80, -80], [-80, 80, -80, 80]])
    g = torch.tensor([1.0, -3.0, 2.0, 0.5])
    h = Hyperparameters(temperature=temperature, num_mc_samples=3)
    for sample in torch.eye(4):
        d = Draw(rows, 200 * sample.expand(rows.shape) + 0.1)
        result = rule(d, g.expand(rows.shape), h, seeded(1))
        assert result.isfinite().all(), f"not finite: {result.tolist()}"
        bound = 1.25 * (1 + 1 / temperature) * 3.0
        assert result.abs().max() <= bound, f"gradient beyond {bound}: {result.abs().max()}"


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("name", RULES)
def test_is_finite_and_bounded_when_the_draw_is_improbable(name, temperature):
    check_finite_at_underflow(RULES[name], temperature)


def _logarithm_of_rounded_probability(d, g, h, _generator):
    """Eq. 16 as printed: autograd through log((π + D) / 2) meets 0 / 0."""
    heun = oracles.theta_d(d.logits, d.sample)
    return oracles.apply(oracles.softmax_jacobian(heun - heun.logsumexp(-1, keepdim=True) * heun, 1.0), g)


def _exponential_of_logits(d, g, h, _generator):
    weights = torch.exp(d.logits / h.temperature)
    return oracles.apply(oracles.probs_jacobian(weights / weights.sum(-1, keepdim=True)), g) / h.temperature


@pytest.mark.parametrize("planted", [_logarithm_of_rounded_probability, _exponential_of_logits])
def test_finite_check_rejects(planted):
    with pytest.raises(AssertionError, match="not finite"):
        check_finite_at_underflow(planted, 0.1)
