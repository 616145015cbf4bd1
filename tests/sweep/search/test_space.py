from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from sweep.search.space import SearchSpace
from sweep.spec.file import load_spec
from tests.sweep.samples import spec_of

LRS = [0.001, 0.0005]
BLOCKS: dict[str, list[dict[str, object]]] = {
    "one cell": [{}],
    "lists multiply": [{"estimator": ["st", "reinmax"], "lr": LRS, "temperature": [0.5, 1.0, 1.5]}],
    "blocks of other estimators": [
        {"estimator": "reinmax", "lr": LRS, "temperature": [0.5, 1.0]},
        {"estimator": "reinmax_cv", "lr": LRS, "temperature": [0.5, 1.0], "eta": [0.5, 1.5]},
        {"estimator": ["gst", "st"], "lr": 0.003},
    ],
    "blocks with a cell in common": [{"lr": [0.001, 0.002]}, {"lr": [0.002, 0.003]}, {"lr": 0.002}],
    "a value in two forms": [{"lr": ["5e-4", 0.0005, 0.001], "latent": ["8x4", "4x24"]}],
}


def every_choice(space: SearchSpace) -> list[tuple[str, Mapping[str, str]]]:
    """Walk through all choices there are, one after the other."""
    found = []
    open_ends: list[list[str]] = [[]]
    while open_ends:
        start = open_ends.pop()
        taken: list[str] = []

        def suggest(
            name: str, values: Sequence[str], start: list[str] = start, taken: list[str] = taken
        ) -> str:
            if len(taken) < len(start):
                value = start[len(taken)]
            else:
                open_ends.extend([*taken, other] for other in values[1:])
                value = values[0]
            taken.append(value)
            return value

        found.append(space.choose(suggest))
    return found


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_every_cell_of_the_grid_is_reached_and_no_other(blocks: list[dict[str, object]]) -> None:
    spec = spec_of(*blocks)
    choices = every_choice(SearchSpace(spec))
    assert {cell for cell, _ in choices} == {request.cell.hash for request in spec.requests()}
    assert len({str(params) for _, params in choices}) == len(choices)


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_the_choices_of_a_cell_lead_to_it(blocks: list[dict[str, object]]) -> None:
    space = SearchSpace(spec_of(*blocks))
    for cell in space.requests:
        params = space.params_of(cell)
        assert space.choose(lambda name, values, params=params: params[name]) == (cell, params)


@pytest.mark.parametrize("preset", ["table2", "grid-reinmax-cv", "grid-reinmax-rao"])
def test_a_grid_of_the_paper_is_a_space(preset: str) -> None:
    spec = load_spec(preset)
    space = SearchSpace(spec)
    assert list(space.requests.values()) == list(spec.requests())
    draw = random.Random(0)
    for _ in range(50):
        cell, _ = space.choose(lambda name, values: draw.choice(list(values)))
        assert cell in space.requests


def test_blocks_share_the_parameters_of_equal_lists_and_only_these() -> None:
    space = SearchSpace(
        spec_of(
            {"estimator": "reinmax", "lr": LRS, "temperature": [0.5, 1.0]},
            {"estimator": "reinmax_rao", "lr": LRS, "temperature": [0.5, 1.5]},
            {"estimator": "st", "lr": 0.001, "temperature": [0.5, 1.0]},
        )
    )
    names = [[axis.name for axis in block] for block in space.blocks]
    assert names == [["lr", "temperature"], ["lr", "temperature 2"], ["temperature"]]
    (choices,) = {
        name: {tuple(axis.values) for block in space.blocks for axis in block if axis.name == name}
        for name in ("lr",)
    }.values()
    assert choices == {("0.001", "0.0005")}


def test_a_key_with_one_value_is_no_parameter() -> None:
    asked: list[str] = []

    def suggest(name: str, values: Sequence[str]) -> str:
        asked.append(name)
        return values[-1]

    SearchSpace(spec_of({"lr": LRS, "temperature": [1, 1.0]})).choose(suggest)
    assert asked == ["lr"]


def test_the_nearest_cell_differs_in_the_fewest_choices() -> None:
    space = SearchSpace(spec_of({"lr": LRS, "temperature": [0.5, 1.0, 1.5], "optimizer": ["adam", "radam"]}))
    for cell, params in every_choice(space):
        others = [other for other in space.requests if other != cell]
        nearest = space.params_of(space.nearest(params, others))
        assert sum(nearest[name] != params[name] for name in params) == 1


def test_ties_for_the_nearest_are_spread_over_the_parameters() -> None:
    grid = {"lr": [0.001, 0.002, 0.003], "temperature": [0.5, 1.0, 1.5], "optimizer": ["adam", "radam"]}
    space = SearchSpace(spec_of(grid))
    changed = set()
    for cell, params in every_choice(space):
        nearest = space.params_of(space.nearest(params, [other for other in space.requests if other != cell]))
        changed |= {name for name in params if nearest[name] != params[name]}
    assert changed == {"lr", "temperature", "optimizer"}


@pytest.mark.parametrize(
    "change",
    [
        lambda block: {**block, "lr": [*LRS, 0.002]},
        lambda block: {**block, "lr": LRS[::-1]},
        lambda block: {**block, "estimator": "reinmax"},
    ],
)
def test_another_space_has_another_description(
    change: Callable[[dict[str, object]], dict[str, object]],
) -> None:
    block: dict[str, object] = {"estimator": "st", "lr": LRS}
    one, again, other = (SearchSpace(spec_of(each)) for each in (block, dict(block), change(block)))
    assert one.description() == again.description() != other.description()


def test_another_number_of_epochs_is_another_space() -> None:
    descriptions = [SearchSpace(spec_of({"lr": LRS}, epochs=epochs)).description() for epochs in (2, 3)]
    assert descriptions[0] != descriptions[1]


def test_a_wrong_walk_through_all_choices_would_be_seen() -> None:
    """The oracle itself: of a space of 2 x 3 it finds six ways."""
    space = SearchSpace(spec_of({"lr": LRS, "temperature": [0.5, 1.0, 1.5]}))
    ways = [tuple(params.values()) for _, params in every_choice(space)]
    assert sorted(ways) == sorted(itertools.product(["0.001", "0.0005"], ["0.5", "1.0", "1.5"]))
