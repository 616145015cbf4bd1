"""Every backward rule against its literal C x C Jacobian version, given the same draws."""

from dataclasses import replace

import pytest
import torch

from estimators import get
from tests.estimators import oracles
from tests.estimators.objectives import mlp
from tests.estimators.oracles import Draw, Hyperparameters, draw, mean_jacobian, normal, softmax_jacobian
from tests.estimators.registry_table import PATHWISE, sample_of
from tests.estimators.rule_table import RULES, conditional_draws, forward_value, replayed_draw, seeded

PACK = Hyperparameters(
    temperature=torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64).view(3, 1, 1, 1),
    eta=torch.tensor([0.5, 1.5, -1.0], dtype=torch.float64).view(3, 1, 1, 1),
    gap=torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64).view(3, 1, 1, 1),
    beta=torch.tensor([0.5, 0.0, 1.2], dtype=torch.float64).view(3, 1, 1, 1),
    num_mc_samples=3,
)
HYPERPARAMETERS = {
    "all one": Hyperparameters(),
    "cold": Hyperparameters(temperature=0.1, eta=1.5, gap=0.5, beta=0.0, num_mc_samples=1),
    "cool": Hyperparameters(temperature=0.6, eta=0.3, gap=0.0, beta=-0.2, num_mc_samples=7),
    "hot": Hyperparameters(temperature=3.0, eta=2.0, gap=2.5, beta=1.0, num_mc_samples=4),
    "pack": PACK,
}


def check_equals_literal(name, rule, h, literal=None):
    """`rule` at a fixed draw equals g times the literal Jacobian with the same conditional Gumbels."""
    literal = literal or oracles.RULES[name]
    d, g = draw(normal(3, 4, 2, 5, seed=1, scale=1.5), seed=2), normal(3, 4, 2, 5, seed=3)
    conditional = conditional_draws(name, d, h.num_mc_samples, seeded(4))
    expected = oracles.apply(literal(d, conditional, h), g)
    actual = rule(d, g, h, seeded(4))
    torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-12)


def test_every_rule_is_an_estimator_s_and_has_an_oracle():
    assert set(RULES) == set(oracles.RULES) <= set(PATHWISE)


@pytest.mark.parametrize("h", HYPERPARAMETERS.values(), ids=HYPERPARAMETERS)
@pytest.mark.parametrize("name", RULES)
def test_equals_literal_jacobian(name, h):
    check_equals_literal(name, RULES[name], h)


def _tempered_last_term(d, y, h):
    """As Algorithm 1 prints it."""
    return 2 * mean_jacobian(y, h.temperature) - 0.5 * softmax_jacobian(d.logits, h.temperature)


def _last_term_at_theta_d(d, y, h):
    """As Eq. 17 prints it."""
    heun = oracles.theta_d(d.logits, d.sample)
    return 2 * mean_jacobian(y, h.temperature) - 0.5 * softmax_jacobian(heun, h.temperature)


def _jacobian_at_mean(d, y, h):
    return softmax_jacobian(y.mean(-1), h.temperature)


def _reinmax_tempered_throughout(d, y, h):
    return oracles.reinmax(d, y, h) + 0.5 * (
        softmax_jacobian(d.logits) - oracles.probs_jacobian((d.logits / h.temperature).softmax(-1))
    )


def _cv_temperature_inside(d, y, h):
    heun = oracles.theta_d(d.logits, d.sample) + d.relaxed(h.temperature)
    return oracles.reinmax_cv(d, y, h) + h.eta * (
        softmax_jacobian(heun) / h.temperature - softmax_jacobian(heun, h.temperature)
    )


def _cv_no_temperature_outside(d, y, h):
    heun = oracles.theta_d(d.logits, d.sample) + d.relaxed(h.temperature)
    return oracles.reinmax_cv(d, y, h) + h.eta * (1 / h.temperature - 1) * softmax_jacobian(heun)


def _cv_unrelaxed(d, y, h):
    return oracles.reinmax_cv(Draw(d.logits, 1e6 * d.sample), y, h)


def _cv_tempered_heun(d, y, h):
    """θ_D from π_τ: 2 J_1 at another θ_D."""
    heun = torch.log(((d.logits / h.temperature).softmax(-1) + d.sample) / 2)
    plain = oracles.theta_d(d.logits, d.sample)
    return oracles.reinmax_cv(d, y, h) + 2 * (softmax_jacobian(heun) - softmax_jacobian(plain))


def _with(rule, **changes):
    return lambda d, y, h: rule(d, y, replace(h, **changes))


def _rao_missing_factor_two(d, y, h):
    return oracles.reinmax_rao(d, y, h) - mean_jacobian(y, h.temperature)


def _cv_tempered_last_term(d, y, h):
    last = softmax_jacobian(d.logits) - softmax_jacobian(d.logits, h.temperature)
    return oracles.reinmax_cv(d, y, h) + 0.5 * last


def _rk2_weights_swapped(d, y, h):
    return oracles.reinmax_rk2(d, y, replace(h, beta=1 - h.beta))


def _rk2_transposed(d, y, h):
    return oracles.reinmax_rk2(d, y, h).mT


def _rk2_last_term_not_weighted(d, y, h):
    return oracles.reinmax_rk2(d, y, h) + (h.beta - 0.5) * softmax_jacobian(d.logits)


