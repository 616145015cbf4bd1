"""Samples as categories: their distribution, their one-hot form, and sums of them."""

import pytest
import torch

from estimators.score_function.samples import (
    losses_at,
    one_hot,
    sample_categories,
    samples_with,
    sum_over_samples,
    weighted_sum,
)
from tests.estimators import oracles
from tests.estimators.oracles import normal
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_frequencies


def check_draws(function):
    """Of two variables in three samples each, all independent."""
    logits = normal(2, 3, seed=1)
    index = function(logits.expand(7000, 2, 3), 3, seeded(2))
    assert index.shape == (3, 7000, 2)
    joint = oracles.state_probs(logits)
    for sample in index:
        check_frequencies(3 * sample[:, 0] + sample[:, 1], joint)
    first = torch.softmax(logits[0], -1)
    check_frequencies(3 * index[0, :, 0] + index[1, :, 0], torch.outer(first, first).flatten())
    check_frequencies(3 * index[0, ::2, 0] + index[0, 1::2, 0], torch.outer(first, first).flatten())


def test_samples_have_the_softmax_probabilities():
    check_draws(sample_categories)


def _shared_by_samples(logits, num_samples, generator):
    return sample_categories(logits, 1, generator).expand(num_samples, -1, -1)


def _shared_by_variables(logits, num_samples, generator):
    noise = torch.rand(num_samples, len(logits), 1, 1, dtype=torch.float64, generator=generator)
    return (torch.softmax(logits, -1).cumsum(-1) <= noise).sum(-1)


def _left_of_the_edge(logits, num_samples, generator):
    return (sample_categories(logits, num_samples, generator) - 1).clamp(min=0)


@pytest.mark.parametrize("planted", [_shared_by_samples, _shared_by_variables, _left_of_the_edge])
def test_draw_check_rejects(planted):
    with pytest.raises(AssertionError, match="frequencies differ"):
        check_draws(planted)


@pytest.mark.parametrize("impossible", [0, 1, 3])
def test_category_whose_probability_underflows_is_never_drawn(impossible):
    logits = normal(4, seed=3, scale=0.1, dtype=torch.float32)
    logits[impossible] = -300.0
    index = sample_categories(logits.expand(1000, 1, 4), 100, seeded(4))
    assert (torch.bincount(index.flatten(), minlength=4) > 0).tolist() == [k != impossible for k in range(4)]


def test_first_sample_is_the_one_given():
    logits = normal(5, 2, 3, seed=1)
    sample = oracles.one_hot(torch.randint(3, (5, 2), generator=seeded(1)), logits)
    for num_samples in (1, 4):
        index = samples_with(sample, logits, num_samples, seeded(2))
        assert index.shape == (num_samples, 5, 2)
        assert torch.equal(one_hot(index[0], 3, torch.float64), sample)


@pytest.mark.parametrize("chunk_size", [None, 1, 3])
def test_sums_and_losses_equal_those_of_one_hot_vectors(chunk_size):
    logits, weights = normal(5, 2, 3, seed=1), normal(7, 5, seed=2)
    index = sample_categories(logits, 7, seeded(1))
    vectors = torch.nn.functional.one_hot(index, 3).double()
    expected = torch.einsum("nb,nblc->blc", weights, vectors)
    torch.testing.assert_close(weighted_sum(weights, index, logits, chunk_size), expected)
    squares = losses_at(lambda x: (x * normal(2, 3, seed=3)).sum((-1, -2)), index, logits, chunk_size)
    torch.testing.assert_close(squares, (vectors * normal(2, 3, seed=3)).sum((-1, -2)))


def check_rows_alone(total):
    """float32 sums over 100 samples of 4 x 37 rows, together and each 37 alone, bit for bit."""
    terms = normal(100, 4, 37, seed=1, dtype=torch.float32)
    together = total(terms)
    for member in range(4):
        assert torch.equal(together[member], total(terms[:, member : member + 1])[0])


def test_sum_over_samples_does_not_depend_on_the_other_rows():
    check_rows_alone(sum_over_samples)
    terms = normal(100, 4, 37, seed=1)
    torch.testing.assert_close(sum_over_samples(terms), terms.sum(0))


def test_row_check_rejects_a_sum_down_the_columns():
    with pytest.raises(AssertionError):
        check_rows_alone(lambda terms: terms.sum(0))
