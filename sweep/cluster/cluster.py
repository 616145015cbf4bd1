"""The Ray cluster that a sweep runs on: joined, or started on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import ray
from ray._private import ray_constants, services
from ray._private.authentication.authentication_token_setup import generate_and_save_token
from ray._private.state import state
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

from sweep.cluster.nodes import holds, node_problems
from sweep.cluster.scratch import RAY, scratch_folder
from sweep.cluster.worker_path import WorkerPath
from sweep.cluster_error import ClusterError
from sweep.messages import say
from sweep.planning.capacity import THIS_MACHINE, Capacity, Node, num_gpus_here
from sweep.planning.placement import Placement, place
from sweep.spec.sweep_spec import Resources
from trainables.allowance import usable_cores, usable_memory
from trainables.gpu_problem import gpu_problem_here
from trainables.training_code import code_hash, own_code

_OBJECT_STORE_BYTES = 400 * 2**20
_TOKEN = Path("~/.ray/auth_token")
"""Whoever has it can run code here; made by Ray itself, everybody could read it."""
_OPTIONS: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
_PATIENCE_SECONDS = 5.0
"""How long a head may take to answer; by itself Ray waits for a quarter of an hour."""
_TRIES_VARIABLE = "RAY_gcs_server_port_wait_time_s"
_TRIES = "2"


@dataclass(frozen=True)
class Joined:
    """A cluster that this process is connected to.

    Args:
        scratch: A folder of this machine that ends with the connection, for its user alone.
        capacity: What the cluster has, and what may come.
        placement: What packs get there.
    """

    scratch: Path
    capacity: Capacity
    placement: Placement


@contextmanager
def cluster(
    address: str | None,
    resources: Resources,
    checkpoints: Path | None = None,
    gpu_problem: Callable[[], str] = gpu_problem_here,
) -> Iterator[Joined]:
    """Connect to a Ray cluster, or start one on this machine, for as long as the context lasts.

    Args:
        address: `auto`, or host:port of the cluster's head; none starts a cluster here.
        resources: What is asked for.
        checkpoints: The home's folder of checkpoints, which every node of a cluster that is joined must see;
            none where nothing is trained, and nodes are not asked.
        gpu_problem: Says on a node why a GPU that a pack gets there cannot be used, or "".

    Raises:
        ClusterError: If the cluster cannot be reached, has no node that a pack fits on, or has one that lacks
            the driver's versions, code or home, or a GPU that PyTorch can use where Ray counts one; or if the
            code has changed since the driver loaded it.
    """
    _check_code()
    with scratch_folder() as scratch:
        if address is None:
            _start(scratch / RAY, num_gpus_here(resources))
        else:
            _join(address)
        try:
            capacity = _capacity(address)
            placement = place(resources, capacity)
            all_wanted = [{"CPU": kind.cpus, "GPU": kind.share} for kind in placement.resources.kinds]
            for wanted in all_wanted:
                _check_fit(wanted)
            if address is not None and checkpoints is not None:
                for wanted in all_wanted:
                    if lacks := node_problems(wanted, checkpoints, gpu_problem):
                        raise ClusterError("; ".join(lacks))
            yield Joined(scratch, capacity, placement)
        finally:
            ray.shutdown()


def _capacity(address: str | None) -> Capacity:
    alive = [_node(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    if address is None:
        return Capacity(THIS_MACHINE, tuple(replace(node, memory=usable_memory()) for node in alive))
    to_come = {name: _node(resources) for name, resources in _nodes_to_come().items()}
    return Capacity(f"the Ray cluster at {address}", tuple(alive), to_come)


def _node(resources: Mapping[str, float]) -> Node:
    return Node(resources.get("CPU", 0), resources.get("GPU", 0))


def _check_code() -> None:
    """See that workers, which are new processes, will load what this one did."""
    if (found := code_hash()) != own_code():
        raise ClusterError(
            f"code must be {own_code()}, as this program loaded it, in every process that trains, got "
            f"{found}: files have changed since; start it again"
        )


def _start(folder: Path, num_gpus: int) -> None:
    """Start a cluster that keeps its sockets and logs in a folder."""
    try:
        _make_token()
        with _on_loopback():
            # "local", since without an address Ray would join a cluster that runs on this machine already.
            ray.init(
                "local",
                include_dashboard=False,
                num_cpus=usable_cores(),
                num_gpus=num_gpus,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=str(folder),
                job_config=WorkerPath(),
                **_OPTIONS,
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(f"Ray cannot be started on this machine: {_one_line(error)}") from None


def _make_token() -> None:
    """Make Ray's token where there is none, for its user alone from the first moment on."""
    loader = AuthenticationTokenLoader.instance()
    if loader.has_token(ignore_auth_mode=True):
        with suppress(OSError):
            _TOKEN.expanduser().chmod(0o600)
        return
    logging.getLogger("ray").setLevel(
        _OPTIONS["logging_level"]
    )  # as Ray does itself, but only once it starts
    before = os.umask(0o077)
    try:
        generate_and_save_token()
    finally:
        os.umask(before)
    loader.reset_cache()


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Have what Ray starts listen on this machine only, as on macOS; on Linux it would on every address.

    Ray has no option for it: it takes 127.0.0.1 for whatever address the machine has in its network.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _join(address: str) -> None:
    head = _head(address)
    name = head if address == "auto" else address
    if not _answers(head):
        raise ClusterError(
            f"no Ray cluster answers at {name}; start its head with `ray start --head` (port 6379, unless "
            f"told otherwise), or name another with --address host:port"
        )
    if not services.find_node_ids():
        raise ClusterError(
            f"this machine is not a node of the Ray cluster at {name}; run catsweep on one of its nodes, or "
            f"make this machine one: ray start --address={name}"
        )
    try:
        with _few_tries():
            ray.init(address, job_config=WorkerPath(), **_OPTIONS)
    except (ray.exceptions.AuthenticationError, ConnectionError, RuntimeError, ValueError) as error:
        if "AuthenticationError" in f"{error!r} {error.__cause__!r}":
            raise ClusterError(
                f"Ray cluster {name} asks for its token; set RAY_AUTH_MODE=token, with the token that "
                f"`ray get-auth-token` prints on its head in ~/.ray/auth_token or RAY_AUTH_TOKEN"
            ) from None
        raise ClusterError(f"Ray cluster {name} cannot be used: {_one_line(error)}") from None