def _without_inverse_temperature(rule):
    return lambda d, y, h: h.temperature * rule(d, y, h)


PLANTED = [
    ("st", "no 1/τ", _without_inverse_temperature(oracles.st)),
    ("st", "1/τ twice", lambda d, y, h: oracles.st(d, y, h) / h.temperature),
    ("st", "τ left out", _with(oracles.st, temperature=1.0)),
    ("stgs", "no 1/τ", _without_inverse_temperature(oracles.stgs)),
    ("stgs", "J at θ", oracles.st),
    ("concrete", "no 1/τ", _without_inverse_temperature(oracles.concrete)),
    ("concrete", "J at θ", oracles.st),
    ("gst", "no 1/τ", _without_inverse_temperature(oracles.gst)),
    ("gst", "no gap", _with(oracles.gst, gap=0.0)),
    ("gst", "J at θ", oracles.st),
    ("reinmax", "with 1/τ", lambda d, y, h: oracles.reinmax(d, y, h) / h.temperature),
    ("reinmax", "π_τ in the last term", _reinmax_tempered_throughout),
    ("reinmax", "τ left out", _with(oracles.reinmax, temperature=1.0)),
    ("reinmax_argmax", "D for the argmax", oracles.reinmax),
    ("reinmax_argmax", "with 1/τ", lambda d, y, h: oracles.reinmax_argmax(d, y, h) / h.temperature),
    ("reinmax_argmax", "τ left out", _with(oracles.reinmax_argmax, temperature=1.0)),
    ("reinmax_rk2", "β = ½ always", _with(oracles.reinmax_rk2, beta=0.5)),
    ("reinmax_rk2", "β and 1 - β exchanged", _rk2_weights_swapped),
    ("reinmax_rk2", "transposed", _rk2_transposed),
    ("reinmax_rk2", "½ for β in the last term", _rk2_last_term_not_weighted),
    ("gumbel_rao", "no 1/τ", _without_inverse_temperature(oracles.gumbel_rao)),
    ("gumbel_rao", "sum over draws", lambda d, y, h: y.shape[-1] * oracles.gumbel_rao(d, y, h)),
    ("gumbel_rao", "J at the mean draw", _jacobian_at_mean),
    ("reinmax_rao", "J_τ(θ) in the last term", _tempered_last_term),
    ("reinmax_rao", "last term at θ_D", _last_term_at_theta_d),
    ("reinmax_rao", "missing factor 2", _rao_missing_factor_two),
    ("reinmax_cv", "Gumbels for the relaxed sample", oracles.reinmax_cv_alg2),
    ("reinmax_cv", "τ inside the softmax too", _cv_temperature_inside),
    ("reinmax_cv", "no 1/τ outside", _cv_no_temperature_outside),
    ("reinmax_cv", "D for the relaxed sample", _cv_unrelaxed),
    ("reinmax_cv", "η left out", _with(oracles.reinmax_cv, eta=1.0)),
    ("reinmax_cv", "η with the other sign", _with(oracles.reinmax_cv, eta=-0.3)),
    ("reinmax_cv", "θ_D from π_τ", _cv_tempered_heun),
    ("reinmax_cv", "J_τ(θ) in the last term", _cv_tempered_last_term),
    ("reinmax_cv_alg2", "relaxed sample for the Gumbels", oracles.reinmax_cv),
    ("reinmax_cv_alg2", "control variate left out", _with(oracles.reinmax_cv_alg2, eta=0.0)),
]


@pytest.mark.parametrize(
    ("name", "planted"), [pytest.param(name, rule, id=f"{name}: {why}") for name, why, rule in PLANTED]
)
def test_check_rejects(name, planted):
    h = Hyperparameters(temperature=0.6, eta=0.3, gap=0.5, beta=0.2, num_mc_samples=7)
    with pytest.raises(AssertionError, match="not close"):
        check_equals_literal(name, RULES[name], h, literal=planted)


@pytest.mark.parametrize("name", ["reinmax_cv", "reinmax_cv_alg2"])
def test_control_variate_of_weight_zero_leaves_reinmax(name):
    d, g = draw(normal(3, 2, 4, seed=1), seed=2), normal(3, 2, 4, seed=3)
    h = Hyperparameters(temperature=0.4, eta=0.0)
    expected = RULES["reinmax"](d, g, replace(h, temperature=1.0), seeded(4))
    torch.testing.assert_close(RULES[name](d, g, h, seeded(4)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_public_gradient_is_the_rule_at_the_draw(name):
    """Through a real f: replays the draw from an equally seeded generator, then applies the rule to ∂f/∂D."""
    h = Hyperparameters(temperature=0.7, eta=1.5, gap=0.5, beta=0.2, num_mc_samples=3)
    logits = normal(5, 2, 4, seed=1).requires_grad_()
    sample = sample_of(get(name), logits, seeded(7), h)
    mlp(sample).sum().backward()

    generator, theta = seeded(7), logits.detach()
    d = replayed_draw(name, theta, generator)
    assert torch.equal(sample, forward_value(get(name), d, h))
    g = oracles.objective_gradient(mlp, sample.detach())
    torch.testing.assert_close(logits.grad, RULES[name](d, g, h, generator), rtol=0, atol=1e-13)
