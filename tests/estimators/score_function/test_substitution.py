"""F_dv: f averaged over samples whose variable d is set to v, against a loop."""

import pytest
import torch

from estimators.score_function.substitution import means_per_category
from tests.estimators.objectives import mlp
from tests.estimators.oracles import normal, one_hot
from tests.estimators.rule_table import seeded

L, C, N = 3, 4, 2


def literal(f, categories, like, is_shared):
    means = torch.zeros(5, L, C, dtype=torch.float64)
    for d in range(L):
        of_variable = categories if is_shared else categories[d * N : (d + 1) * N]
        for v in range(C):
            moved = of_variable.clone()
            moved[..., d] = v
            means[:, d, v] = f(one_hot(moved, like)).mean(0)
    return means


def check_equals_loop(function, *, is_shared):
    like = normal(5, L, C, seed=1)
    categories = torch.randint(C, (N if is_shared else L * N, 5, L), generator=seeded(1))
    before = categories.clone()
    actual = function(mlp, categories, like, 7, is_shared=is_shared)
    torch.testing.assert_close(actual, literal(mlp, categories, like, is_shared), rtol=0, atol=1e-13)
    assert torch.equal(categories, before)


@pytest.mark.parametrize("is_shared", [True, False])
def test_equals_a_loop_over_variables_and_categories(is_shared):
    check_equals_loop(means_per_category, is_shared=is_shared)


def test_check_rejects_samples_of_another_variable():
    def rolled(f, categories, like, chunk_size, *, is_shared):
        return means_per_category(f, categories.roll(N, 0), like, chunk_size, is_shared=is_shared)

    with pytest.raises(AssertionError):
        check_equals_loop(rolled, is_shared=False)


def test_check_rejects_categories_in_another_order():
    def reversed_(f, categories, like, chunk_size, *, is_shared):
        return means_per_category(f, categories, like, chunk_size, is_shared=is_shared).flip(-1)

    with pytest.raises(AssertionError):
        check_equals_loop(reversed_, is_shared=True)
