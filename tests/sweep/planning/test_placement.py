from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep.cluster_error import ClusterError
from sweep.home import Home
from sweep.planning.capacity import THIS_MACHINE, Capacity, Node
from sweep.planning.pack_sizes import _kind, pack_sizes
from sweep.planning.placement import place, placed, with_share
from sweep.planning.plan import make_plan
from sweep.spec.sweep_spec import Resources
from tests.sweep.samples import spec_of

CPUS = Capacity(THIS_MACHINE, (Node(8, 0),))
ONE_GPU = Capacity(THIS_MACHINE, (Node(8, 1),))
MIXED = Capacity("the Ray cluster at auto", (Node(4, 0), Node(8, 2), Node(8, 2)))
TO_COME = Capacity("the Ray cluster at auto", (Node(0, 0),), {"cpu": Node(8, 0), "gpu": Node(4, 1)})


def line(capacity: Capacity, **resources: object) -> str:
    return str(place(Resources.model_validate(resources), capacity))


@pytest.mark.parametrize(
    ("resources", "capacity", "expected"),
    [
        ({}, CPUS, "1 core and no GPU (gpus is auto, and this machine has none)"),
        ({"cpus": 2}, ONE_GPU, "2 cores and 1 GPU (gpus is auto, and this machine has 1)"),
        ({"cpus": 9}, ONE_GPU, "9 cores and no GPU (gpus is auto, and this machine has none)"),
        (
            {},
            TO_COME,
            "1 core and 1 GPU (gpus is auto, and the Ray cluster at auto may start nodes of type gpu)",
        ),
        (
            {},
            MIXED,
            "1 core and 1 GPU (gpus is auto, and the Ray cluster at auto has 4; nodes without one are left "
            "alone, --gpus auto,0 takes them too)",
        ),
        (
            {"gpus": ["auto", 0]},
            MIXED,
            "1 core and 1 GPU or 1 core and no GPU (gpus is auto, and the Ray cluster at auto has 4)",
        ),
        ({"gpus": ["auto", 0]}, CPUS, "1 core and no GPU (gpus is auto, and this machine has none)"),
        ({"gpus": 0.25}, CPUS, "1 core and 0.25 GPU (as asked for)"),
        ({"gpus": 0}, MIXED, "1 core and no GPU (as asked for)"),
    ],
)
def test_gpus_are_taken_where_there_are_any(
    resources: dict[str, object], capacity: Capacity, expected: str
) -> None:
    assert line(capacity, **resources) == f"a pack gets {expected}"


def measured(home: Home, resources: Resources, size: int) -> None:
    """Have the home know what fills a GPU."""
    member = make_plan(spec_of(), {}, home).members[0]
    kind = _kind(member, resources.with_gpus(1.0))
    home.keep(home.pack_sizes, {kind: {"size": size, "most": 64, "hardware": "a GPU"}})


@pytest.mark.parametrize(
    ("num_seeds", "fills", "cores", "share"),
    [
        (8, 8, 8, 1.0),
        (8, 15, 8, 1.0),
        (8, 16, 8, 0.5),
        (8, 31, 8, 0.5),
        (8, 32, 8, 0.25),
        (1, 64, 8, 0.25),  # never less
        (8, 32, 3, 0.5),  # each needs a core
        (8, 32, 1, 1.0),
    ],
)
def test_small_packs_share_a_gpu_as_far_as_each_fits_and_has_a_core(
    tmp_path: Path, num_seeds: int, fills: int, cores: int, share: float
) -> None:
    home = Home.resolve(tmp_path / "home")
    spec = spec_of(seeds=num_seeds)
    capacity = Capacity(THIS_MACHINE, (Node(cores, 1), Node(2, 0)))
    placement = place(spec.resources, capacity)
    measured(home, placement.resources, fills)
    members = make_plan(spec, {}, home).members
    found = with_share(placement, members, capacity, home)
    assert found.resources.share == share
    size = pack_sizes(found.resources, home)(members[0])
    assert size == int(fills * share) >= num_seeds
    packs = make_plan(placed(spec, found), {}, home).packs
    assert [len(pack) for pack in packs] == [num_seeds]


def test_what_was_asked_for_or_is_not_measured_stays(tmp_path: Path) -> None:
    home = Home.resolve(tmp_path / "home")
    spec = spec_of(seeds=2)
    members = make_plan(spec, {}, home).members
    for gpus in ((None,), (1.0,)):
        placement = place(spec.resources.with_gpus(*gpus), ONE_GPU)
        assert with_share(placement, members, ONE_GPU, home) == placement
        measured(home, placement.resources, 64)
        assert with_share(placement, members, ONE_GPU, home).resources.share == (
            0.25 if gpus[0] is None else 1
        )
        home.pack_sizes.unlink()


def test_a_precision_that_needs_a_gpu_is_refused_where_there_is_none() -> None:
    spec = spec_of(precision="tf32")
    assert placed(spec, place(spec.resources, ONE_GPU)).resources.share == 1
    with pytest.raises(
        ClusterError, match=r"precision must be float32 where packs get no GPU, got tf32: .*none"
    ):
        placed(spec, place(spec.resources, CPUS))


def test_learning_rates_share_a_pack_on_a_gpu_alone(tmp_path: Path) -> None:
    home = Home.resolve(tmp_path / "home")
    spec = spec_of({"lr": [0.001, 0.0003], "temperature": [0.5, 1.0]}, {"estimator": "reinmax"}, seeds=2)
    on_cpu = spec.model_copy(update={"resources": Resources(gpus=0, members_per_pack=8)})
    on_gpu = spec.model_copy(update={"resources": Resources(gpus=1, members_per_pack=8)})
    cpu_packs, gpu_packs = (make_plan(one, {}, home).packs for one in (on_cpu, on_gpu))
    assert sorted(map(len, cpu_packs)) == [2, 4, 4]
    assert sorted(map(len, gpu_packs)) == [2, 8]
    rates = [member.params["lr"] for pack in gpu_packs if len(pack) == 8 for member in pack.members]
    assert rates == ["0.0003"] * 4 + ["0.001"] * 4  # neighbours, so that the optimiser is called twice
    assert {member.hash for pack in gpu_packs for member in pack.members} == {
        member.hash for member in make_plan(on_cpu, {}, home).members
    }
    assert json.loads(json.dumps(gpu_packs[0].to_params())) == gpu_packs[0].to_params()
