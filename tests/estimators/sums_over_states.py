"""How far apart rounding may set two sums over all states of a test function."""

from __future__ import annotations

from torch import Tensor

from tests.estimators.oracles import Objective, states
from tests.rounding import check_equal_but_for_rounding

_OF_A_HIDDEN_LAYER = 8


def check_equal_sums_over_states(actual: Tensor, expected: Tensor, f: Objective, shape=None) -> None:
    """Raise AssertionError unless the tensors are equal, as sums that p(x) f(x) is summed to in any order.

    Args:
        f: One of `objectives`, which take two sums over all coordinates at most, and one over a few of those.
        shape: (L, C), where it is not that of the last two axes.
    """
    latent_dim, categorical_dim = shape or expected.shape[-2:]
    losses = f(states(latent_dim, categorical_dim))
    of_f = 2 * latent_dim * categorical_dim + _OF_A_HIDDEN_LAYER
    of_probs = latent_dim * categorical_dim
    length = len(losses) + of_f + of_probs
    check_equal_but_for_rounding(actual, expected, length=length, size=losses.abs().max().item())
