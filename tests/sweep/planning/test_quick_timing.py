from __future__ import annotations

from pathlib import Path

import pytest

from sweep.home import Home
from sweep.planning.calibration import kind_with
from sweep.planning.plan import Plan, make_plan
from sweep.planning.quick_timing import timed_seconds
from tests.sweep.samples import spec_of


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    spec = spec_of({"estimator": ["st", "reinmax"]}, seeds=2)
    return make_plan(spec, {}, Home.resolve(tmp_path / "home"))


def test_every_kind_is_timed_without_images_and_with_this_code_and_nothing_is_kept(
    plan: Plan, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("estimators", "torch", "json"):
        (own_folder / f"{name}.py").write_text(
            "raise RuntimeError('of the folder that one happens to be in')"
        )
    before = sorted(own_folder.iterdir())
    monkeypatch.setattr("sweep.planning.quick_timing.SECONDS", 200)
    resources = plan.spec.resources
    timed = timed_seconds(plan.packs, "mnist", resources)
    assert set(timed) == {kind_with(pack, resources) for pack in plan.packs}
    assert all(0.01 < seconds < 600 for seconds in timed.values())
    assert sorted(own_folder.iterdir()) == before


def test_what_does_not_get_its_turn_in_time_is_not_known(plan: Plan) -> None:
    assert timed_seconds(plan.packs, "mnist", plan.spec.resources) == {}


def test_of_a_process_that_fails_what_it_had_timed_counts(
    plan: Plan, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = own_folder / "python"
    program.write_text("#!/bin/sh\necho 2.5\nprintf 1.\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    monkeypatch.setattr("sweep.planning.quick_timing.SECONDS", 200)
    assert list(timed_seconds(plan.packs, "mnist", plan.spec.resources).values()) == [2.5]
