from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sweep import plans
from sweep.home import Home
from sweep.planning.calibration import kind_with
from sweep.planning.capacity import Capacity, Node
from sweep.planning.estimates import CALIBRATED, LIKE_THOSE_TIMED, RECORDED, TIMED, estimate, start_order
from sweep.planning.plan import Plan, make_plan
from sweep.store.disk_use import peak_checkpoint_bytes, store_bytes
from sweep.store.store import StoredMember
from tests.sweep.samples import spec_of
from trainables.schema import Member
from trainables.task_registry import TASKS

TRAINING_METRICS = TASKS["mnist_vae"].metrics

FOUR_CORES = Capacity("this machine", (Node(4, 0),))
ONE_GPU = Capacity("this machine", (Node(16, 1),))


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.resolve(tmp_path / "home")


def plan_of(place: Home, **changes: object) -> Plan:
    block = {"estimator": ["st", "reinmax"]}
    return make_plan(spec_of(block, epochs=36, seeds=10, **changes), {}, place)


def recorded(plan: Plan, *seconds: float, pack_size: int = 1) -> Plan:
    """Return the plan with runs in the store, of the kind of its first cell, whose epochs took so long."""
    others = [Member.from_params({**member.params, "lr": 0.9}) for member in plan.members]
    runs = {
        member.hash: StoredMember(
            member, "run", "FINISHED", 36, {"epoch_seconds": value}, pack_size=pack_size
        )
        for member, value in zip(others, seconds, strict=False)
    }
    return replace(plan, stored=runs)


def calibrated(place: Home, plan: Plan, seconds: Mapping[str, float], where: str = "this machine") -> None:
    """Leave a calibration in the home, by the estimator of a pack."""
    place.make_folders()
    known = {
        kind_with(pack, plan.spec.resources): {where: seconds[pack.members[0].cell.estimator]}
        for pack in plan.packs
    }
    place.calibration.write_text(json.dumps(known))


def test_without_a_measurement_there_is_no_estimate_of_hours(place: Home) -> None:
    answer = estimate(plan_of(place), place, FOUR_CORES)
    assert (answer.num_known, answer.num_unknown, answer.core_hours, answer.bases) == (0, 20, 0.0, {})
    assert answer.checkpoint_bytes > 0


def test_what_was_timed_just_now_counts_where_nothing_else_is_known_and_stands_for_the_rest(
    place: Home,
) -> None:
    plan = plan_of(place)
    kinds = {pack.members[0].cell.estimator: kind_with(pack, plan.spec.resources) for pack in plan.packs}
    answer = estimate(plan, place, FOUR_CORES, {kinds["st"]: 20.0})
    assert (answer.num_known, answer.bases) == (20, {TIMED: 10, LIKE_THOSE_TIMED: 10})
    assert answer.core_hours == pytest.approx(20 * 36 * 20 / 3600)
    both = estimate(recorded(plan, 5.0), place, FOUR_CORES, {kinds["st"]: 20.0, kinds["reinmax"]: 30.0})
    assert both.bases == {RECORDED: 10, TIMED: 10}
    assert both.core_hours == pytest.approx((10 * 5 + 10 * 30) * 36 / 3600)


def test_hours_are_the_median_seconds_of_the_kind_times_the_epochs(place: Home) -> None:
    plan = plan_of(place)
    answer = estimate(recorded(plan, 10.0, 20.0, 90.0), place, FOUR_CORES)
    # Ten packs of st, 36 epochs of 20 s each; the ten of reinmax are left out. Four at once: three rounds.
    assert answer.core_hours == pytest.approx(10 * 36 * 20 / 3600)
    assert answer.wall_hours == pytest.approx(3 * 36 * 20 / 3600)
    assert (answer.num_known, answer.num_unknown, answer.bases) == (10, 10, {RECORDED: 10})
    assert (answer.gpu_hours, answer.num_at_once, answer.where) == (0.0, 4, "this machine (4 cores)")


