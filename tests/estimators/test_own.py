"""Estimators of users: declared, called for each member of a pack, and held to the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import estimators
from estimators import Draw, Hyperparameter, estimator
from estimators.own import DECLARED, EstimatorError, OwnEstimator, declared_in
from estimators.own_draw import probe
from estimators.registry import SHIPPED, register, unregister
from estimators.sampling import sample_one_hot
from estimators.softmax_vjp import softmax_vjp


def straight_through(logits: Any, *, temperature: float = 1.0, generator: Any = None) -> Any:
    """`st`, as public code writes it: its numbers judge the path by autograd."""
    probs = (logits / temperature).softmax(-1)
    return sample_one_hot(logits, generator) - probs.detach() + probs


def as_rule(logits: Any, *, temperature: float = 1.0, generator: Any = None) -> Draw:
    probs = (logits.detach() / temperature).softmax(-1)
    return Draw(sample_one_hot(logits, generator), lambda g: softmax_vjp(probs, g) / temperature)


def score(logits: Any, f: Any, *, generator: Any = None) -> Any:
    """`reinforce` with one sample."""
    probs = logits.softmax(-1)
    sample = sample_one_hot(logits, generator)
    losses = f(sample.unsqueeze(0))[0]
    return losses, losses[..., None, None] * (sample - probs)


def entry_of(function: Callable[..., Any], **declared: Any) -> OwnEstimator:
    entry = getattr(estimator(name="mine", **declared)(function), DECLARED)
    assert isinstance(entry, OwnEstimator)
    return entry.with_code(function, "1")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    unregister("mine")


def generators(size: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(size)]


@pytest.mark.parametrize("function", [straight_through, as_rule])
def test_both_forms_of_st_are_st(function: Callable[..., Any]) -> None:
    logits = torch.randn(3, 5, 4, 8, generator=torch.Generator().manual_seed(7))
    temperature = torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1, 1)
    ours = entry_of(function).draw(logits, temperature=temperature, generator=generators(3))
    shipped = estimators.get("st").draw(logits, temperature=temperature, generator=generators(3))
    grad = torch.randn(logits.shape, generator=torch.Generator().manual_seed(8))
    torch.testing.assert_close(ours.sample, shipped.sample)
    torch.testing.assert_close(ours.rule(grad), shipped.rule(grad))
    assert not torch.allclose(ours.rule(grad), -shipped.rule(grad))  # what the comparison catches


@pytest.mark.parametrize("function", [straight_through, as_rule])
def test_a_member_has_the_same_numbers_alone_and_in_a_pack(function: Callable[..., Any]) -> None:
    logits = torch.randn(3, 5, 4, 8, generator=torch.Generator().manual_seed(7))
    temperature = torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1, 1)
    grad = torch.randn(logits.shape, generator=torch.Generator().manual_seed(8))
    entry = entry_of(function)
    pack = entry.draw(logits, temperature=temperature, generator=generators(3))
    whole = pack.rule(grad)
    for member in range(3):
        part = slice(member, member + 1)
        alone = entry.draw(logits[part], temperature=temperature[part], generator=generators(3)[part])
        assert torch.equal(alone.sample, pack.sample[part])
        assert torch.equal(alone.rule(grad[part]), whole[part])


def test_as_a_library_it_is_a_function_like_those_that_ship() -> None:
    register(entry_of(straight_through))
    logits = torch.randn(5, 4, 8, generator=torch.Generator().manual_seed(7), requires_grad=True)
    weights = torch.randn(5, 4, 8, generator=torch.Generator().manual_seed(8))
    sample = estimators.get("mine").function(
        logits, temperature=0.5, generator=torch.Generator().manual_seed(0)
    )
    (ours,) = torch.autograd.grad((sample * weights).sum(), logits)
    shipped = estimators.st(logits, temperature=0.5, generator=torch.Generator().manual_seed(0))
    (theirs,) = torch.autograd.grad((shipped * weights).sum(), logits)
    torch.testing.assert_close(ours, theirs)


def test_one_that_is_given_f_is_reinforce() -> None:
    entry = entry_of(score)
    logits = torch.randn(1, 5, 4, 8, generator=torch.Generator().manual_seed(7))
    f = lambda samples: (samples * torch.arange(8.0)).sum((-1, -2))  # noqa: E731
    draw = entry.draw(logits, generator=generators(1))
    estimate = draw.rule(f, 1)
    assert estimate.value.shape == (1, 5)
    total = torch.zeros(logits.shape, dtype=torch.float64)
    own, count = [torch.Generator().manual_seed(0)], 4000
    for _ in range(count):
        total += entry.draw(logits, generator=own).rule(f, None).gradient
    exact = estimators.get("exact").draw(logits, generator=None).rule(f, None).gradient
    spread = 4 * exact.abs().max() / count**0.5 * 8  # losses are up to eight times the gradient
    assert (total / count - exact).abs().max() < spread
    assert (total / count + exact).abs().max() > spread  # the wrong sign is caught


def test_hyperparameters_follow_from_the_signature_and_from_what_is_declared() -> None:
    kappa = Hyperparameter("kappa", default=1.0, minimum=0, symbol="κ")

    def mine(logits, *, temperature=0.5, kappa=1.0, steps=3, bias=0.25, generator=None): ...

    rules = {one.name: one for one in entry_of(mine, hyperparameters=[kappa]).hyperparameters}
    assert list(rules) == ["temperature", "kappa", "steps", "bias"]
    assert rules["kappa"] == kappa
    assert (rules["temperature"].default, rules["temperature"].allows(0.0)) == (0.5, False)
    assert (rules["steps"].is_integer, rules["bias"].is_integer) == (True, False)


def without_generator(logits, *, kappa=1.0): ...
def with_any(logits, *, generator=None, **rest): ...
def with_text(logits, *, kappa="much", generator=None): ...
def with_none(logits, *, kappa, generator=None): ...
def with_nothing(): ...
def with_a_reserved_name(logits, *, epochs=3, generator=None): ...


@pytest.mark.parametrize(
    ("function", "declared", "message"),
    [
        (without_generator, {}, "must take a generator by name"),
        (with_any, {}, r"must name what it takes, got \*rest"),
        (with_text, {}, "kappa, whose default must be a number, .* got 'much'"),
        (with_none, {}, "kappa, whose default must be a number"),
        (with_nothing, {}, "must take logits first"),
        (with_a_reserved_name, {}, "no hyperparameter can have the name 'epochs'"),
        (
            straight_through,
            {"hyperparameters": [Hyperparameter("kappa", 1.0)]},
            "declares kappa, which",
        ),
        (straight_through, {"name": "reinmax"}, "reinmax ships with catsweep"),
        (straight_through, {"name": "My own"}, "lower-case letters, digits and '_', got 'My own'"),
    ],
)
def test_what_can_be_no_estimator_is_refused(
    function: Callable[..., Any], declared: dict[str, Any], message: str
) -> None:
    with pytest.raises(EstimatorError, match=message):
        estimator(**{"name": "mine", **declared})(function)


def wrong_shape(logits, *, generator=None):
    return logits.sum(-1)


def wrong_dtype(logits, *, generator=None):
    return logits.softmax(-1).double()


def detached(logits, *, generator=None):
    return logits.softmax(-1).detach()


def no_distribution(logits, *, generator=None):
    return logits.exp()


def another_leaf(logits, *, generator=None):
    return torch.zeros_like(logits, requires_grad=True).softmax(-1)


def not_finite(logits, *, generator=None):
    return (logits.softmax(-1) - logits.softmax(-1).detach()) * torch.inf + logits.softmax(-1).detach()


def no_pair(logits, f, *, generator=None):
    return logits


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (wrong_shape, r"its result must be a tensor of the logits' shape and dtype, .* got \(2, 3\)"),
        (wrong_dtype, "got .* and torch.float64"),
        (detached, "no gradient leads from its sample to the logits"),
        (another_leaf, "no gradient leads from its sample to the logits"),
        (no_distribution, "must sum to one over the categories, the last axis"),
        (not_finite, "its gradient must be finite|must sum to one"),
        (no_pair, "must return a pair"),
    ],
)
def test_what_breaks_the_contract_is_found_before_it_trains(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(EstimatorError, match=message):
        probe(entry_of(function))


def test_those_that_keep_the_contract_pass() -> None:
    for function in (straight_through, as_rule, score):
        probe(entry_of(function))


def test_one_that_ships_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="ships with catsweep"):
        register(estimators.get("reinmax"))
    unregister("reinmax")
    assert tuple(estimators.REGISTRY) == SHIPPED


def test_the_declaration_survives_without_the_code() -> None:
    entry = entry_of(straight_through, label="Mine")
    declared = OwnEstimator.from_plain(entry.to_plain())
    assert (declared.name, declared.label, declared.version, declared.hyperparameters) == (
        "mine", "Mine", "1", entry.hyperparameters,
    )  # fmt: skip
    with pytest.raises(EstimatorError, match="the code of estimator mine is not here"):
        declared.draw(torch.zeros(1, 2, 2), temperature=1.0, generator=None)
    with pytest.raises(EstimatorError, match="no declaration"):
        OwnEstimator.from_plain({"name": "x"})


def test_only_what_is_declared_is_found() -> None:
    function = estimator(name="mine")(straight_through)
    assert declared_in({"a": function, "b": len, "c": 5}) == {"mine": function}
