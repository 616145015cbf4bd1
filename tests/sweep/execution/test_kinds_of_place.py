from __future__ import annotations

from typing import Any

import pytest

from sweep.execution.kinds_of_place import KindsOfPlace
from sweep.planning.capacity import PROCESS_BYTES, THIS_MACHINE, Capacity, Node
from sweep.spec.sweep_spec import Resources


@pytest.mark.parametrize(
    ("resources", "there", "room"),
    [
        ({"gpus": 0}, [Node(2, 0)], 2),
        ({"gpus": 0}, [Node(2, 0, PROCESS_BYTES)], 1),
        ({"gpus": 0, "cpus": 2}, [Node(2, 0), Node(3, 0)], 2),
        ({"gpus": 0, "cpus": 4}, [Node(2, 0)], 1),  # the check of the cluster has its say before
        ({"gpus": 0.25}, [Node(8, 1), Node(16, 0)], 4),
        ({"gpus": 1}, [Node(8, 4)], 4),
        ({"gpus": 0}, [Node(8, 4), Node(3, 0)], 11),
        ({"gpus": [1, 0]}, [Node(8, 4), Node(3, 0)], 7),  # packs without a GPU keep off nodes with one
    ],
)
def test_there_is_room_for_what_fits_on_the_nodes(
    resources: dict[str, Any], there: list[Node], room: int
) -> None:
    kinds = KindsOfPlace(Resources.model_validate(resources), Capacity(THIS_MACHINE, tuple(there)))
    assert kinds.room == room


def test_gpus_are_taken_first_and_places_that_are_given_back_are_taken_again() -> None:
    mixed = Capacity("a cluster", (Node(4, 1), Node(2, 0)))
    kinds = KindsOfPlace(Resources.model_validate({"gpus": [0.5, 0]}), mixed)
    assert [kinds.take(f"{number}").share for number in range(5)] == [
        0.5,
        0.5,
        0,
        0,
        0.5,
    ]  # the last one waits
    kinds.leave("4")
    kinds.leave("2")
    assert kinds.take("5").share == 0
    kinds.leave("0")
    assert kinds.take("6").share == 0.5