def test_cores_of_a_pack_count_and_fewer_packs_fit_at_once(place: Home) -> None:
    plan = plan_of(place, resources={"cpus": 2})
    answer = estimate(recorded(plan, 20.0), place, FOUR_CORES)
    assert answer.core_hours == pytest.approx(10 * 36 * 20 * 2 / 3600)
    assert answer.wall_hours == pytest.approx(5 * 36 * 20 / 3600)
    assert answer.num_at_once == 2


def test_a_share_of_a_gpu_counts_as_a_share_of_its_hours(place: Home) -> None:
    plan = plan_of(place, resources={"gpus": 0.2, "members_per_pack": 1})
    answer = estimate(recorded(plan, 20.0), place, ONE_GPU)
    assert answer.gpu_hours == pytest.approx(10 * 36 * 20 / 3600 / 5)
    assert answer.core_hours == pytest.approx(10 * 36 * 20 / 3600)
    assert answer.wall_hours == pytest.approx(2 * 36 * 20 / 3600)
    assert answer.num_at_once == 5


def test_where_no_pack_fits_there_are_hours_but_no_end(place: Home) -> None:
    plan = plan_of(place, resources={"gpus": 1, "members_per_pack": 1})
    answer = estimate(recorded(plan, 20.0), place, FOUR_CORES)
    assert (answer.wall_hours, answer.num_at_once, answer.checkpoint_bytes) == (None, 0, 0)
    assert answer.gpu_hours > 0


def test_one_pack_is_not_faster_for_the_cores_that_stand_idle(place: Home) -> None:
    plan = make_plan(spec_of(epochs=36, seeds=1), {}, place)
    answer = estimate(recorded(plan, 20.0), place, Capacity("this machine", (Node(64, 0),)))
    assert answer.wall_hours == answer.core_hours == pytest.approx(36 * 20 / 3600)


def test_the_longest_pack_is_waited_for(place: Home) -> None:
    plan = make_plan(spec_of({"estimator": ["st", "reinmax"]}, epochs=36, seeds=[0]), {}, place)
    calibrated(place, plan, {"st": 1.0, "reinmax": 50.0})
    answer = estimate(plan, place, FOUR_CORES)
    # Divided among the slots it would be half of 51 s an epoch.
    assert answer.wall_hours == pytest.approx(36 * 50 / 3600)
    assert answer.core_hours == pytest.approx(36 * 51 / 3600)


def test_the_longest_packs_start_first_once_all_are_known(place: Home) -> None:
    plan = make_plan(spec_of({"estimator": ["st", "reinmax"]}, epochs=36, seeds=3), {}, place)
    assert start_order(plan, place) == plan.packs
    calibrated(place, plan, {"st": 1.0, "reinmax": 3.0})
    order = start_order(plan, place)
    assert [pack.members[0].cell.estimator for pack in order] == ["reinmax"] * 3 + ["st"] * 3
    assert set(order) == set(plan.packs)
    # 3+3 | 3+1+1+1 at two a time; in the plan's order, 1+1+3+3 | 1+3, it would be 8.
    two_cores = Capacity("this machine", (Node(2, 0),))
    assert estimate(plan, place, two_cores).wall_hours == pytest.approx(36 * 6 / 3600)


def test_a_search_starts_its_packs_as_it_chooses_them_and_only_so_many(place: Home) -> None:
    search = {"kind": "optuna", "trials": 4, "concurrency": 3}
    grid = {"estimator": ["st", "reinmax"], "lr": [0.1, 0.2]}
    plan = plans.plan_of(spec_of(grid, epochs=36, seeds=[0], search=search), {}, place)
    calibrated(place, plan, {"st": 1.0, "reinmax": 3.0})
    assert start_order(plan, place) == plan.packs
    answer = estimate(plan, place, FOUR_CORES)
    assert answer.num_at_once == 3
    assert estimate(plan, place, Capacity("this machine", (Node(1, 0),))).num_at_once == 1


