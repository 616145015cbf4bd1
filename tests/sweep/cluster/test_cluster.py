"""Joining a cluster: one error within seconds where it cannot be, and a look at every node beforehand."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler
from importlib import metadata
from pathlib import Path

import pytest
import ray
from ray._private import ray_constants, services
from ray._private.authentication import authentication_token_setup
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import ClusterConfig

from sweep.cluster.cluster import cluster
from sweep.cluster_error import ClusterError
from sweep.execution.training import Training
from sweep.home import Home
from sweep.runner import run_sweep
from sweep.spec.sweep_spec import Resources
from sweep.store.store import Store
from tests.sweep.samples import spec_of
from tests.sweep.search.samples import search_of
from tests.trainables.members import dataset
from trainables import training_code
from trainables.pack_trainable import PackTrainable

ONE_CPU = Resources(gpus=(0.0,))
SMALL = {"object_store_memory": 80 * 2**20}
SECONDS = 10.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster that asks for a token: a head without cores and nodes of one and two."""
    authentication_token_setup.enable_token_auth_by_default()
    authentication_token_setup.ensure_token_if_auth_enabled()
    with pytest.MonkeyPatch.context() as patch:  # so that all of it listens on this machine only
        patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
        patch.setenv(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, "0")
        patch.setenv("RAY_worker_niceness", "0")  # else they starve beside other work
        nodes = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **SMALL}
        )
        try:
            for num_cpus in (1, 2):
                nodes.add_node(num_cpus=num_cpus, **SMALL)
            yield nodes.address
        finally:
            nodes.shutdown()


@contextmanager
def refused(*parts: str) -> Iterator[None]:
    """See that a cluster is refused within seconds, by a line that has these parts."""
    start = time.monotonic()
    with pytest.raises(ClusterError) as caught:
        yield
    assert time.monotonic() - start < SECONDS
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def join(address: str | None, resources: Resources = ONE_CPU, checkpoints: Path | None = None) -> None:
    with cluster(address, resources, checkpoints):
        pass


def test_an_address_where_nobody_answers_is_named(unused_port: int) -> None:
    with refused(f"no Ray cluster answers at 127.0.0.1:{unused_port}", "ray start --head", "--address"):
        join(f"127.0.0.1:{unused_port}")


def test_another_kind_of_server_is_not_waited_for() -> None:
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with refused(f"no Ray cluster answers at 127.0.0.1:{server.server_port}"):
                join(f"127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


@pytest.mark.parametrize("address", ["127.0.0.1", "http://127.0.0.1:8265", "local", ""])
def test_an_address_of_another_form_is_refused_with_the_forms_there_are(address: str) -> None:
    with refused("address must be auto or host:port", f"got {address}"):
        join(address)


def test_a_ray_client_address_is_refused_with_what_to_do_instead() -> None:
    with refused("got ray://127.0.0.1:10001", "--address auto", "Ray job"):
        join("ray://127.0.0.1:10001")


def test_auto_where_no_cluster_runs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    # Another Ray on this machine is none of the test's business.
    monkeypatch.setattr(services, "find_gcs_addresses", frozenset)
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _folder: None)
    with refused("address is auto, but no Ray cluster runs on this machine", "RAY_ADDRESS"):
        join("auto")


