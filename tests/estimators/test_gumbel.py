"""Gumbel draws: free, conditional on the winner, and averages over the latter."""

import pytest
import torch
from torch import Tensor

from estimators.gumbel import _rows_at_once, averaged_softmax_vjp, sample_gumbel
from tests.complaint import complaint
from tests.estimators import oracles
from tests.estimators.oracles import conditional_gumbels, normal, one_hot, rejected_gumbels
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import (
    check_gumbel_marginals,
    check_means_agree,
    check_same_marginals,
    check_uncorrelated,
)

# Not normalised on purpose: Z is about 9.
LOGITS = torch.tensor([1.0, 0.2, -0.7, 1.5], dtype=torch.float64)
NUM_DRAWS = 10_000


def exponential(shape, generator) -> Tensor:
    return -torch.log(torch.rand(shape, dtype=torch.float64, generator=generator).clamp(min=1e-300))


# Wrong versions of Eq. 7, with the signature of conditional_gumbels.


def eq_7(logits, sample, num_mc_samples, generator, *, z=None, shared=None):
    """Eq. 7 literally, then normalised; the keywords plant errors."""
    e = exponential((*logits.shape, num_mc_samples), generator)
    chosen = sample.unsqueeze(-1) > 0
    if shared == "batch":
        e = e[:1].expand(e.shape)
    if shared == "draws":
        e = e[..., :1].expand(e.shape)
    if shared == "winner over draws":
        e = torch.where(chosen, e[..., :1], e)
    weights = torch.exp(logits).unsqueeze(-1)
    true_z = weights.sum(-2, keepdim=True)
    z = true_z if z is None else torch.full_like(true_z, z)
    e_winner = torch.where(chosen, e, 0.0).sum(-2, keepdim=True)
    y = torch.where(chosen, -torch.log(e) + torch.log(z), -torch.log(e / weights + e_winner / z))
    return y - torch.log(true_z)


def unconditional(logits, sample, num_mc_samples, generator):
    noise = -torch.log(exponential((*logits.shape, num_mc_samples), generator))
    return torch.log_softmax(logits, -1).unsqueeze(-1) + noise


def unnormalised(logits, sample, num_mc_samples, generator):
    return eq_7(logits, sample, num_mc_samples, generator, z=1.0)


def winner_at_its_own_logit(logits, sample, num_mc_samples, generator):
    """Y_i = log p_i + G instead of log Z + G."""
    y = eq_7(logits, sample, num_mc_samples, generator)
    own = (torch.log_softmax(logits, -1) * sample).sum(-1)[..., None, None]
    return torch.where(sample.unsqueeze(-1) > 0, y + own, y)


def untruncated_losers(logits, sample, num_mc_samples, generator):
    """Y_j = log p_j + G for the losers: not held below the winner."""
    y, free = (f(logits, sample, num_mc_samples, generator) for f in (eq_7, unconditional))
    return torch.where(sample.unsqueeze(-1) > 0, y, free)


def shared_over_draws(logits, sample, num_mc_samples, generator):
    return eq_7(logits, sample, num_mc_samples, generator, shared="draws")


def winner_shared_over_draws(logits, sample, num_mc_samples, generator):
    return eq_7(logits, sample, num_mc_samples, generator, shared="winner over draws")


def shared_over_batch(logits, sample, num_mc_samples, generator):
    return eq_7(logits, sample, num_mc_samples, generator, shared="batch")


# The checks, each a function of the implementation.


