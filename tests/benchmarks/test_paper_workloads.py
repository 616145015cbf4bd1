from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple

import pytest

from analysis.published import printed as published
from benchmarks.paper_workloads import (
    ESTIMATORS,
    LATENTS,
    NUM_SEEDS,
    Group,
    Projection,
    Setting,
    grid_cells,
    groups,
    make_cell,
    project,
    published_params,
    table2_cells,
)
from sweep.planning.packing import pack_members
from sweep.spec.file import load_spec
from trainables.schema import Cell, Member

ST, GST = Setting("st", "8x4"), Setting("gst", "8x4")
Project = Callable[[str, Sequence[Cell], Mapping[Setting, Mapping[int, float]]], Projection]


def preset_hashes(preset: str) -> set[str]:
    return {request.cell.hash for request in load_spec(preset).requests() if not request.cell.note}


def test_published_params_are_those_that_analysis_reads() -> None:
    params = published_params()
    assert len(params) == len(ESTIMATORS) * len(LATENTS)
    for estimator in ESTIMATORS:
        for latent in LATENTS:
            wanted = published.settings_as_run(estimator, latent)
            assert params[Setting(estimator, latent)].items() <= wanted.items()
            assert published.provenance(make_cell(Setting(estimator, latent))) == "as published"


def test_table_2_has_42_cells_those_of_the_preset_without_a_note() -> None:
    cells = table2_cells()
    assert len(cells) == 42
    assert {cell.hash for cell in cells} == preset_hashes("table2")


def test_full_grid_has_930_cells_those_of_both_presets_and_the_baselines() -> None:
    cells = grid_cells()
    hashes = {cell.hash for cell in cells}
    baselines = {cell.hash for cell in table2_cells() if not cell.estimator.startswith("reinmax_")}
    assert (len(cells), len(hashes), len(baselines)) == (930, 930, 30)
    assert hashes == preset_hashes("grid-reinmax-rao") | preset_hashes("grid-reinmax-cv") | baselines


def test_groups_hold_420_and_9300_members() -> None:
    assert Counter(group.num_members for group in groups(table2_cells())) == {10: 42}
    # Baselines alone; reinmax_rao by optimiser and learning rate; reinmax_cv all of a latent.
    of_grid = groups(grid_cells())
    assert Counter(group.num_members for group in of_grid) == {10: 30, 100: 6 * 8, 700: 6}
    assert sum(group.num_members for group in of_grid) == 9300


def test_a_group_is_what_the_sweep_packs_together() -> None:
    cells = grid_cells()[::7]
    members = [Member(cell, seed) for cell in cells for seed in range(NUM_SEEDS)]
    packs = pack_members(members, lambda _: len(members))
    assert groups(cells) == [
        Group(Setting(pack.members[0].cell.estimator, pack.members[0].cell.latent), len(pack))
        for pack in packs
    ]


def check_arithmetic(project: Project) -> None:
    """One cell has 10 members: 3 packs of 4 take 9 s an epoch, 2 of 8 take 10 s; one of 16 is too large."""
    found = project("one cell", [make_cell(ST)], {ST: {4: 3.0, 8: 5.0, 16: 6.0}})
    assert astuple(found) == ("one cell", 1, 10, 10, 3, pytest.approx(9.0 * 160 / 3600))


def planted(members_in: Callable[[int, int], float], limit: float, by_rate: bool) -> Project:
    """Return a projection of one cell with a mistake."""

    def wrong(
        workload: str, cells: Sequence[Cell], epoch_seconds: Mapping[Setting, Mapping[int, float]]
    ) -> Projection:
        costs = {
            size: members_in(10, size) * seconds
            for size, seconds in epoch_seconds[ST].items()
            if size <= limit
        }
        size = min(costs, key=lambda one: epoch_seconds[ST][one] / one if by_rate else costs[one])
        packs = math.ceil(10 / size)
        return Projection(workload, 1, 10, 10, packs, costs[size] * 160 / 3600)

    return wrong


def packs_needed(members: int, size: int) -> float:
    return math.ceil(members / size)


def test_a_group_takes_the_size_that_is_done_first_and_pays_for_its_last_pack_in_full() -> None:
    check_arithmetic(project)
    check_arithmetic(planted(packs_needed, 10, by_rate=False))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(planted(lambda members, size: members / size, 10, False), id="part of a pack"),
        pytest.param(planted(lambda members, size: members // size, 10, False), id="last pack forgotten"),
        pytest.param(planted(packs_needed, math.inf, False), id="pack larger than the group"),
        pytest.param(planted(packs_needed, 10, True), id="rate alone"),
    ],
)
def test_arithmetic_check_catches_a_wrong_projection(wrong: Project) -> None:
    with pytest.raises(AssertionError):
        check_arithmetic(wrong)


def test_groups_add_up_and_those_without_a_measured_size_are_left_out() -> None:
    # ReinMax-CV at 8x4 is one group of 700: 11 packs of 64 at 4 s, 44 s an epoch.
    cv = Setting("reinmax_cv", "8x4")
    cells = [cell for cell in grid_cells() if cell.latent == "8x4"]
    found = project("8x4", cells, {ST: {1: 2.0}, GST: {16: 1.0}, cv: {1: 1.0, 64: 4.0}})
    # 5 baselines of 10, 800 of ReinMax-Rao, 700 of ReinMax-CV; 10 packs of ST take 20 s an epoch.
    assert astuple(found) == ("8x4", 155, 1550, 710, 21, pytest.approx(64.0 * 160 / 3600))
