"""Records of params: what follows from a declaration, of estimators that ship and of those that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.tables.labels import row_labels
from estimators import REGISTRY, Hyperparameter
from estimators.own import OwnEstimator
from estimators.registry import registered
from estimators.reserved_names import RESERVED
from sweep.spec.block import Block
from tests.trainables.members import member
from trainables.pack import cost_key, shared_params
from trainables.schema import CHOOSABLE, COST_PARAMS, FREE_IN_PACKS, PARAMS, Cell, Kind, Member, param_of

KAPPA = Hyperparameter("kappa", default=1.0, minimum=0.0, symbol="κ", axis="softness κ")
STEPS = Hyperparameter("steps", default=3, minimum=1, is_integer=True)
MINE = OwnEstimator("mine", (KAPPA, STEPS), label="Mine", version="1")


def of_mine(kappa: object, steps: object = 3) -> Member:
    own = {"estimator_version": "1", "hyperparameters": "kappa,steps", "kappa": kappa, "steps": steps}
    return Member.from_params({**member(0).params, "estimator": "mine", **own})


def is_key(name: str) -> bool:
    return name in Block.keys()  # noqa: SIM118 which is no mapping


def test_every_declaration_of_a_name_has_the_default_of_its_record() -> None:
    declared = [one for entry in REGISTRY.values() for one in entry.hyperparameters]
    for one in declared:
        record = PARAMS[one.name]
        assert (record.default, record.symbol) == (record.canonical(one.default), one.symbol)
        assert (record.kind is Kind.INTEGER) == one.is_integer == (one.name in COST_PARAMS)
        assert one.name in CHOOSABLE
        assert not (one.is_integer and one.name in FREE_IN_PACKS)


def test_no_hyperparameter_can_have_the_name_of_another_param() -> None:
    takes = {one.name for entry in REGISTRY.values() for one in entry.hyperparameters}
    assert PARAMS.keys() - takes <= RESERVED


def test_a_declaration_while_it_is_there_is_all_that_a_new_hyperparameter_needs() -> None:
    assert not is_key("kappa")
    with registered(MINE):
        block = Block.model_validate(
            {"estimator": "mine", "latent": "8x4", "kappa": [0.5, "1e0"], "steps": 4}
        )
        assert block.hyperparameters == {"kappa": [0.5, 1.0], "steps": [4.0]}
        assert (param_of("kappa").axis, param_of("kappa").heading) == ("softness κ", "κ")
        soft, hard = of_mine("5e-1"), of_mine("2")
        assert row_labels([soft.cell, hard.cell]) == ["Mine κ 0.5", "Mine κ 2"]
        assert shared_params(soft) == shared_params(hard)
        assert shared_params(soft) != shared_params(of_mine("5e-1", 4))
        assert cost_key(soft, gpus=0).endswith(" steps=3 gpus=0")
        assert "kappa" not in cost_key(soft)
    assert not is_key("kappa")
    assert "mine" not in REGISTRY


def test_what_was_added_meanwhile_goes_too_even_after_an_error() -> None:
    before = dict(REGISTRY)
    with pytest.raises(ValueError, match="ships with catsweep"), registered(MINE, replace(MINE, name="st")):
        pass
    assert dict(REGISTRY) == before


def test_two_estimators_rules_of_one_name_are_each_their_own() -> None:
    other = OwnEstimator("other", (replace(KAPPA, minimum=-1.0),), label="Other", version="1")
    with registered(MINE, other):
        stated = {"latent": "8x4", "kappa": -0.5}
        assert Block.model_validate({"estimator": "other", **stated}).hyperparameters == {"kappa": [-0.5]}
        for several in (["mine"], ["mine", "other"], ["other", "mine"]):
            with pytest.raises(ValueError, match="kappa must be >= 0"):
                Block.model_validate({"estimator": several, **stated})


def test_of_several_declarations_one_with_a_symbol_names_the_param() -> None:
    plain = OwnEstimator("plain", (replace(KAPPA, symbol="", axis=""),), label="Plain", version="1")
    with registered(plain, MINE):
        assert param_of("kappa").heading == "κ"


def test_a_param_that_only_a_store_knows_has_a_record() -> None:
    record = param_of("kappa")
    assert (record.heading, record.axis, record.labelled("0.5")) == ("kappa", "kappa", "kappa 0.5")
    assert [record.canonical(value) for value in ("007", "5e-1", 1.0)] == ["7", "0.5", "1.0"]
    with pytest.raises(ValueError, match="kappa must be a finite number, got 'nan'"):
        record.canonical("nan")
    assert not record.is_text


def test_the_string_of_a_user_s_number_does_not_depend_on_who_declares_it() -> None:
    without = of_mine(2).hash
    with registered(MINE):
        assert of_mine(2).hash == without


def test_a_user_s_param_stays_apart_from_one_of_its_name_that_ships() -> None:
    """A later version may ship the name: what a store holds has its old string, and is never left out."""
    own = {"hyperparameters": "eta", "eta": "1", "estimator": "mine"}
    assert Cell.from_params(own).params["eta"] == "1"
    assert Cell.from_params({**own, "eta": "1.0"}).hash != Cell.from_params({**own, "eta": None}).hash


@pytest.mark.parametrize("value", ["1.5", "1e5000", "many"])
def test_a_count_must_be_an_integer(value: str) -> None:
    with pytest.raises(ValueError, match="num_samples must be an integer, got"):
        PARAMS["num_samples"].canonical(value)
