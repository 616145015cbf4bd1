"""An objective that knows more than its losses: the same estimates, and loud errors."""

import pytest
import torch

from estimators import REGISTRY, indecater
from estimators.score_function.shortcuts import LossesOfDraws, OwnChanges, SingleChanges
from tests.estimators.objectives import mlp
from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import estimate_of
from tests.estimators.rule_table import seeded

L, C = 3, 4
LOGITS = normal(5, L, C, seed=1)
ASKED = {
    "reinforce": "losses_of_draws",
    "rloo": "losses_of_draws",
    "indecater": "single_changes",
    "indecater_per_variable": "own_changes",
}


class Knowing:
    """`mlp`, whose shortcuts are loops; it counts how often each is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, samples):
        self.asked.append("called")
        return mlp(samples)

    def losses_of_draws(self, categories):
        self.asked.append("losses_of_draws")
        return self._losses(categories)

    def single_changes(self, categories):
        self.asked.append("single_changes")
        return torch.stack([self._changed(categories, d) for d in range(L)], -2)

    def own_changes(self, categories):
        self.asked.append("own_changes")
        return torch.stack([self._changed(categories[d], d) for d in range(L)])

    def _losses(self, categories):
        return mlp(torch.nn.functional.one_hot(categories, C).double())

    def _changed(self, categories, variable):
        losses = []
        for v in range(C):
            moved = categories.clone()
            moved[..., variable] = v
            losses.append(self._losses(moved))
        return torch.stack(losses, -1)


class Reversed(Knowing):
    """Planted: categories in another order."""

    def _changed(self, categories, variable):
        return super()._changed(categories, variable).flip(-1)


class NextVariable(Knowing):
    """Planted: the variable after the one that is asked about."""

    def _changed(self, categories, variable):
        return super()._changed(categories, (variable + 1) % L)


class WrongDraws(Knowing):
    """Planted: losses of the samples in another order."""

    def _losses(self, categories):
        return super()._losses(categories).roll(1, 0)


def _gradient(name, f):
    leaf = LOGITS.clone().requires_grad_()
    estimate = estimate_of(REGISTRY[name], leaf, f, seeded(2), Hyperparameters(num_samples=3))
    estimate.surrogate.sum().backward()
    return estimate.value, leaf.grad


def check_same_estimate(name, knowing):
    for actual, expected in zip(_gradient(name, knowing), _gradient(name, mlp), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "method"), ASKED.items())
def test_estimate_is_the_same_and_the_shortcut_is_taken(name, method):
    knowing = Knowing()
    check_same_estimate(name, knowing)
    assert knowing.asked == [method]


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("indecater", Reversed),
        ("indecater", NextVariable),
        ("indecater_per_variable", Reversed),
        ("indecater_per_variable", NextVariable),
        ("rloo", WrongDraws),
        ("reinforce", WrongDraws),
    ],
)
def test_check_rejects(name, planted):
    with pytest.raises(AssertionError):
        check_same_estimate(name, planted())


@pytest.mark.parametrize("name", ["scater", "exact"])
def test_other_estimators_call_f(name):
    knowing = Knowing()
    check_same_estimate(name, knowing)
    assert set(knowing.asked) == {"called"}


def test_protocols_tell_objectives_apart():
    for protocol in (LossesOfDraws, SingleChanges, OwnChanges):
        assert isinstance(Knowing(), protocol)
        assert not isinstance(mlp, protocol)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [(torch.zeros(1).double(), r"torch.float64 of shape \(1,\)"), (torch.zeros(1).numpy(), "ndarray")],
    ids=["another shape", "numpy"],
)
@pytest.mark.parametrize(("name", "method"), ASKED.items())
def test_losses_of_another_shape_or_type_are_refused(name, method, wrong, got):
    knowing = Knowing()
    setattr(knowing, method, lambda categories: wrong)
    with pytest.raises(ValueError, match=rf"f\.{method} must return floating losses of shape .*, got {got}"):
        _gradient(name, knowing)


def test_losses_that_are_not_floating_are_refused():
    knowing = Knowing()
    knowing.single_changes = lambda categories: torch.zeros(*categories.shape, C, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"got torch\.int64"):
        _gradient("indecater", knowing)


def test_narrow_logits_call_f_with_samples_of_their_dtype():
    seen = []

    class Narrow(Knowing):
        def __call__(self, samples):
            seen.append(samples.dtype)
            return samples.sum((-1, -2))

    indecater(LOGITS.half(), Narrow(), num_samples=1, generator=seeded(1))
    assert set(seen) == {torch.float16}
