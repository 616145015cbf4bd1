from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from sweep.cluster_error import ClusterError
from sweep.home import Home
from sweep.planning.calibration import kind_with
from sweep.planning.capacity import Capacity, Node
from sweep.planning.estimates import TIMED
from sweep.spec.sweep_spec import Resources
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of
from trainables.data import ImageDataset
from trainables.pack import Pack

Command = Callable[..., Answer]


def test_the_plan_of_table2_counts_cells_by_where_they_come_from(catsweep: Command, own_folder: Path) -> None:
    answer = catsweep("plan", "table2")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == (
        "table2: 45 cells (42 as published, 3 as printed), 450 members (0 done), 450 packs to train"
    )
    table = {tuple(line.split()[:2]): line.split()[2:] for line in lines[1:-3]}
    assert table["estimator", "latent"] == ["cells", "members", "done"]
    assert len(table) == 1 + 42
    assert (table["st", "8x4"], table["st", "10x30"]) == (["1", "10", "0"], ["2", "20", "0"])
    assert lines[-3] == "a pack gets 1 core and no GPU (gpus is auto, and this machine has none)"
    assert lines[-2] == (
        "no estimate for 450 packs, of which no epoch has been measured; measure a few steps with --calibrate"
    )
    assert lines[-1].startswith("disk: up to ")
    assert list(own_folder.iterdir()) == []


