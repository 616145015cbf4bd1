"""Two-sided hypothesis tests, corrected for multiplicity, that raise AssertionError on rejection.

Each is a function of draws, so that a test can hand it the draws of a deliberately wrong implementation
and assert that it rejects them.
"""

import torch
from scipy import stats
from torch import Tensor

# With a fixed seed a check passes always or never; this is the chance that a correct implementation
# with other draws would have failed one.
FALSE_ALARM = 1e-4


def _reject_if_small(pvalues: Tensor, what: str) -> None:
    threshold = FALSE_ALARM / pvalues.numel()
    worst = pvalues.min().item()
    if not worst >= threshold:
        index = torch.nonzero(pvalues == worst)[:1].tolist()
        raise AssertionError(f"{what}: p = {worst:.3g} at {index}, below {threshold:.3g}")


def check_frequencies(index: Tensor, probs: Tensor) -> None:
    """Chi-square: the indices (N,) are drawn from probs (num_states,)."""
    counts = torch.bincount(index, minlength=probs.numel()).double()
    expected = probs.double() * counts.sum() / probs.double().sum()
    if expected.min() < 5:
        raise ValueError(f"every expected count must be >= 5, got {expected.min():.3g}")
    pvalue = stats.chisquare(counts.numpy(), expected.numpy()).pvalue
    _reject_if_small(torch.tensor([pvalue]), "frequencies differ")


def check_gumbel_marginals(draws: Tensor, location: Tensor) -> None:
    """Kolmogorov-Smirnov: column j of draws (N, C) is Gumbel(location_j)."""
    columns = zip(draws.double().unbind(-1), location.tolist(), strict=True)
    pvalues = [
        stats.kstest(column.numpy(), stats.gumbel_r(loc=loc).cdf, method="asymp").pvalue
        for column, loc in columns
    ]
    _reject_if_small(torch.tensor(pvalues), "marginals are not Gumbel")


def check_same_marginals(draws: Tensor, reference: Tensor) -> None:
    """Two-sample Kolmogorov-Smirnov for each column of draws (N, C) and reference (M, C)."""
    columns = zip(draws.double().unbind(-1), reference.double().unbind(-1), strict=True)
    pvalues = [
        stats.ks_2samp(column.numpy(), other.numpy(), method="asymp").pvalue for column, other in columns
    ]
    _reject_if_small(torch.tensor(pvalues), "marginals differ")


def check_uncorrelated(first: Tensor, second: Tensor) -> None:
    """Spearman: columns of two (N, C) tensors are pairwise uncorrelated."""
    pairs = zip(first.double().unbind(-1), second.double().unbind(-1), strict=True)
    pvalues = [stats.spearmanr(a.numpy(), b.numpy()).pvalue for a, b in pairs]
    _reject_if_small(torch.tensor(pvalues), "draws are correlated")


def check_means_agree(draws: Tensor, reference: Tensor) -> None:
    """z-test for each column: draws (N, C) and reference (M, C) have one mean.

    A column constant on both sides has no spread to divide by, so rounding is allowed for.
    """
    draws, reference = draws.double(), reference.double()
    variance = draws.var(0) / len(draws) + reference.var(0) / len(reference)
    rounding = 1e-12 * (1 + reference.abs().amax(0))
    _reject_unless_normal((draws.mean(0) - reference.mean(0)) / (variance + rounding**2).sqrt())


def check_mean_is(draws: Tensor, expected: Tensor) -> None:
    """z-test for each coordinate: draws (N, ...) have the mean `expected` (...), but for rounding."""
    rounding = 1e-12 * (1 + expected.abs())
    _reject_unless_normal((draws.mean(0) - expected) / (draws.var(0) / len(draws) + rounding**2).sqrt())


def _reject_unless_normal(z: Tensor) -> None:
    _reject_if_small(torch.tensor(2 * stats.norm.sf(z.abs().numpy())), "means differ")
