from __future__ import annotations

from pathlib import Path

import pytest

from sweep.cluster.capacity_at import capacity_at
from sweep.planning.capacity import PROCESS_BYTES, Capacity, Node, num_gpus_here, this_machine
from sweep.spec.sweep_spec import Resources

LAPTOP = Capacity("this machine", (Node(2, 0),))


def gets(cpus: int = 1, gpus: float = 0) -> Resources:
    return Resources(cpus=cpus, gpus=(gpus,), members_per_pack=1)


@pytest.mark.parametrize(
    ("node", "resources", "expected"),
    [
        (Node(2, 0), gets(), 2),
        (Node(3, 0), gets(cpus=2), 1),
        (Node(1, 0), gets(cpus=2), 0),
        (Node(16, 0), gets(gpus=0.25), 0),
        (Node(16, 1), gets(gpus=0.25), 4),
        (Node(3, 1), gets(gpus=0.25), 3),
        (Node(64, 8), gets(gpus=1), 8),
        (Node(64, 3), gets(gpus=2), 1),
        (Node(64, 1), gets(gpus=2), 0),
        (Node(64, 1), gets(gpus=0.1), 10),  # 1 // 0.1 is 9
        (Node(64, 1), gets(gpus=1 / 3), 3),
        (Node(64, 2), gets(gpus=0.4), 4),  # two on each; 2 / 0.4 would be 5, one of them on two GPUs
        (Node(64, 2), gets(gpus=0.6), 2),
        (Node(64, 1), gets(gpus=1e-9), 64),
        (Node(64, 0, 8 * PROCESS_BYTES), gets(), 8),
        (Node(64, 1, 3 * PROCESS_BYTES), gets(gpus=0.25), 3),
        (Node(64, 0, PROCESS_BYTES / 2), gets(), 1),  # which may yet fit
        (Node(1, 0, PROCESS_BYTES / 2), gets(cpus=2), 0),
    ],
)
def test_packs_that_fit_on_a_node(node: Node, resources: Resources, expected: int) -> None:
    assert node.num_packs(resources) == expected


def test_nodes_are_filled_one_by_one() -> None:
    cluster = Capacity("a cluster", (Node(3, 0), Node(3, 0), Node(1, 0)))
    # Seven cores have room for three packs of two, but these nodes only for two.
    assert cluster.num_packs(gets(cpus=2)) == 2
    assert Capacity("none", ()).num_packs(gets()) == 0


def test_gpus_without_cores_beside_them_are_of_no_use() -> None:
    apart = Capacity("a cluster", (Node(16, 0), Node(1, 4)))
    assert apart.num_packs(gets(gpus=0.5)) == 1


def test_what_there_is_is_described() -> None:
    assert str(LAPTOP) == "this machine (2 cores)"
    assert str(Capacity("this machine", (Node(16, 1),))) == "this machine (16 cores, 1 GPUs)"
    cluster = Capacity("the Ray cluster at auto", (Node(64, 4), Node(8, 0)))
    assert str(cluster) == "the Ray cluster at auto (2 nodes, 72 cores, 4 GPUs)"


def test_for_this_machine_ray_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", lambda *words, **options: pytest.fail("started"))
    monkeypatch.setattr("sweep.planning.capacity.usable_cores", lambda: 6)
    monkeypatch.setattr("sweep.planning.capacity.usable_memory", lambda: 2**35)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("sweep.planning.capacity._SIGNS_OF_GPUS", ())
    for gpus, num_gpus in ((0, 0), (0.5, 2), ("auto", 0), (["auto", 0], 0)):
        wanted = Resources.model_validate({"gpus": gpus})
        expected = Capacity("this machine", (Node(6, num_gpus, 2**35),))
        assert capacity_at(None, wanted) == this_machine(wanted) == expected


def test_a_real_cluster_of_two_nodes_is_counted() -> None:
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 3})
    try:
        nodes.add_node(num_cpus=5, num_gpus=2)
        nodes.wait_for_nodes()
        counted = capacity_at(nodes.address, gets(cpus=2, gpus=0.5))
    finally:
        nodes.shutdown()
    assert sorted(counted.nodes, key=lambda node: node.cpus) == [Node(3, 0), Node(5, 2)]
    assert counted.num_packs(gets(cpus=2, gpus=0.5)) == 2
    assert counted.num_packs(gets(cpus=2)) == 3


def test_gpus_that_a_driver_shows_are_found_where_they_are_welcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setattr("sweep.planning.capacity._SIGNS_OF_GPUS", ((tmp_path, "nvidia[0-9]*"),))
    (tmp_path / "nvidiactl").touch()
    assert num_gpus_here(Resources()) == 0
    (tmp_path / "nvidia0").touch()
    assert num_gpus_here(Resources()) == 3
    assert num_gpus_here(Resources.model_validate({"gpus": 0})) == 0