def _head(address: str) -> str:
    """Return host:port of the head that an address stands for."""
    if address.startswith("ray://"):
        raise ClusterError(
            f"address must be auto or host:port, got {address}: with it Ray would move what writes the store "
            f"to the cluster; run catsweep on a node of the cluster with --address auto, or as a Ray job"
        )
    try:
        head = services.canonicalize_bootstrap_address(address)
    except ConnectionError:
        raise ClusterError(
            "address is auto, but no Ray cluster runs on this machine and RAY_ADDRESS names none; start one "
            "with `ray start --head`, or leave out --address"
        ) from None
    except ValueError:
        head = None
    if head is None:
        raise ClusterError(f"address must be auto or host:port, got {address}")
    return str(head)


def _answers(head: str) -> bool:
    """Return whether something is there that speaks as Ray's heads do."""
    with grpc.insecure_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_PATIENCE_SECONDS)
        except grpc.FutureTimeoutError:
            return False
    return True


@contextmanager
def _few_tries() -> Iterator[None]:
    """Have Ray give up soon where a head answers but does not let it in."""
    before = os.environ.get(_TRIES_VARIABLE)
    os.environ[_TRIES_VARIABLE] = before or _TRIES
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TRIES_VARIABLE]


def _check_fit(wanted: Mapping[str, float]) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(holds(node, wanted) for node in nodes):
        return
    to_come = _nodes_to_come()
    for name, node in to_come.items():
        if holds(node, wanted):
            say(f"no node has room for a pack yet; waiting for the autoscaler to start one of type {name}")
            return
    nodes += to_come.values()
    for key, resource in (("cpus", "CPU"), ("gpus", "GPU")):
        most = max((node.get(resource, 0) for node in nodes), default=0)
        if wanted[resource] > most:
            raise ClusterError(
                f"{key} must be at most {most:g}, what the largest node of the cluster has, "
                f"got {wanted[resource]:g}",
                key=key,
            )
    raise ClusterError(
        f"no node of the cluster has what a pack gets: {wanted['CPU']:g} cpus and {wanted['GPU']:g} gpus",
        key="gpus",
    )


def _nodes_to_come() -> dict[str, Mapping[str, float]]:
    """Return what the nodes have that the autoscaler may start, by the name of their type."""
    config = state.get_cluster_config()
    types = config.node_group_configs if config is not None else ()
    return {kind.name: dict(kind.resources) for kind in types if kind.max_count != 0}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
