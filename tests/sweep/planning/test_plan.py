from __future__ import annotations

from pathlib import Path

import pytest

from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.planning.plan import Plan, make_plan
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoredMember
from tests.sweep.samples import spec_of
from trainables.pack import Pack
from trainables.schema import Member


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.resolve(tmp_path / "home")


def member(seed: int, spec: Spec | None = None) -> Member:
    (request,) = (spec or spec_of()).requests()
    return Member(request.cell, seed)


def stored(seed: int, status: str, **more: object) -> dict[str, StoredMember]:
    one = member(seed)
    return {one.hash: StoredMember(one, f"run{seed}", status, 2, {}, **more)}  # type: ignore[arg-type]


def seeds_to_run(plan: Plan) -> list[list[int]]:
    return [[one.seed for one in pack.members] for pack in plan.packs]


def test_an_empty_store_leaves_everything_to_do(place: Home) -> None:
    plan = make_plan(spec_of(seeds=3), {}, place)
    assert seeds_to_run(plan) == [[0], [1], [2]]
    assert plan.members == plan.members_to_run == tuple(member(seed) for seed in range(3))


@pytest.mark.parametrize(
    ("status", "more", "runs", "runs_on_retry"),
    [
        ("FINISHED", {}, False, False),
        ("FINISHED", {"diverged": 2}, False, False),
        ("FAILED", {"error": "no memory"}, False, True),
        ("KILLED", {}, False, True),
        ("RUNNING", {}, True, True),
        ("SCHEDULED", {}, True, True),
    ],
)
def test_what_the_store_knows_of_a_member_decides_whether_it_runs(
    status: str, more: dict[str, object], runs: bool, runs_on_retry: bool, place: Home
) -> None:
    known = stored(0, status, **more)
    assert seeds_to_run(make_plan(spec_of(), known, place)) == ([[0], [1]] if runs else [[1]])
    again = make_plan(spec_of(), known, place, retry_failed=True)
    assert seeds_to_run(again) == ([[0], [1]] if runs_on_retry else [[1]])
    assert again.is_finished(member(0)) == (status == "FINISHED")
    assert again.has_failed(member(0)) == (status in ("FAILED", "KILLED"))
    assert not again.is_finished(member(1))
    assert not again.has_failed(member(1))


def test_a_wider_spec_runs_only_what_is_new(place: Home) -> None:
    known = {**stored(0, "FINISHED"), **stored(1, "FINISHED")}
    wider = spec_of({"lr": [0.0005, 0.001]}, seeds=3)
    plan = make_plan(wider, known, place)
    assert [(one.cell.params["lr"], one.seed) for one in plan.members_to_run] == [
        ("0.0005", 2),
        ("0.001", 0),
        ("0.001", 1),
        ("0.001", 2),
    ]


def test_the_name_of_the_sweep_and_its_resources_do_not_make_members_new(place: Home) -> None:
    known = {**stored(0, "FINISHED"), **stored(1, "FINISHED")}
    other = spec_of(name="other", resources={"cpus": 2, "members_per_pack": 2})
    assert make_plan(other, known, place).packs == ()


def test_new_packs_have_the_size_that_the_spec_asks_for(place: Home) -> None:
    plan = make_plan(spec_of(seeds=5, resources={"members_per_pack": 2}), {}, place)
    assert seeds_to_run(plan) == [[0, 1], [2, 3], [4]]


def test_a_pack_left_behind_is_planned_with_what_the_store_knows_of_all_its_members(place: Home) -> None:
    (write_manifest(place.checkpoints, Pack((member(0), member(7)))) / "epoch-000001.pt").touch()
    known = stored(7, "RUNNING")
    plan = make_plan(spec_of(), known, place)
    assert seeds_to_run(plan) == [[0, 7], [1]]
    assert plan.members_to_run == (member(0), member(1))
    assert plan.stored[member(7).hash].run_id == "run7"


def test_members_that_finished_elsewhere_do_not_count_as_still_to_run(place: Home) -> None:
    (write_manifest(place.checkpoints, Pack((member(0), member(1)))) / "epoch-000001.pt").touch()
    plan = make_plan(spec_of(), stored(0, "FINISHED"), place)
    assert seeds_to_run(plan) == [[0, 1]]
    assert plan.members_to_run == (member(1),)
