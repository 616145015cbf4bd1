"""IndeCateR with fresh samples for every variable: as many evaluations, other samples for each."""

import torch

from estimators import indecater, indecater_per_variable
from tests.estimators.oracles import normal
from tests.estimators.rule_table import seeded

L, C, N = 3, 5, 2


def samples_of(estimator):
    """What f is called with, shape (L, C, N, batch, L), as categories."""
    calls = []

    def f(x):
        calls.append(x.argmax(-1))
        return x.sum((-1, -2))

    estimator(torch.zeros(200, L, C), f, num_samples=N, generator=seeded(1))
    (called,) = calls
    return called.view(L, C, N, 200, L)


def test_every_variable_has_samples_of_its_own():
    """A third variable's values where the first is set are not those where the second is."""
    shared, fresh = samples_of(indecater), samples_of(indecater_per_variable)
    assert torch.equal(shared[0, 0, ..., 2], shared[1, 0, ..., 2])
    agreement = (fresh[0, 0, ..., 2] == fresh[1, 0, ..., 2]).double().mean()
    assert 0.1 < agreement < 0.3  # a fifth, by chance


def test_every_category_of_a_variable_meets_the_same_samples():
    fresh = samples_of(indecater_per_variable)
    for variable in range(L):
        others = [d for d in range(L) if d != variable]
        assert (fresh[variable][..., others] == fresh[variable, :1][..., others]).all()
        assert (fresh[variable, ..., variable] == torch.arange(C).view(C, 1, 1)).all()


def test_is_indecater_for_one_variable():
    logits = normal(20, 1, C, seed=1)
    weight = normal(1, C, seed=2)
    gradients = []
    for estimator in (indecater, indecater_per_variable):
        leaf = logits.clone().requires_grad_()
        estimator(leaf, lambda x: (x * weight).sum((-1, -2)), generator=seeded(1)).surrogate.sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)
