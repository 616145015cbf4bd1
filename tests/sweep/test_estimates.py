from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweep import estimates
from sweep.estimates import CALIBRATED, RECORDED, calibrate, estimate, kind_of, read_calibration
from sweep.home import Home
from sweep.planning import Plan, make_plan
from sweep.store import StoredMember
from tests.sweep.samples import spec_of
from trainables.data import ImageDataset
from trainables.schema import Member


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


def noise(num_train: int) -> ImageDataset:
    images = np.random.default_rng(0).integers(0, 256, (num_train + 50, 784), dtype=np.uint8)
    labels = np.zeros(num_train + 50, dtype=np.uint8)
    return ImageDataset("mnist", images[:-50], labels[:-50], images[-50:], labels[-50:])


def test_without_a_measurement_there_is_no_estimate(place: Home) -> None:
    answer = estimate(plan_of(place), place)
    assert (answer.num_known, answer.num_unknown, answer.core_hours, answer.bases) == (0, 20, 0.0, {})


def test_hours_are_the_median_seconds_of_the_kind_times_the_epochs(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    plan = plan_of(place)
    answer = estimate(recorded(plan, 10.0, 20.0, 90.0), place)
    # Ten packs of st, 36 epochs of 20 s each; the ten of reinmax are left out.
    assert answer.core_hours == pytest.approx(10 * 36 * 20 / 3600)
    assert answer.wall_hours == pytest.approx(10 * 36 * 20 / 3600 / 4)
    assert (answer.num_known, answer.num_unknown, answer.bases) == (10, 10, {RECORDED: 10})


def test_cores_of_a_pack_count_and_fewer_packs_fit_at_once(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    plan = plan_of(place, resources={"cpus": 2})
    answer = estimate(recorded(plan, 20.0), place)
    assert answer.core_hours == pytest.approx(10 * 36 * 20 * 2 / 3600)
    assert answer.wall_hours == pytest.approx(10 * 36 * 20 / 2 / 3600)


def test_one_pack_is_not_faster_for_the_cores_that_stand_idle(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    plan = make_plan(spec_of(epochs=36, seeds=1), {}, place)
    answer = estimate(recorded(plan, 20.0), place)
    assert answer.wall_hours == answer.core_hours == pytest.approx(36 * 20 / 3600)


def test_seconds_of_larger_packs_are_not_those_of_small_ones(place: Home) -> None:
    plan = plan_of(place)
    assert estimate(recorded(plan, 20.0, pack_size=10), place).num_known == 0


def test_only_the_epochs_that_are_left_count(place: Home) -> None:
    plan = make_plan(spec_of(epochs=36, seeds=1), {}, place)
    (member,) = plan.members
    halfway = StoredMember(member, "run", "RUNNING", 18, {"epoch_seconds": 20.0})
    answer = estimate(replace(plan, stored={member.hash: halfway}), place)
    assert answer.core_hours == pytest.approx(18 * 20 / 3600)


def test_a_kind_does_not_depend_on_what_costs_nothing(place: Home) -> None:
    kinds = {
        kind_of(member, 1)
        for changes in (
            {"lr": [0.1, 0.2], "temperature": [0.5, 1.0]},
            {"estimator": "reinmax"},
            {"latent": "4x24"},
            {"optimizer": "radam"},
        )
        for member in make_plan(spec_of(changes), {}, place).members
    }
    assert len(kinds) == 4


def test_a_calibration_is_kept_and_gives_way_to_the_record(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"st": 5.0, "reinmax": 7.0}
    measured = []

    def measure(pack: object, dataset: object) -> float:
        measured.append(pack)
        return seconds[pack.members[0].cell.estimator]  # type: ignore[attr-defined]

    monkeypatch.setattr(estimates, "_seconds_per_epoch", measure)
    monkeypatch.setattr(estimates, "prepare_process", lambda num_threads: None)
    plan = plan_of(place)
    for _ in range(2):
        calibrate(plan.packs, noise(100), place, 1)
    assert len(measured) == 2
    assert sorted(read_calibration(place).values()) == [5.0, 7.0]

    answer = estimate(recorded(plan, 20.0), place)
    assert answer.bases == {RECORDED: 10, CALIBRATED: 10}
    assert answer.core_hours == pytest.approx(10 * 36 * (20 + 7) / 3600)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": "fast"}', '{"kind": null}', "5"])
def test_a_calibration_of_garbage_counts_as_none(text: str, place: Home) -> None:
    place.make_folders()
    place.calibration.write_text(text)
    assert read_calibration(place) == {}


def test_a_measurement_stands_for_the_whole_dataset(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates.PackTrainer, "time_passes", lambda self: (2.0, 0.5))
    monkeypatch.setattr(estimates, "_WARM_UP_STEPS", 1)
    (pack,) = make_plan(spec_of(seeds=1), {}, place).packs
    # 20 steps took 2 s, of 25 in an epoch; all of the 50 test images took 0.5 s.
    assert estimates._seconds_per_epoch(pack, noise(2500)) == pytest.approx(25 * 2 / 20 + 0.5)


def test_steps_are_really_timed(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_WARM_UP_STEPS", "_TIMED_STEPS"):
        monkeypatch.setattr(estimates, name, 1)
    (pack,) = make_plan(spec_of(seeds=1), {}, place).packs
    assert 0.0001 < estimates._seconds_per_epoch(pack, noise(200)) < 60
