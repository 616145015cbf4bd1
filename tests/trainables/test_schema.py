from __future__ import annotations

import pytest

from trainables.schema import (
    DEFAULTS,
    MEMBER_PARAMS,
    PARAMS,
    Cell,
    Kind,
    Member,
    format_param,
)

OF_A_MEMBER = {
    "task": "mnist_vae",
    "dataset": "mnist",
    "estimator": "reinmax_rao",
    "categorical_dim": "8",
    "latent_dim": "4",
    "optimizer": "adam",
    "lr": "0.0007",
    "temperature": "0.3",
    "epochs": "160",
    "seed": "3",
}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("lr", "7e-4", "0.0007"),
        ("lr", "0.00070", "0.0007"),
        ("lr", 0.0007, "0.0007"),
        ("lr", "0.00012345678901234", "0.00012345678901234"),
        ("temperature", 1, "1.0"),
        ("temperature", "1", "1.0"),
        ("epochs", "160.0", "160"),
        ("seed", 9007199254740993, "9007199254740993"),
        ("estimator", "st", "st"),
    ],
)
def test_numbers_take_their_shortest_form(name: str, value: object, text: str) -> None:
    assert format_param(name, value) == text


@pytest.mark.parametrize(("name", "value"), [("epochs", "1.5"), ("lr", "fast"), ("seed", "inf")])
def test_value_of_the_wrong_type_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        format_param(name, value)


def test_hash_is_that_of_the_schema_version_1() -> None:
    # A literal, so that no change of the hash goes unnoticed: stores hold it.
    assert Member.from_params(OF_A_MEMBER).hash == "362ca0816c556129"


def test_stated_defaults_change_no_hash() -> None:
    defaults = {"num_mc_samples": "100", "task_version": 1, "batch_size": 100, "gap": "1", "num_samples": 2}
    stated = {**OF_A_MEMBER, **defaults}
    assert Member.from_params(stated).hash == Member.from_params(OF_A_MEMBER).hash


VALUES = {
    Kind.TEXT: ("one", "other"), Kind.INTEGER: ("3", "7"), Kind.INTEGERS: ("3", "7"),
    Kind.FLOAT: ("0.25", "0.75"),
}  # fmt: skip
EVERY_PARAM = {name: VALUES[one.kind] for name, one in PARAMS.items()}
"""Two values of each, no default among them."""
STATED = {name: one for name, (one, _) in EVERY_PARAM.items()}


@pytest.mark.parametrize("name", MEMBER_PARAMS)
def test_every_param_changes_the_hash(name: str) -> None:
    other = EVERY_PARAM[name][1]
    stated = {key: one for key, one in STATED.items() if (key, name) != ("dataset_version", "dataset")}
    hashes = {
        Member.from_params(params).hash
        for params in (stated, {**stated, name: other}, {**stated, name: DEFAULTS.get(name, "9")})
    }
    assert len(hashes) == 3
    cells = {Member.from_params(params).cell.hash for params in (stated, {**stated, name: other})}
    assert len(cells) == (1 if name == "seed" else 2)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_param_that_is_left_out_counts_as_its_default(name: str) -> None:
    left_out = {key: value for key, value in STATED.items() if key != name}
    stated = Member.from_params({**STATED, name: DEFAULTS[name]})
    assert stated.hash == Member.from_params(left_out).hash


def test_order_and_form_of_params_change_no_hash() -> None:
    shuffled = {**dict(reversed(OF_A_MEMBER.items())), "lr": "7.0e-4"}
    assert Member.from_params(shuffled).hash == Member.from_params(OF_A_MEMBER).hash


def test_cell_leaves_out_seed_and_note_of_its_identity() -> None:
    cell = Member.from_params(OF_A_MEMBER).cell
    noted = Cell.from_params({**OF_A_MEMBER, "seed": 9}, note="as printed in Table 5")
    assert (noted.hash, noted) == (cell.hash, cell)
    assert cell.latent == "8x4"


def test_member_without_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        Member.from_params({key: value for key, value in OF_A_MEMBER.items() if key != "seed"})