def test_auto_of_a_cluster_that_is_gone_names_where_it_was(
    monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{unused_port}")
    with refused("no Ray cluster answers at", f":{unused_port};"):
        join("auto")


def test_a_machine_outside_the_cluster_is_told_to_join_it(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(services, "find_node_ids", set)
    with refused(f"not a node of the Ray cluster at {address}", f"ray start --address={address}"):
        join(address)


@pytest.mark.parametrize(
    "token", [{}, {"RAY_AUTH_MODE": "token"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}]
)
def test_a_driver_without_the_token_is_told_about_it(
    address: str, token: dict[str, str], tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    code = "import sys; from tests.sweep.cluster.test_cluster import join; join(sys.argv[1])"
    driver = subprocess.run(
        [sys.executable, "-c", code, address],
        cwd=Path(__file__).parents[3],
        env={**environment, **token, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,  # Ray by itself would try for minutes
    )
    last = driver.stderr.strip().splitlines()[-1]
    assert f"ClusterError: Ray cluster {address} asks for its token; set RAY_AUTH_MODE=token" in last
    assert "~/.ray/auth_token" in last


def test_a_cluster_that_lacks_nothing_is_joined(address: str, tmp_path: Path) -> None:
    with cluster(address, ONE_CPU, tmp_path):
        assert ray.get_runtime_context().gcs_address == address
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []


def test_without_an_address_a_cluster_of_its_own_is_started(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with cluster(None, ONE_CPU):
        assert ray.get_runtime_context().gcs_address != address


def test_a_pack_larger_than_any_node_is_refused(address: str) -> None:
    with refused("cpus must be at most 2, what the largest node of the cluster has, got 3"):
        join(address, Resources(cpus=3))
    with refused("gpus must be at most 0, what the largest node of the cluster has, got 0.25"):
        join(address, Resources(gpus=0.25))


def test_a_pack_that_the_autoscaler_can_make_room_for_is_waited_for(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ClusterConfig()
    for name, cpus, gpus, max_count in (("gpu", 4, 1, 8), ("cpu", 8, 0, -1), ("head", 64, 8, 0)):
        kind = config.node_group_configs.add(name=name, max_count=max_count)
        kind.resources.update({"CPU": cpus, "GPU": gpus})
    with cluster(address, ONE_CPU):
        gcs = ray._raylet.GcsClient(address=address)
        gcs.report_cluster_config(config.SerializeToString())
    try:
        join(address, Resources(gpus=0.25))
        assert "waiting for the autoscaler to start one of type gpu" in capsys.readouterr().err
        with cluster(address, Resources()) as joined:
            assert joined.placement.resources.share == 1
            assert str(joined.placement).count("may start nodes of type gpu") == 1
        with refused("gpus must be at most 1"):
            join(address, Resources(gpus=2))
        with refused("no node of the cluster has what a pack gets: 5 cpus and 1 gpus"):
            join(address, Resources(cpus=5, gpus=1))
    finally:
        gcs.report_cluster_config(ClusterConfig().SerializeToString())


@pytest.fixture
def only_here(tmp_path: Path) -> Iterator[Path]:
    """A folder that to other processes is what a folder of this machine is to other nodes."""
    folder = os.open(tmp_path, os.O_RDONLY)
    descriptor = fcntl.fcntl(folder, fcntl.F_DUPFD, 900)  # a number that no other process has in use
    yield Path(f"/proc/self/fd/{descriptor}")
    os.close(descriptor)
    os.close(folder)


def test_nodes_that_do_not_see_the_home_are_named(address: str, only_here: Path) -> None:
    with refused("home must be", "got /proc/self/fd (No such", "--home", "(node 127.0.0.1, 127.0.0.1)"):
        join(address, ONE_CPU, only_here)
    with refused("(node 127.0.0.1)"):  # the one that a pack of two cores fits on
        join(address, Resources(cpus=2), only_here)


@pytest.mark.parametrize("kind", ["grid", "search"])
def test_no_sweep_starts_on_nodes_that_do_not_see_the_home(
    kind: str, address: str, only_here: Path, tmp_path: Path
) -> None:
    spec = spec_of(seeds=1) if kind == "grid" else search_of(trials=2)
    home = Home(only_here, f"sqlite:///{tmp_path}/mlflow.db")
    training = Training(PackTrainable, lambda _name, _folder: dataset(10, 10))
    with pytest.raises(ClusterError, match="home must be a folder that all nodes see") as caught:
        run_sweep(spec, "name: small", home, address=address, training=training)
    assert f"got {only_here} " in str(caught.value)
    assert Store(home).members() == {}


def test_a_node_with_another_torch_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"torch": "9.9.9+cpu", "catsweep": metadata.version("catsweep")}
    monkeypatch.setattr("importlib.metadata.version", versions.__getitem__)
    with refused("torch must be 9.9.9 on every node", "got 2.", "(node 127.0.0.1"):
        join(address, ONE_CPU, tmp_path)


def test_a_node_with_other_code_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_code, "own_code", lambda: "0123456789ab")
    with refused(
        "code must be 0123456789ab on every node", f"got {training_code.code_hash()} (node 127.0.0.1"
    ):
        join(address, ONE_CPU, tmp_path)


def test_code_that_changed_since_a_notebook_loaded_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.cluster.cluster.own_code", lambda: "0123456789ab")
    with refused("code must be 0123456789ab, as this program loaded it", f"got {training_code.code_hash()}"):
        join(None)