def test_a_plan_of_which_nothing_is_known_is_timed_and_says_so(
    catsweep: Command, home: Home, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def timed(packs: Sequence[Pack], dataset: str | None, resources: Resources) -> dict[str, float]:
        asked.append(dataset)
        return {kind_with(packs[0], resources): 360.0}

    monkeypatch.setattr("sweep.planning.capacity.usable_cores", lambda: 2)
    monkeypatch.setattr("sweep.planning.quick_timing.timed_seconds", timed)
    Path("grid.yaml").write_text(SPEC_TEXT)
    words = ("plan", "grid.yaml", "--home", home.path)
    expected = "estimate: 0.40 core-hours, 0.20 hours on this machine (2 cores), 2 packs at once; "
    assert f"{expected}seconds per epoch: 2 packs {TIMED}" in catsweep(*words).out.splitlines()
    assert json.loads(catsweep(*words, "--json").out)["estimate"]["core_hours"] == pytest.approx(0.4)
    assert asked == ["mnist", "mnist"]
    drive(spec_of(seeds=1)).train_all({0: 354.0})
    assert TIMED not in catsweep(*words).out
    assert asked == ["mnist", "mnist"]


def test_cells_of_no_paper_are_counted_plainly(catsweep: Command) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("plan", "grid.yaml")
    assert answer.out.splitlines()[0] == "small: 1 cells, 2 members (0 done), 2 packs to train"


def test_what_the_store_holds_is_counted_and_gives_the_estimate(
    catsweep: Command, home: Home, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.planning.capacity.usable_cores", lambda: 2)
    drive(spec_of(seeds=1)).train_all({0: 354.0})  # hence 360 s an epoch
    Path("grid.yaml").write_text(SPEC_TEXT)
    lines = catsweep("plan", "grid.yaml", "--home", home.path).out.splitlines()
    assert lines[0] == "small: 1 cells, 2 members (1 done), 1 packs to train"
    assert lines[2].split() == ["st", "8x4", "1", "2", "1"]
    assert lines[3:] == [
        "a pack gets 1 core and no GPU (gpus is auto, and this machine has none)",
        "estimate: 0.20 core-hours, 0.20 hours on this machine (2 cores), 2 packs at once; "
        "seconds per epoch: 1 packs recorded in the store, by whatever machines they ran on",
        "disk: up to 37.2 MiB of checkpoints (1 packs at once, 3 files each), 0.0 MiB more in the store "
        "(261 bytes a value and 16 kB a picture, as measured on SQLite)",
    ]


def test_gpu_hours_are_told_and_where_no_pack_fits_that_is(
    catsweep: Command, home: Home, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.planning.capacity.usable_cores", lambda: 2)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    drive(spec_of(seeds=1)).train_all({0: 354.0})  # hence 360 s an epoch
    Path("grid.yaml").write_text(SPEC_TEXT + "resources: {gpus: 0.5, members_per_pack: 1}\n")
    words = ("plan", "grid.yaml", "--home", home.path)
    assert catsweep(*words).out.splitlines()[4] == (
        "estimate: 0.20 core-hours, 0.10 GPU-hours, but no pack, with 1 cpus and 0.5 gpus, fits on "
        "this machine (2 cores); seconds per epoch: 1 packs recorded in the store, by whatever machines "
        "they ran on"
    )
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert "0.20 hours on this machine (2 cores, 1 GPUs), 2 packs at once" in catsweep(*words).out


UNMEASURED = "members per pack are not measured yet, so that every member is a pack of its own here; "


@pytest.mark.parametrize("command", ["plan", "status"])
def test_packs_whose_size_is_still_to_be_measured_are_told(command: str, catsweep: Command) -> None:
    Path("auto.yaml").write_text(SPEC_TEXT + "resources: {gpus: 0.5}\n")
    assert UNMEASURED in catsweep(command, "auto.yaml").out
    assert (
        json.loads(catsweep(command, "auto.yaml", "--json").out)["estimate"]["are_pack_sizes_known"] is False
    )
    Path("two.yaml").write_text(SPEC_TEXT + "resources: {gpus: 0.5, members_per_pack: 2}\n")
    assert UNMEASURED not in catsweep(command, "two.yaml").out
    Path("cpu.yaml").write_text(SPEC_TEXT)
    assert UNMEASURED not in catsweep(command, "cpu.yaml").out
    assert json.loads(catsweep(command, "cpu.yaml", "--json").out)["estimate"]["are_pack_sizes_known"] is True


def test_the_machines_of_an_address_are_those_of_the_estimate(
    catsweep: Command, home: Home, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def capacity_at(address: str | None, resources: Resources) -> Capacity:
        asked.append(address)
        return Capacity(f"the Ray cluster at {address}", (Node(4, 0), Node(5, 0)))

    monkeypatch.setattr("sweep.api.capacity_at", capacity_at)
    drive(spec_of(seeds=1)).train_all({0: 354.0})
    Path("grid.yaml").write_text(SPEC_TEXT + "resources: {cpus: 2}\n")
    expected = "0.20 hours on the Ray cluster at head:6379 (2 nodes, 9 cores), 4 packs at once"
    for words in (("plan",), ("status",), ("run", "--dry-run")):
        answer = catsweep(*words, "grid.yaml", "--home", home.path, "--address", "head:6379")
        assert expected in answer.out
    assert asked == ["head:6379"] * 3


def test_a_cluster_that_does_not_fit_is_an_error_that_names_the_line(
    catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def capacity_at(address: str | None, resources: Resources) -> Capacity:
        raise ClusterError("cpus must be at most 2, what the largest node of the cluster has, got 3", "cpus")

    monkeypatch.setattr("sweep.api.capacity_at", capacity_at)
    Path("grid.yaml").write_text(SPEC_TEXT + "resources:\n  cpus: 3\n")
    assert catsweep("plan", "grid.yaml", "--address", "auto").err == (
        "error: grid.yaml, line 9: cpus must be at most 2, what the largest node of the cluster has, got 3\n"
    )


def test_what_fits_nowhere_here_cannot_be_calibrated_here(
    catsweep: Command, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    Path("grid.yaml").write_text(SPEC_TEXT + "resources: {gpus: 1}\n")
    answer = catsweep("plan", "grid.yaml", "--calibrate")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: no pack fits on this machine (")
    assert [path.name for path in own_folder.iterdir()] == ["grid.yaml"]


def test_nothing_is_left_of_a_sweep_that_is_done(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("plan", "grid.yaml", "--home", home.path)
    assert answer.out.splitlines()[-1] == "nothing left to do"


def test_json_holds_the_same_for_programs(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of(seeds=1)).train_all({0: 100.0})
    Path("grid.yaml").write_text(SPEC_TEXT + "    note: '[odd] one'\n")
    answer = catsweep("plan", "grid.yaml", "--home", home.path, "--json")
    plan = json.loads(answer.out)
    (cell,) = plan.pop("cells")
    estimate = plan.pop("estimate")
    assert plan.pop("resources") == {
        "cpus": 1,
        "gpus": [0.0],
        "members_per_pack": None,
        "why": "gpus is auto, and this machine has none",
    }
    assert plan == {"name": "small", "num_cells": 1, "num_members": 2, "num_done": 1, "num_packs": 1}
    assert (estimate["num_known"], estimate["num_unknown"]) == (1, 0)
    (request,) = spec_of().requests()
    assert cell == {
        **request.cell.params,
        "latent": "8x4",
        "note": "[odd] one",
        "cell": request.cell.hash,
        "seeds": [0, 1],
        "done": [0],
    }


def test_a_calibration_measures_what_no_run_has_recorded(
    catsweep: Command, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = np.zeros((200, 784), dtype=np.uint8), np.zeros(200, dtype=np.uint8)
    monkeypatch.setattr("trainables.data.fetch", lambda name, folder: folder)
    monkeypatch.setattr(
        "trainables.data.load", lambda name, folder: ImageDataset(name, images, labels, images, labels)
    )
    for name in ("_WARM_UP_STEPS", "_TIMED_STEPS"):
        monkeypatch.setattr(f"sweep.planning.calibration.{name}", 1)
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep("plan", "grid.yaml", "--home", "home", "--calibrate")
    assert answer.status == 0
    line = answer.out.splitlines()[-2]
    assert line.startswith("estimate: ")
    assert line.endswith("seconds per epoch: 2 packs calibrated on this machine")
    assert not (own_folder / "home" / "mlflow.db").exists()


def test_what_is_typed_stands_in_place_of_the_spec_s_resources_and_changes_no_member(
    catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    Path("grid.yaml").write_text(SPEC_TEXT + "resources: {cpus: 2, gpus: 0}\n")
    typed = ("--gpus", "0.5,0", "--cpus", 1, "--members-per-pack", 2)
    plain, changed = (json.loads(catsweep("plan", "grid.yaml", "--json", *more).out) for more in ((), typed))
    assert plain["resources"]["gpus"] == [0.0]
    assert changed["resources"] == {
        "cpus": 1,
        "gpus": [0.5, 0.0],
        "members_per_pack": 2,
        "why": "as asked for",
    }
    assert (plain["num_packs"], changed["num_packs"]) == (2, 1)
    assert plain["cells"] == changed["cells"]


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--gpus", "many", "--gpus: gpus must be a number, got 'many'"),
        ("--gpus", "auto,", "--gpus: gpus must be a number, got ''"),
        ("--cpus", "0", "--cpus: cpus must be an integer >= 1, got 0"),
        (
            "--members-per-pack",
            "1.5",
            "--members-per-pack: members_per_pack must be an integer >= 1, got '1.5'",
        ),
    ],
)
def test_what_is_typed_wrong_is_named_as_it_was_typed(
    option: str, value: str, problem: str, catsweep: Command
) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    for command in ("plan", "run"):
        answer = catsweep(command, "grid.yaml", option, value)
        assert (answer.status, answer.err.strip()) == (2, f"error: {problem}")
