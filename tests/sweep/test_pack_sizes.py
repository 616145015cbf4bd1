from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import ray

from sweep.home import Home
from sweep.pack_sizes import measure_pack_sizes, pack_sizes
from sweep.planning import make_plan
from sweep.spec import Spec
from tests.sweep.samples import spec_of
from trainables.data import ImageDataset

GPU = {"gpus": 0.5}


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.resolve(tmp_path)


def _sizes(spec: Spec, home: Home) -> list[int]:
    return [len(pack) for pack in make_plan(spec, {}, home).packs]


def _measure(monkeypatch: pytest.MonkeyPatch, spec: Spec, home: Home, size: int) -> list[int]:
    """Measure with a device that finds `size` best; return the sizes of the groups that it was given."""
    groups: list[int] = []

    def measured(_resources: object, group: list[object], _dataset: object) -> int:
        groups.append(len(group))
        return size

    monkeypatch.setattr("sweep.pack_sizes._measure", measured)
    monkeypatch.setattr("ray.get", lambda value: value)
    members = make_plan(spec, {}, home).members_to_run
    measure_pack_sizes(members, spec.resources, None, home)  # type: ignore[arg-type]
    return groups


def test_packs_have_one_member_on_a_cpu_and_before_a_measurement(place: Home) -> None:
    assert _sizes(spec_of(seeds=4), place) == [1, 1, 1, 1]
    assert _sizes(spec_of(seeds=4, resources=GPU), place) == [1, 1, 1, 1]


def test_measured_size_is_kept_and_used(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(seeds=7, resources=GPU)
    assert _measure(monkeypatch, spec, place, 4) == [7]
    assert _sizes(spec, place) == [4, 3]
    assert _measure(monkeypatch, spec, place, 2) == []
    assert _sizes(spec_of(seeds=4), place) == [1, 1, 1, 1]
    assert _sizes(spec_of(seeds=4, resources={"gpus": 1}), place) == [1, 1, 1, 1]


def test_measurement_runs_on_a_worker_of_the_cluster(place: Home) -> None:
    """On a node that only claims a GPU; the worker finds none, hence one member per pack is best."""
    images, labels = np.zeros((200, 784), dtype=np.uint8), np.zeros(200, dtype=np.uint8)
    dataset = ImageDataset("mnist", images, labels, images, labels)
    spec = spec_of(seeds=2, resources=GPU)
    ray.init(num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        measure_pack_sizes(make_plan(spec, {}, place).members_to_run, spec.resources, dataset, place)
    finally:
        ray.shutdown()
    assert list(json.loads(place.pack_sizes.read_text()).values()) == [1]


def test_every_kind_is_measured_once_with_its_largest_group(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = [
        {"estimator": "reinmax", "latent": "8x4", "lr": 0.001},
        {"estimator": "reinmax", "latent": "8x4", "lr": 0.0005, "temperature": [0.5, 1.0]},
        {"estimator": "st", "latent": "8x4", "lr": 0.001},
    ]
    spec = spec_of(seeds=3, grid=grid, resources=GPU)
    assert _measure(monkeypatch, spec, place, 4) == [6, 3]
    assert sorted(_sizes(spec, place)) == [2, 3, 3, 4]


def test_size_that_the_spec_gives_is_not_measured(place: Home) -> None:
    place.pack_sizes.write_text(json.dumps({"whatever": 3}))
    resources = spec_of(resources={"gpus": 1, "members_per_pack": 5}).resources
    member = spec_of().requests()[0].members[0]
    assert pack_sizes(resources, place)(member) == 5


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "b"}'])
def test_file_that_cannot_be_read_counts_as_nothing_measured(place: Home, text: str) -> None:
    place.pack_sizes.write_text(text)
    assert _sizes(spec_of(seeds=2, resources=GPU), place) == [1, 1]
