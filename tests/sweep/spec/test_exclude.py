from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.sweep.samples import spec_of

GRID = {"estimator": ["st", "reinmax"], "latent": ["8x4", "4x24"], "lr": [5e-4, 1e-3]}


def cells(exclude: object) -> list[tuple[str, str, str]]:
    requests = spec_of({**GRID, "exclude": exclude}).requests()
    return [(one.cell.estimator, one.cell.latent, one.cell.params["lr"]) for one in requests]


EVERY = cells([])


@pytest.mark.parametrize(
    ("exclude", "is_left_out"),
    [
        ([{"lr": "1e-3"}], lambda cell: cell[2] == "0.001"),
        ({"lr": 0.001}, lambda cell: cell[2] == "0.001"),
        ([{"estimator": "st", "latent": "4x24"}], lambda cell: cell[:2] == ("st", "4x24")),
        (
            [{"estimator": "st", "lr": [5e-4]}, {"estimator": "reinmax", "latent": "8x4", "lr": 0.0010}],
            lambda cell: (cell[0], cell[2]) == ("st", "0.0005") or cell == ("reinmax", "8x4", "0.001"),
        ),
    ],
)
def test_what_fits_an_entry_under_every_key_is_left_out(exclude, is_left_out) -> None:
    assert len(EVERY) == 8
    assert cells(exclude) == [cell for cell in EVERY if not is_left_out(cell)]


def test_an_entry_with_a_hyperparameter_leaves_estimators_without_it_alone() -> None:
    block = {"estimator": ["exact", "reinmax"], "exclude": {"temperature": 1.0, "estimator": "reinmax"}}
    assert [one.cell.estimator for one in spec_of(block).requests()] == ["exact"]
    block["exclude"] = {"temperature": 1}
    assert [one.cell.estimator for one in spec_of(block).requests()] == ["exact"]


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        ({"lr": 0.1}, "exclude must state values of its block, whose lr is 0.0005, 0.001, got 0.1"),
        ({"lrr": 0.1}, "exclude must state keys of its block, got 'lrr'"),
        ({"note": "x"}, "exclude must state values of its block, whose note is not stated, got 'x'"),
        ({"estimator": ["st", "reinmax"]}, "exclude must leave a cell of its block"),
        ("st", "exclude must be settings of the block, such as {lr: 0.001}, got 'st'"),
        ([{}], "exclude must be settings of the block, such as {lr: 0.001}, got {}"),
    ],
)
def test_an_entry_that_leaves_out_nothing_or_everything_is_an_error(exclude, said) -> None:
    with pytest.raises(ValidationError) as caught:
        cells(exclude)
    assert said in str(caught.value)


def test_an_entry_that_fits_no_combination_is_an_error() -> None:
    with pytest.raises(ValidationError, match="exclude must fit a combination of its block"):
        spec_of({"estimator": ["exact", "st"], "exclude": {"estimator": "exact", "temperature": 1.0}})


def test_a_search_has_no_exclude() -> None:
    with pytest.raises(ValidationError, match="kind must be grid where a block has exclude"):
        spec_of({**GRID, "exclude": {"lr": 0.001}}, search={"kind": "optuna", "trials": 2})
