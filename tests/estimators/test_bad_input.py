"""Bad input is refused by every estimator, in words that name the argument, the rule and the value."""

import dataclasses
import math
import re

import numpy as np
import pytest
import torch

from estimators import REGISTRY
from tests.estimators.oracles import normal
from tests.estimators.registry_table import (
    FEW,
    every,
    every_tempered,
    gradient_of,
    hyperparameter_names,
    output_of,
    sample_of,
)
from tests.estimators.rule_table import seeded


def total(x):
    return x.sum((-1, -2))


BAD_VALUES = [
    ("temperature", 0.0, "> 0"),
    ("temperature", -0.5, "> 0"),
    ("temperature", math.nan, "> 0"),
    ("temperature", torch.tensor([1.0, -0.5]).view(2, 1, 1), "> 0"),
    ("num_mc_samples", 0, ">= 1"),
    ("num_mc_samples", -3, ">= 1"),
    ("gap", -1.0, ">= 0"),
    ("gap", math.nan, ">= 0"),
    ("eta", math.nan, "finite"),
    ("beta", math.inf, "finite"),
    ("num_samples", 0, ">= [12]"),
    ("num_samples", 2.5, "an integer"),
    ("num_samples", np.float32(3), "an integer"),
    ("num_mc_samples", "3", "an integer"),
    ("num_mc_samples", torch.tensor(3), "an integer"),
    ("temperature", "1.0", "> 0"),
    ("temperature", None, "> 0"),
    ("eta", np.ones(2), "finite"),
    ("beta", 1j, "finite"),
]


@pytest.mark.parametrize(
    ("estimator", "name", "value", "rule"),
    [
        pytest.param(estimator, *bad, id=f"{estimator.name}-{bad[0]}-{bad[1]!r}")
        for estimator in REGISTRY.values()
        for bad in BAD_VALUES
        if bad[0] in hyperparameter_names(estimator)
    ],
)
def test_bad_hyperparameter_is_refused(estimator, name, value, rule):
    h = dataclasses.replace(FEW, **{name: value})
    shown = r"-0\.5" if isinstance(value, torch.Tensor) and value.ndim else re.escape(repr(value))
    with pytest.raises(ValueError, match=rf"{name} must be .*{rule}.*, got {shown}"):
        output_of(estimator, normal(2, 3, estimator.categorical_dim or 4, seed=1), total, seeded(1), h)


@every_tempered
@pytest.mark.parametrize("shape", [(4,), (3,), (3, 4), (2, 3, 1), (1, 4)], ids=str)
def test_temperature_that_varies_within_a_variable_is_refused(estimator, shape):
    """It would broadcast silently along categories or variables."""
    h = dataclasses.replace(FEW, temperature=torch.full(shape, 0.5))
    with pytest.raises(ValueError, match="temperature must"):
        output_of(estimator, normal(2, 3, 4, seed=1), total, seeded(1), h)


@every_tempered
@pytest.mark.parametrize(
    ("logits_shape", "shape"),
    [((1, 5, 3, 4), (3, 1, 1, 1)), ((5, 3, 4), (2, 5, 1, 1)), ((3, 4), (2, 1, 1)), ((5, 3, 4), (2, 1, 1))],
    ids=str,
)
def test_temperature_of_more_members_than_logits_is_refused(estimator, logits_shape, shape):
    """Autograd would quietly add up the gradients of all temperatures to fit the logits."""
    h = dataclasses.replace(FEW, temperature=torch.full(shape, 0.5))
    logits = normal(*logits_shape, seed=1).requires_grad_()
    with pytest.raises(ValueError, match="temperature must"):
        output_of(estimator, logits, total, seeded(1), h).sum().backward()


@every
@pytest.mark.parametrize(
    "logits",
    [
        torch.zeros(4),
        torch.tensor(1.0),
        torch.zeros(2, 3, dtype=torch.int64),
        torch.ones(2, 3, dtype=torch.bool),
        np.zeros((2, 3)),
    ],
    ids=["one dim", "no dim", "integer", "boolean", "numpy"],
)
def test_bad_logits_are_refused(estimator, logits):
    with pytest.raises(ValueError, match="logits must"):
        output_of(estimator, logits, total, seeded(1))


@every
@pytest.mark.parametrize(
    "generator",
    [5, "cpu", [None, None], [seeded(1), None], [1, 2]],
    ids=["5", "cpu", "none", "one", "numbers"],
)
def test_bad_generator_is_refused(estimator, generator):
    """None within a sequence too, which would be the default generator of some members."""
    with pytest.raises(ValueError, match=r"generator must be a torch\.Generator, .* got"):
        output_of(estimator, normal(2, 5, 3, 4, seed=1), total, generator)


@every
def test_hyperparameter_that_requires_a_gradient_is_refused(estimator):
    """It would get none; where no graph is made it may be a parameter."""
    logits = normal(2, 3, 4, seed=1)
    for own in estimator.hyperparameters:
        if own.is_integer:
            continue
        h = dataclasses.replace(FEW, **{own.name: torch.tensor(0.5, requires_grad=True)})
        with pytest.raises(ValueError, match=rf"{own.name} must not require a gradient.*{own.name}\.detach"):
            output_of(estimator, logits, total, seeded(1), h)
        with torch.no_grad():
            sample_of(estimator, logits, seeded(1), h)


@every
def test_numbers_of_numpy_are_numbers(estimator):
    logits, g = normal(2, 3, 4, seed=1), normal(2, 3, 4, seed=2)
    kinds = {own.name: np.int64 if own.is_integer else np.float32 for own in estimator.hyperparameters}
    h = dataclasses.replace(FEW, **{name: kind(getattr(FEW, name)) for name, kind in kinds.items()})
    expected = gradient_of(estimator, logits, g, seeded(1))
    assert torch.equal(gradient_of(estimator, logits, g, seeded(1), h), expected)
