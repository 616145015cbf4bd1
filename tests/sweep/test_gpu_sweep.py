"""Sweeps on a real Ray cluster that claims to have a GPU, trained by a stand-in for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from mlflow import MlflowClient
from ray._private import ray_constants
from ray._private.authentication import authentication_token_setup
from ray.cluster_utils import Cluster

from sweep.cluster_error import ClusterError
from sweep.home import Home
from sweep.runner import run_sweep
from sweep.spec.sweep_spec import Spec
from sweep.store.store import Store
from tests.sweep.samples import spec_of
from tests.sweep.stand_in_gpu import STAND_IN
from trainables.gpu_problem import gpu_problem_here
from trainables.schema import TAG_DEVICE, TAG_PACK_SIZE

SMALL = {"object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of a head, a node with two cores and a GPU, and one with a core."""
    authentication_token_setup.enable_token_auth_by_default()
    authentication_token_setup.ensure_token_if_auth_enabled()
    with pytest.MonkeyPatch.context() as patch:  # so that all of it listens on this machine only
        patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
        patch.setenv(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, "0")
        patch.setenv("RAY_worker_niceness", "0")
        nodes = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **SMALL}
        )
        try:
            nodes.add_node(num_cpus=2, num_gpus=1, **SMALL)
            nodes.add_node(num_cpus=1, **SMALL)
            yield nodes.address
        finally:
            nodes.shutdown()


def devices(spec: Spec, home: Home, address: str | None) -> dict[str, str]:
    """Run a sweep, and return the device of each member by its hash."""
    outcome = run_sweep(spec, "name: small", home, address=address, training=STAND_IN)
    assert (outcome.num_failed, outcome.is_interrupted) == (0, False)
    client = MlflowClient(home.tracking_uri)
    runs = {key: client.get_run(one.run_id) for key, one in Store(home).members().items()}
    return {key: run.data.tags[TAG_DEVICE] for key, run in runs.items()}


def test_packs_get_a_gpu_where_there_is_one_and_say_so(
    address: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of({"lr": [0.001, 0.0005]}, epochs=1, resources={"members_per_pack": 4})
    found = devices(spec, home, address)
    assert Counter(found.values()) == {"stand-in 0": 4}
    assert f"a pack gets 1 core and 1 GPU (gpus is auto, and the Ray cluster at {address} has 1; " in (
        capsys.readouterr().err
    )
    client = MlflowClient(home.tracking_uri)
    sizes = {client.get_run(one.run_id).data.tags[TAG_PACK_SIZE] for one in Store(home).members().values()}
    assert sizes == {"4"}  # of two learning rates
    # Where it ran is no part of what a member is: without a GPU there is nothing left to do.
    assert devices(spec_of({"lr": [0.001, 0.0005]}, epochs=1, resources={"gpus": 0}), home, None) == found


def test_nodes_without_a_gpu_are_used_too_where_that_is_asked_for(address: str, home: Home) -> None:
    spec = spec_of(seeds=6, epochs=1, resources={"gpus": [0.5, 0], "members_per_pack": 1})
    kinds = Counter(devices(spec, home, address).values())
    assert set(kinds) == {"stand-in 0", "CPU"}
    assert sum(kinds.values()) == 6


def test_where_no_node_has_a_gpu_packs_do_without(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(devices(spec_of(seeds=1, epochs=1), home, None).values()) == {"CPU"}
    assert (
        "a pack gets 1 core and no GPU (gpus is auto, and this machine has none)" in capsys.readouterr().err
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="the node has a GPU that PyTorch can use")
def test_a_node_with_a_gpu_that_pytorch_cannot_use_is_one_clear_error(address: str, home: Home) -> None:
    with pytest.raises(ClusterError) as caught:
        run_sweep(
            spec_of(seeds=1),
            "name: small",
            home,
            address=address,
            training=replace(STAND_IN, gpu_problem=gpu_problem_here),
        )
    message = str(caught.value)
    assert message.startswith("a node that has a GPU for Ray must have one for PyTorch, but PyTorch ")
    assert message.endswith("; mend that, or leave GPUs alone with --gpus 0 (node 127.0.0.1)")
    assert "\n" not in message
    assert Store(home).members() == {}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU could be used here")
def test_a_worker_that_finds_no_gpu_says_so() -> None:
    from trainables.training.process import required_device

    with pytest.raises(RuntimeError, match="Ray gave this process a GPU, but PyTorch"):
        required_device("cuda")
    assert required_device("cpu") == torch.device("cpu")
