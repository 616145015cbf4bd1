"""SIGKILL of a node's raylet in a cluster of three nodes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.chaos.conftest import Drive
from tests.chaos.sweeps import DEADLINE_SECONDS, Sweep, environment_of, is_trial
from tests.conftest import REPOSITORY

Check = Callable[[Sweep], None]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class ThreeNodes:
    """A cluster.

    Args:
        address: Its address.
        process: The process that all its processes descend from.
    """

    address: str
    process: psutil.Process

    def nodes_with_trials(self) -> list[psutil.Process]:
        """Return the raylets of the nodes on which trials run."""
        return [
            raylet
            for raylet in self.process.children()
            if raylet.name() == "raylet" and any(map(is_trial, raylet.children()))
        ]


@pytest.fixture
def cluster(sweep: Sweep, tmp_path: Path) -> Iterator[ThreeNodes]:
    with (tmp_path / "cluster").open("wb") as log:
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.three_nodes"],
            cwd=REPOSITORY,
            env=environment_of(sweep.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert program.stdin is not None
    assert program.stdout is not None
    process = psutil.Process(program.pid)
    address = program.stdout.readline().strip()
    assert address, (tmp_path / "cluster").read_text()
    family = process.children(recursive=True)
    yield ThreeNodes(address, process)
    family += process.children(recursive=True)
    program.stdin.close()
    try:
        program.wait(DEADLINE_SECONDS)
    finally:
        program.stdout.close()
        for one in (process, *family):
            if one.is_running():
                one.kill()
        program.wait()


def test_a_killed_node(
    sweep: Sweep, cluster: ThreeNodes, drive: Drive, check_equals_undisturbed: Check
) -> None:
    driver = drive(sweep, "run", "--address", cluster.address)
    driver.wait_for(lambda: len(cluster.nodes_with_trials()) == 2)
    driver.wait_for(sweep.has_epoch)
    victim = cluster.nodes_with_trials()[0]
    victim.kill()
    driver.finish()
    check_equals_undisturbed(sweep)