def test_seconds_of_larger_packs_are_not_those_of_small_ones(place: Home) -> None:
    plan = plan_of(place)
    assert estimate(recorded(plan, 20.0, pack_size=10), place, FOUR_CORES).num_known == 0


def test_only_the_epochs_that_are_left_count(place: Home) -> None:
    plan = make_plan(spec_of(epochs=36, seeds=1), {}, place)
    (member,) = plan.members
    halfway = StoredMember(member, "run", "RUNNING", 18, {"epoch_seconds": 20.0})
    answer = estimate(replace(plan, stored={member.hash: halfway}), place, FOUR_CORES)
    assert answer.core_hours == pytest.approx(18 * 20 / 3600)
    assert answer.store_bytes == store_bytes(0, 18, len(TRAINING_METRICS), 1)


def test_disk_is_of_the_packs_at_once_and_of_all_members_to_come(place: Home) -> None:
    plan = plan_of(place)
    answer = estimate(plan, place, FOUR_CORES)
    assert answer.checkpoint_bytes == peak_checkpoint_bytes(plan.packs, 4)
    assert answer.store_bytes == store_bytes(20 + 2, 20 * 36, len(TRAINING_METRICS), 20)


@pytest.mark.parametrize(
    ("where", "seconds", "basis"),
    [
        ("this machine", 5.0, f"{CALIBRATED} this machine"),
        ("the Ray cluster at auto", 2.0, f"{CALIBRATED} the Ray cluster at auto"),
        ("the Ray cluster at other:6379", 2.0, f"{CALIBRATED} the Ray cluster at auto"),
    ],
)
def test_a_calibration_of_these_machines_goes_before_one_of_others(
    where: str, seconds: float, basis: str, place: Home
) -> None:
    plan = make_plan(spec_of(epochs=36, seeds=1), {}, place)
    kind = kind_with(plan.packs[0], plan.spec.resources)
    place.make_folders()
    measured = {"this machine": 5.0, "the Ray cluster at auto": 2.0}
    place.calibration.write_text(json.dumps({kind: measured}))
    answer = estimate(plan, place, Capacity(where, (Node(1, 0),)))
    assert (answer.core_hours, answer.bases) == (pytest.approx(36 * seconds / 3600), {basis: 1})


def test_a_calibration_gives_way_to_the_record(place: Home) -> None:
    plan = plan_of(place)
    calibrated(place, plan, {"st": 5.0, "reinmax": 7.0})
    answer = estimate(recorded(plan, 20.0), place, FOUR_CORES)
    assert answer.bases == {RECORDED: 10, f"{CALIBRATED} this machine": 10}
    assert answer.core_hours == pytest.approx(10 * 36 * (20 + 7) / 3600)


@pytest.mark.parametrize("resources", [{"cpus": 2}, {"gpus": 0.5, "members_per_pack": 1}])
def test_a_calibration_with_other_resources_does_not_count(resources: dict[str, object], place: Home) -> None:
    calibrated(place, plan_of(place), {"st": 5.0, "reinmax": 7.0})
    assert estimate(plan_of(place, resources=resources), place, ONE_GPU).num_known == 0


def test_what_judging_takes_is_spread_over_the_epochs(place: Home) -> None:
    judging = {"task": "gradient_quality", "measure": {"epochs": [9, 18, 27, 36]}}
    plan = make_plan(spec_of({"estimator": ["st", "reinmax"]}, epochs=36, seeds=1, **judging), {}, place)
    other = Member.from_params({**plan.members[0].params, "lr": 0.9})
    seconds = {"epoch_seconds": 10.0, "measurement_seconds": 90.0}
    stored = StoredMember(other, "run", "FINISHED", 36, seconds, pack_size=2)
    answer = estimate(replace(plan, stored={other.hash: stored}), place, FOUR_CORES)
    assert answer.core_hours == pytest.approx((36 * 10 + 4 * 90) / 3600)
