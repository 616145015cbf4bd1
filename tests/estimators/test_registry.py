"""The registry: names, traits and look-up."""

import dataclasses
import inspect
import re

import pytest

import estimators
from estimators import REGISTRY, get
from tests.estimators.registry_table import every, hyperparameter_names

PATHWISE = ("st", "stgs", "concrete", "gumbel_rao", "gst", "reinmax", "reinmax_argmax", "reinmax_rk2")
PATHWISE_WITH_DRAWS = ("reinmax_rao", "reinmax_cv", "reinmax_cv_alg2")
WITH_OBJECTIVE = ("reinforce", "rloo", "rebar", "indecater", "indecater_per_variable", "scater", "exact")
IDS = {*PATHWISE, *PATHWISE_WITH_DRAWS, *WITH_OBJECTIVE}
"""What ships. Further ones need no entry here."""


def test_holds_every_estimator_that_ships():
    assert set(REGISTRY) >= IDS
    assert {name for name in IDS if REGISTRY[name].needs_objective} == {*WITH_OBJECTIVE}


def test_every_estimator_is_under_its_name():
    assert set(REGISTRY) <= set(estimators.__all__)
    for name, estimator in REGISTRY.items():
        assert estimator.name == name
        assert get(name) is estimator
        assert getattr(estimators, name) is estimator.function


def test_cannot_be_changed():
    with pytest.raises(TypeError):
        REGISTRY["st"] = REGISTRY["st"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        REGISTRY["st"].is_one_hot = False


@every
def test_hyperparameters_are_the_function_s_keyword_arguments(estimator):
    parameters = inspect.signature(estimator.function).parameters
    keywords = [p.name for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    given, option = (["logits", "f"], ["chunk_size"]) if estimator.needs_objective else (["logits"], [])
    assert list(parameters)[: len(given)] == given
    assert sorted(keywords) == sorted([*hyperparameter_names(estimator), "generator", *option])
    assert all(parameters[name].default is None for name in ("generator", *option))
    assert estimator.uses_monte_carlo == ("num_mc_samples" in keywords)


@every
def test_hyperparameter_defaults_are_the_function_s(estimator):
    parameters = inspect.signature(estimator.function).parameters
    for hyperparameter in estimator.hyperparameters:
        assert parameters[hyperparameter.name].default == hyperparameter.default


def test_default_values():
    expected = {
        "temperature": 1.0,
        "eta": 1.0,
        "gap": 1.0,
        "beta": 0.5,
        "num_mc_samples": 100,
        "num_samples": 2,
    }
    for estimator in REGISTRY.values():
        for hyperparameter in estimator.hyperparameters:
            assert hyperparameter.default == expected[hyperparameter.name]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("reinmax_roa", "reinmax_rao"), ("gumble_rao", "gumbel_rao"), ("stsg", "stgs"), ("reinmx", "reinmax")],
)
def test_unknown_name_lists_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=rf"{name}.*\b{nearest}\b"):
        get(name)


def test_name_like_no_other_lists_what_there_is():
    with pytest.raises(ValueError, match="reinmax"):
        get("zzzz")


SECTIONS = ("Args", "Returns", "Raises", "Cost", "Use", "Source")


def check_docstring(function, hyperparameters):
    before, *parts = re.split(rf"^({'|'.join(SECTIONS)}):", inspect.getdoc(function), flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    assert tuple(sections) == SECTIONS
    assert all(text.strip() for text in sections.values())
    arguments = re.findall(r"^ {4}(\w+): ", sections["Args"], re.MULTILINE)
    assert arguments == list(inspect.signature(function).parameters)
    assert set(hyperparameters) <= set(arguments)
    assert "grad" in before


@every
def test_docstring_states_equation_arguments_result_errors_cost_use_and_source(estimator):
    check_docstring(estimator.function, hyperparameter_names(estimator))


def _without(section):
    def planted(logits, *, generator=None):
        pass

    planted.__doc__ = inspect.getdoc(REGISTRY["exact"].function).replace(f"{section}:", "Also:")
    return planted


@pytest.mark.parametrize("section", SECTIONS)
def test_docstring_check_rejects_one_without(section):
    with pytest.raises(AssertionError):
        check_docstring(_without(section), ())
