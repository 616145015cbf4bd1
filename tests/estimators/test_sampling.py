"""Draws and gradients of the public functions, end to end, against brute force over Gumbel noise."""

import pytest
import torch

from estimators import REGISTRY, sampling
from estimators.sampling import sample_one_hot
from estimators.score_function.samples import inverse_cumulative
from tests.estimators import oracles
from tests.estimators.oracles import (
    Draw,
    Hyperparameters,
    conditional_logits,
    normal,
    one_hot,
    rejected_gumbels,
)
from tests.estimators.registry_table import PATHWISE, sample_of
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_frequencies, check_means_agree

H = Hyperparameters(temperature=0.6, eta=1.5, gap=0.5, beta=0.2, num_mc_samples=2)


def bind(estimator):
    return lambda logits, generator: sample_of(estimator, logits, generator, H)


OF_ANY_C = {name: estimator for name, estimator in REGISTRY.items() if estimator.categorical_dim is None}
ESTIMATORS = [pytest.param(bind(estimator), id=name) for name, estimator in OF_ANY_C.items()]
ONE_HOT = [
    pytest.param(bind(estimator), id=name) for name, estimator in OF_ANY_C.items() if estimator.is_one_hot
]


def hard(scores):
    return one_hot(scores.argmax(-1), scores)


def gumbels(shape, generator):
    uniform = torch.rand(shape, dtype=torch.float64, generator=generator).clamp(1e-15, 1 - 1e-15)
    return -torch.log(-torch.log(uniform))


# The forward draw: D ~ π at every temperature, variables and batch entries independent.


def check_draws(function):
    logits = normal(2, 3, seed=1)
    sample = function(logits.expand(20_000, 2, 3), seeded(2))
    index = sample.argmax(-1)
    check_frequencies(3 * index[:, 0] + index[:, 1], oracles.state_probs(logits))
    first = torch.softmax(logits[0], -1)
    check_frequencies(3 * index[::2, 0] + index[1::2, 0], torch.outer(first, first).flatten())


@pytest.mark.parametrize("function", ESTIMATORS)
def test_draws_have_the_softmax_probabilities(function):
    check_draws(function)


PLANTED_DRAWS = {
    "π_τ for π": lambda x, r: hard(x / H.temperature + gumbels(x.shape, r)),
    "argmax": lambda x, _: hard(x),
    "uniform": lambda x, r: hard(gumbels(x.shape, r)),
    "sign of the noise": lambda x, r: hard(x - gumbels(x.shape, r)),
    "uniform noise": lambda x, r: hard(x + torch.rand(x.shape, generator=r)),
    "noise shared by variables": lambda x, r: hard(x + gumbels((len(x), 1, 3), r)),
    "noise used twice": lambda x, r: hard(x + gumbels(x[::2].shape, r).repeat_interleave(2, 0)),
}


@pytest.mark.parametrize("planted", PLANTED_DRAWS.values(), ids=PLANTED_DRAWS)
def test_draw_check_rejects(planted):
    with pytest.raises(AssertionError, match="frequencies differ"):
        check_draws(planted)


@pytest.mark.parametrize("function", ONE_HOT)
@pytest.mark.parametrize("impossible", [0, 1, 3])
def test_category_whose_probability_underflows_is_never_drawn(function, impossible):
    """Not even as the last one, where rounding may leave the cumulative probabilities short of one."""
    logits = normal(4, seed=3, scale=0.1, dtype=torch.float32)
    logits[impossible] = -300.0
    sample = function(logits.expand(100_000, 1, 4), seeded(4))
    assert torch.equal(sample.sum(-1), torch.ones(100_000, 1))
    assert sample[..., impossible].sum() == 0
    assert (sample.sum((0, 1)) > 0).sum() == 3


# Draws where rounding and ties decide, from noise that is told.


def one_hot_at(logits, uniforms):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sampling, "uniform", lambda shape, _, *, like: uniforms.to(like.dtype).clone().view(shape)
        )
        sample = sample_one_hot(logits.expand(len(uniforms), 1, -1), None)[:, 0]
    assert torch.equal(sample.sum(-1), torch.ones(len(uniforms), dtype=sample.dtype)), "no category is drawn"
    return sample.argmax(-1)


inverting = pytest.mark.parametrize("draw_at", [one_hot_at, inverse_cumulative])


@inverting
def test_a_category_begins_where_the_one_before_ends(draw_at):
    """Of four alike, u = ¼ is the second's: the first has [0, ¼), and not one number more."""
    uniforms = torch.tensor([0.0, 0.25, 0.5, 0.75])
    assert draw_at(torch.zeros(4), uniforms).tolist() == [0, 1, 2, 3]
    assert draw_at(torch.zeros(4), torch.nextafter(uniforms[1:], torch.tensor(0.0))).tolist() == [0, 1, 2]


@inverting
def test_an_impossible_first_category_is_not_drawn_at_zero(draw_at):
    assert draw_at(torch.tensor([-300.0, 0.0, 0.0]), torch.zeros(1)).tolist() == [1]


@inverting
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_largest_uniform_number_draws_a_possible_category(draw_at, dtype):
    """However far the rounded probabilities sum from one: the threshold is a share of their own total."""
    largest = torch.nextafter(torch.ones(1, dtype=dtype), torch.zeros(1, dtype=dtype))
    for seed in range(200):
        logits = normal(50, seed=seed, scale=3, dtype=dtype)
        logits[-1] = -1e4
        assert draw_at(logits, largest).item() < 49


# The gradient given D: its mean over whatever other noise the estimator uses.

