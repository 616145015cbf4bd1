from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import ray
import torch

from sweep.home import Home
from sweep.planning.pack_sizes import Bench, measure_pack_sizes, pack_sizes
from sweep.planning.plan import make_plan
from sweep.spec.sweep_spec import Spec
from tests.sweep.samples import spec_of
from trainables.data import ImageDataset
from trainables.schema import Member

GPU = {"gpus": 0.5}


class Best:
    """A bench that finds one size best of those that it may consider, and keeps what it was asked."""

    def __init__(self, size: int, gpu: str = "H100, torch 2.13.0") -> None:
        self._size = size
        self._gpu = gpu
        self.asked: list[tuple[str, int]] = []

    def hardware(self) -> str:
        return self._gpu

    def best_size(self, member: Member, most: int) -> int:
        self.asked.append((member.cell.estimator, most))
        return min(self._size, most)


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.resolve(tmp_path)


@pytest.fixture
def dataset() -> ImageDataset:
    images, labels = np.zeros((200, 784), dtype=np.uint8), np.zeros(200, dtype=np.uint8)
    return ImageDataset("mnist", images, labels, images, labels)


def _sizes(spec: Spec, home: Home) -> list[int]:
    return [len(pack) for pack in make_plan(spec, {}, home).packs]


def _measure(spec: Spec, home: Home, dataset: ImageDataset, bench: Bench | None) -> None:
    measure_pack_sizes(make_plan(spec, {}, home).members_to_run, spec.resources, dataset, home, bench)


def test_estimators_judged_in_one_training_are_one_pack(place: Home) -> None:
    judged = {
        "task": "gradient_quality",
        "epochs": 2,
        "measure": {"epochs": [2]},
        "grid": [
            {"estimator": ["st", "reinmax"], "latent": "8x4", "lr": 0.1, "temperature": [0.5, 1.0]},
            {"estimator": "rloo", "latent": "8x4", "lr": 0.1},
        ],
    }
    for resources in ({}, GPU):
        packs = make_plan(spec_of(seeds=2, resources=resources, **judged), {}, place).packs
        assert [len(pack) for pack in packs] == [5, 5]
        assert [{member.seed for member in pack.members} for pack in packs] == [{0}, {1}]
    few = make_plan(spec_of(seeds=2, resources={"members_per_pack": 3}, **judged), {}, place).packs
    assert [len(pack) for pack in few] == [3, 2, 3, 2]


def test_packs_have_one_member_on_a_cpu_and_before_a_measurement(place: Home) -> None:
    assert _sizes(spec_of(seeds=4), place) == [1, 1, 1, 1]
    assert _sizes(spec_of(seeds=4, resources=GPU), place) == [1, 1, 1, 1]


def test_measured_size_is_kept_and_used(place: Home, dataset: ImageDataset) -> None:
    spec, first, again = spec_of(seeds=7, resources=GPU), Best(4), Best(2)
    _measure(spec, place, dataset, first)
    assert first.asked == [("st", 8)]
    assert _sizes(spec, place) == [4, 3]
    _measure(spec, place, dataset, again)
    assert again.asked == []
    assert _sizes(spec_of(seeds=4), place) == [1, 1, 1, 1]
    assert _sizes(spec_of(seeds=4, resources={"gpus": 1}), place) == [1, 1, 1, 1]


def test_members_whose_number_is_no_power_of_two_may_form_one_pack(
    place: Home, dataset: ImageDataset
) -> None:
    spec = spec_of(seeds=10, resources=GPU)
    _measure(spec, place, dataset, Best(64))
    assert _sizes(spec, place) == [10]


@pytest.mark.parametrize(
    ("best", "seeds", "asked"),
    [
        pytest.param(64, 5, [("st", 8)], id="more might be better"),
        pytest.param(64, 4, [], id="as many as before"),
        pytest.param(64, 2, [], id="fewer"),
        pytest.param(2, 32, [], id="four were no better than two"),
    ],
)
def test_larger_group_is_measured_again_only_where_a_smaller_one_was_the_limit(
    best: int, seeds: int, asked: list[tuple[str, int]], place: Home, dataset: ImageDataset
) -> None:
    _measure(spec_of(seeds=4, resources=GPU), place, dataset, Best(best))
    again = Best(best)
    _measure(spec_of(seeds=seeds, resources=GPU), place, dataset, again)
    assert again.asked == asked


def test_size_is_measured_again_on_another_gpu_or_with_another_version(
    place: Home, dataset: ImageDataset
) -> None:
    spec, other = spec_of(seeds=8, resources=GPU), Best(2, "A100, torch 2.13.0")
    _measure(spec, place, dataset, Best(4))
    _measure(spec, place, dataset, other)
    assert other.asked == [("st", 8)]
    assert _sizes(spec, place) == [2, 2, 2, 2]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the worker would find a GPU")
def test_measurement_runs_on_a_worker_of_the_cluster(place: Home, dataset: ImageDataset) -> None:
    """On a node that only claims a GPU; the worker finds none, hence one member per pack is best."""
    ray.init(
        "local", num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    try:
        _measure(spec_of(seeds=2, resources=GPU), place, dataset, None)
    finally:
        ray.shutdown()
    (measured,) = json.loads(place.pack_sizes.read_text()).values()
    assert (measured["size"], measured["most"]) == (1, 2)
    assert measured["hardware"].startswith("CPU, torch ")


def test_every_kind_is_measured_once_for_its_largest_group_of_more_than_one(
    place: Home, dataset: ImageDataset
) -> None:
    grid = [
        {"estimator": "reinmax", "latent": "8x4", "lr": 0.001},
        {"estimator": "reinmax", "latent": "8x4", "lr": 0.0005, "temperature": [0.5, 1.0]},
        {"estimator": "st", "latent": "8x4", "lr": 0.001},
    ]
    spec, bench = spec_of(seeds=3, grid=grid, resources=GPU), Best(4)
    _measure(spec, place, dataset, bench)
    assert sorted(bench.asked) == [("reinmax", 16), ("st", 4)]
    assert sorted(_sizes(spec, place)) == [3, 3, 3, 3]
    alone = Best(4)
    _measure(spec_of(seeds=1, grid=grid[:1], resources={"gpus": 1}), place, dataset, alone)
    assert alone.asked == []


def test_size_that_the_spec_gives_is_not_measured(place: Home) -> None:
    place.pack_sizes.write_text(json.dumps({"whatever": {"size": 3, "most": 4, "hardware": "H100"}}))
    resources = spec_of(resources={"gpus": 1, "members_per_pack": 5}).resources
    member = spec_of().requests()[0].members[0]
    assert pack_sizes(resources, place)(member) == 5


def measured(size: str) -> str:
    return f'{{"a": {{"size": {size}, "most": 4, "hardware": "H100"}}}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"a": "b"}',
        '{"a": 3}',
        '{"a": {"size": 3}}',
        *map(measured, ("0", "Infinity")),
        "[" * 100_000,
    ],
)
def test_file_that_cannot_be_read_counts_as_nothing_measured(
    text: str, place: Home, dataset: ImageDataset
) -> None:
    spec, bench = spec_of(seeds=2, resources=GPU), Best(2)
    place.pack_sizes.write_text(text)
    assert _sizes(spec, place) == [1, 1]
    _measure(spec, place, dataset, bench)
    assert _sizes(spec, place) == [2]