def check_winner_is_largest(conditional):
    index = torch.arange(4).repeat(NUM_DRAWS // 4)
    sample = one_hot(index, LOGITS)
    y = conditional(LOGITS.expand(sample.shape), sample, 5, seeded(1))
    assert y.shape == (*sample.shape, 5)
    assert torch.equal(y.argmax(-2), index[:, None].expand(-1, 5)), "argmax Y is not D"


def check_mixture(conditional, sampling_logits=LOGITS):
    """Mixed over D ~ π, coordinate j of Y is Gumbel(log p_j)."""
    index = torch.multinomial(sampling_logits.softmax(-1), NUM_DRAWS, True, generator=seeded(2))
    sample = one_hot(index, LOGITS)
    y = conditional(LOGITS.expand(sample.shape), sample, 1, seeded(3))[..., 0]
    check_gumbel_marginals(y, torch.log_softmax(LOGITS, -1))


def check_conditional(conditional):
    """Given D = i, every coordinate is distributed as in those θ + G whose argmax is i."""
    for category in range(4):
        sample = one_hot(torch.full((NUM_DRAWS,), category), LOGITS)
        y = conditional(LOGITS.expand(sample.shape), sample, 1, seeded(4))[..., 0]
        reference, _ = rejected_gumbels(LOGITS, category, 20_000, seed=5 + category)
        check_same_marginals(y, reference)
        # Differences of coordinates: what the softmax sees, and the joint law that marginals miss.
        check_same_marginals(y - y.roll(1, -1), reference - reference.roll(1, -1))


def check_independence(conditional):
    """Given D, draws k and k' and neighbouring batch entries have nothing in common."""
    sample = one_hot(torch.full((NUM_DRAWS,), 1), LOGITS)
    y = conditional(LOGITS.expand(sample.shape), sample, 2, seeded(6))
    check_uncorrelated(y[..., 0], y[..., 1])
    check_uncorrelated(y[:-1, :, 0], y[1:, :, 0])


CHECKS = [check_winner_is_largest, check_mixture, check_conditional, check_independence]


@pytest.mark.parametrize("implementation", [conditional_gumbels, eq_7], ids=["in logs", "literal Eq. 7"])
@pytest.mark.parametrize("check", CHECKS)
def test_conditional_gumbels(check, implementation):
    assert complaint(check, implementation) == ""


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        (check_winner_is_largest, unconditional),
        (check_winner_is_largest, untruncated_losers),
        (check_winner_is_largest, winner_at_its_own_logit),
        (check_mixture, unnormalised),
        (check_mixture, winner_at_its_own_logit),
        (check_mixture, untruncated_losers),
        (check_conditional, unconditional),
        (check_conditional, unnormalised),
        (check_conditional, winner_at_its_own_logit),
        (check_conditional, untruncated_losers),
        (check_independence, shared_over_draws),
        (check_independence, winner_shared_over_draws),
    ],
)
def test_check_rejects(check, planted):
    with pytest.raises(AssertionError):
        check(planted)


def test_independence_check_rejects_noise_shared_over_the_batch():
    """Identical noise along the batch is constant there, which leaves nothing to correlate."""
    with pytest.raises(AssertionError), pytest.warns(match="constant"):
        check_independence(shared_over_batch)


def test_mixture_check_rejects_samples_of_another_temperature():
    with pytest.raises(AssertionError, match="not Gumbel"):
        check_mixture(conditional_gumbels, sampling_logits=LOGITS / 0.5)


def test_conditional_gumbels_ignore_a_shift_of_the_logits():
    sample = one_hot(torch.tensor([[0, 3], [2, 1]]), LOGITS)
    logits = normal(2, 2, 4, seed=7)
    shifted = conditional_gumbels(logits + 11.0, sample, 3, seeded(8))
    torch.testing.assert_close(conditional_gumbels(logits, sample, 3, seeded(8)), shifted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_conditional_gumbels_are_finite_where_probabilities_underflow(dtype):
    logits = torch.tensor([80.0, -80.0, 0.0, 80.0], dtype=dtype)
    for sample in torch.eye(4, dtype=dtype):
        batch = sample.expand(500, 4)
        y = conditional_gumbels(logits.expand(500, 4), batch, 10, seeded(9))
        assert y.dtype == dtype
        assert y.isfinite().all()
        winner = (y * sample[:, None]).sum(-2)
        assert (winner >= y.amax(-2)).all()


def test_float32_conditional_gumbels_follow_the_same_law():
    logits = 4 * LOGITS
    index = torch.multinomial(logits.softmax(-1), NUM_DRAWS, True, generator=seeded(2))
    sample = one_hot(index, logits).float()
    y = conditional_gumbels(logits.float().expand(sample.shape), sample, 1, seeded(3))[..., 0]
    check_gumbel_marginals(y, torch.log_softmax(logits, -1))


# Averages over conditional draws, end to end against rejection sampling.

GRAD = torch.tensor([1.0, -0.5, 2.0, 0.3], dtype=torch.float64)


def check_average(average, temperature):
    for category in range(4):
        sample = one_hot(torch.full((4000,), category), LOGITS)
        logits, g = LOGITS.expand(sample.shape), GRAD.expand(sample.shape)
        estimates = average(logits, sample, g, temperature, 3, seeded(10))
        perturbed, _ = rejected_gumbels(LOGITS, category, 40_000, seed=11 + category)
        reference = oracles.apply(
            oracles.softmax_jacobian(perturbed, temperature), GRAD.expand(perturbed.shape)
        )
        check_means_agree(estimates, reference)


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0])
def test_averaged_vjp_agrees_with_rejection_sampling(temperature):
    check_average(averaged_softmax_vjp, temperature)