LOGITS = torch.tensor([0.4, -0.6, 0.9], dtype=torch.float64)
GRAD = torch.tensor([1.0, -1.5, 2.0], dtype=torch.float64)


def reference_gradients(name, category):
    """Draws (M, C) of the literal rule given D, its noise found by rejection."""
    _, noise = rejected_gumbels(LOGITS, category, 50_000, seed=20 + category)
    sample = one_hot(torch.tensor(category), LOGITS)
    y, _ = rejected_gumbels(conditional_logits(name, LOGITS, sample), category, 50_000, seed=30 + category)
    count = min(len(noise), len(y))
    d = Draw(LOGITS.expand(count, 3), noise[:count])
    return oracles.apply(oracles.RULES[name](d, y[:count, :, None], H), GRAD.expand(count, 3))


def sampled_gradients(function):
    logits = LOGITS.expand(9000, 1, 3).clone().requires_grad_()
    sample = function(logits, seeded(4))
    (sample * GRAD).sum().backward()
    return sample[:, 0].detach(), logits.grad[:, 0]


def check_conditional_gradient(name, sample, gradient):
    for category in range(3):
        check_means_agree(gradient[sample.argmax(-1) == category], reference_gradients(name, category))


@pytest.mark.parametrize("name", PATHWISE)
def test_mean_gradient_given_the_draw_agrees_with_brute_force(name):
    check_conditional_gradient(name, *sampled_gradients(bind(REGISTRY[name])))


def _planted(rule, name, *, rule_sample=None, fresh_noise=False, conditional=None):
    """The literal rule with part of its randomness taken from the wrong place."""

    def gradients():
        generator = seeded(4)
        logits = LOGITS.expand(9000, 3)
        d = Draw(logits, gumbels(logits.shape, generator))
        sample = d.sample
        if fresh_noise:
            d = _WithSample(logits, gumbels(logits.shape, generator), sample)
        if rule_sample is not None:
            d = _WithSample(logits, d.gumbels, rule_sample(logits))
        given = (conditional or conditional_logits)(name, logits, sample)
        y = _literal_conditional(given, sample, generator)
        return sample, oracles.apply(rule(d, y, H), GRAD.expand(9000, 3))

    return gradients


class _WithSample(Draw):
    def __init__(self, logits, noise, sample):
        super().__init__(logits, noise)
        object.__setattr__(self, "_sample", sample)

    @property
    def sample(self):
        return self._sample


def _literal_conditional(logits, sample, generator):
    """Eq. 7 at normalised logits; at None, Gumbels that know nothing of the sample."""
    if logits is None:
        return (LOGITS + gumbels(sample.shape, generator)).unsqueeze(-1)
    e = torch.exp(-gumbels(sample.shape, generator))
    winner = (e * sample).sum(-1, keepdim=True)
    y = -torch.log(torch.where(sample > 0, winner, e / torch.softmax(logits, -1) + winner))
    return y.unsqueeze(-1)


def _free(_name, _logits, _sample):
    return None


def _at_theta(_name, logits, _sample):
    return logits


def _at_theta_d(_name, logits, sample):
    return oracles.theta_d(logits, sample)


PLANTED = [
    ("st", "noise", _planted(oracles.stgs, "st")),
    ("stgs", "no noise", _planted(oracles.st, "stgs")),
    ("stgs", "fresh noise in the backward pass", _planted(oracles.stgs, "stgs", fresh_noise=True)),
    ("gst", "argmax for D", _planted(oracles.gst, "gst", rule_sample=hard)),
    ("reinmax", "argmax for D", _planted(oracles.reinmax, "reinmax", rule_sample=hard)),
    ("concrete", "no noise", _planted(oracles.st, "concrete")),
    ("concrete", "fresh noise in the backward pass", _planted(oracles.stgs, "concrete", fresh_noise=True)),
    ("reinmax_argmax", "D for the argmax", _planted(oracles.reinmax, "reinmax_argmax")),
    ("reinmax_rk2", "argmax for D", _planted(oracles.reinmax_rk2, "reinmax_rk2", rule_sample=hard)),
    ("gumbel_rao", "free noise", _planted(oracles.gumbel_rao, "gumbel_rao", conditional=_free)),
    ("gumbel_rao", "Y at θ_D", _planted(oracles.gumbel_rao, "gumbel_rao", conditional=_at_theta_d)),
    ("reinmax_rao", "Y at θ", _planted(oracles.reinmax_rao, "reinmax_rao", conditional=_at_theta)),
    ("reinmax_cv", "Y at θ", _planted(oracles.reinmax_cv, "reinmax_cv", conditional=_at_theta)),
    ("reinmax_cv", "fresh relaxed sample", _planted(oracles.reinmax_cv, "reinmax_cv", fresh_noise=True)),
    ("reinmax_cv", "as printed", _planted(oracles.reinmax_cv_alg2, "reinmax_cv")),
    ("reinmax_cv_alg2", "as run", _planted(oracles.reinmax_cv, "reinmax_cv_alg2")),
    ("reinmax_cv_alg2", "fresh G", _planted(oracles.reinmax_cv_alg2, "reinmax_cv_alg2", fresh_noise=True)),
]


@pytest.mark.parametrize(
    ("name", "planted"), [pytest.param(name, rule, id=f"{name}: {why}") for name, why, rule in PLANTED]
)
def test_gradient_check_rejects(name, planted):
    with pytest.raises(AssertionError, match="means differ"):
        check_conditional_gradient(name, *planted())


@pytest.mark.parametrize("name", PATHWISE)
def test_gradient_check_accepts_the_literal_rule(name):
    check_conditional_gradient(name, *_planted(oracles.RULES[name], name)())
