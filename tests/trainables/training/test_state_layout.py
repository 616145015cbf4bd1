from __future__ import annotations

import pytest
import torch

from trainables.training.state_layout import check_layout

LIKE = {
    "epoch": 1,
    "weights": torch.zeros(2, 3),
    "moments": {"first": torch.zeros(2)},
    "states": [torch.ones(4)],
}


def test_other_values_are_no_other_layout() -> None:
    check_layout(
        {
            "epoch": 9,
            "weights": torch.full((2, 3), torch.nan),
            "moments": {"first": torch.ones(2)},
            "states": [torch.zeros(4)],
        },
        LIKE,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"moments": {}},
            "keys of moments of the state must be ['first'], got []",
        ),
        ({"more": 1}, "keys of the state must be "),
        (
            {"weights": torch.zeros(1, 3)},
            "weights of the state must be ((2, 3), torch.float32), got ((1, 3), ",
        ),
        ({"weights": torch.zeros(2, 3, dtype=torch.float64)}, "got ((2, 3), torch.float64)"),
        ({"weights": None}, "weights of the state must be Tensor, got NoneType"),
        ({"moments": [1]}, "moments of the state must be dict, got list"),
        ({"states": []}, "length of states of the state must be 1, got 0"),
        (
            {"states": [torch.ones(5)]},
            "item 0 of states of the state must be ((4,), torch.float32), got ((5,), ",
        ),
        ({"epoch": "1"}, "epoch of the state must be int, got str"),
    ],
)
def test_another_layout_is_refused_and_the_part_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_layout({**LIKE, **change}, LIKE)
    assert message in str(caught.value)


def test_a_missing_part_is_refused() -> None:
    with pytest.raises(ValueError, match=r"keys of the state must be \['epoch', "):
        check_layout({key: value for key, value in LIKE.items() if key != "epoch"}, LIKE)