def literal_average(conditional, power=1.0, total=False):
    def average(logits, sample, g, temperature, num_mc_samples, generator):
        y = conditional(logits, sample, num_mc_samples, generator)
        result = oracles.apply(oracles.mean_jacobian(y, temperature), g)
        return result * temperature ** (1 - power) * (num_mc_samples if total else 1)

    return average


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(literal_average(conditional_gumbels, power=0), id="no 1/τ"),
        pytest.param(literal_average(conditional_gumbels, total=True), id="sum over draws"),
        pytest.param(literal_average(unconditional), id="free Gumbels"),
        pytest.param(literal_average(unnormalised), id="Z forgotten"),
        pytest.param(literal_average(winner_at_its_own_logit), id="winner at its own logit"),
    ],
)
def test_average_check_rejects(planted):
    with pytest.raises(AssertionError, match="means differ"):
        check_average(planted, 0.5)


def check_variance_falls_with_draws(average):
    """K independent draws have 1/K of the variance of one; the ratio of 16 is met within a quarter."""
    sample = one_hot(torch.full((4000,), 1), LOGITS)
    logits, g = LOGITS.expand(sample.shape), GRAD.expand(sample.shape)
    one, many = (average(logits, sample, g, 0.5, k, seeded(12)).var(0) for k in (1, 16))
    ratio = (one / many).mean().item()
    assert 12 < ratio < 20, f"variance ratio must be near 16, got {ratio:.3g}"


def test_variance_of_average_falls_as_one_over_draws():
    check_variance_falls_with_draws(averaged_softmax_vjp)


@pytest.mark.parametrize("planted", [shared_over_draws, winner_shared_over_draws])
def test_variance_check_rejects(planted):
    with pytest.raises(AssertionError, match="variance ratio"):
        check_variance_falls_with_draws(literal_average(planted))


@pytest.mark.parametrize("rows", [1, 655, 656, 1400])
def test_average_in_chunks_equals_the_average_over_conditional_gumbels(rows):
    """With 8 categories and 100 draws a chunk has 655 rows; members must not share one's rest."""
    logits, g = normal(3, rows, 1, 8, seed=15), normal(3, rows, 1, 8, seed=16)
    sample = one_hot(logits.argmax(-1), logits)
    temperature = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64).view(3, 1, 1, 1)
    arguments = (logits, sample, g, temperature, 100, [seeded(17 + member) for member in range(3)])
    y = torch.cat([conditional_gumbels(logits[[p]], sample[[p]], 100, seeded(17 + p)) for p in range(3)])
    relaxed = torch.softmax(y / temperature.unsqueeze(-1), -2)
    centred = g.unsqueeze(-1) - (relaxed * g.unsqueeze(-1)).sum(-2, keepdim=True)
    expected = (relaxed * centred).mean(-1) / temperature
    torch.testing.assert_close(averaged_softmax_vjp(*arguments), expected, rtol=1e-11, atol=1e-12)


def test_chunks_of_one_generator_have_draws_of_their_own():
    """Rows alike in all but the noise: two chunks of 655, and none of one row is that of another."""
    alike = normal(8, seed=15).expand(1310, 1, 8)
    sample, g = one_hot(alike.argmax(-1), alike), normal(8, seed=16).expand(alike.shape)
    product = averaged_softmax_vjp(alike, sample, g, 0.5, 100, seeded(17))
    assert product[:, 0, 0].unique().numel() == 1310


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_larger_pack_does_not_make_a_member_s_draws_in_smaller_chunks(device):
    """On a GPU, for which "meta" stands, other chunks would be other draws."""
    alone, pack = (torch.empty(p, 10_000, 8, device=device) for p in (1, 64))
    assert _rows_at_once(alone, 1000) == _rows_at_once(pack, 1000) < 10_000


# Free draws.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sample_gumbel_is_standard_gumbel(dtype):
    draws = sample_gumbel((NUM_DRAWS, 3), seeded(13), like=torch.empty(0, dtype=dtype))
    assert draws.dtype == dtype
    check_gumbel_marginals(draws, torch.zeros(3))
    check_uncorrelated(draws[:, :2], draws[:, 1:])
    check_uncorrelated(draws[1:], draws[:-1])


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda u: torch.log(-torch.log(u)), id="wrong sign"),
        pytest.param(lambda u: -torch.log(u), id="exponential"),
        pytest.param(lambda u: torch.log(u) - torch.log(1 - u), id="logistic"),
    ],
)
def test_sample_gumbel_check_rejects(planted):
    uniform = torch.rand(NUM_DRAWS, 3, dtype=torch.float64, generator=seeded(14)).clamp(1e-15, 1 - 1e-15)
    with pytest.raises(AssertionError, match="not Gumbel"):
        check_gumbel_marginals(planted(uniform), torch.zeros(3))
