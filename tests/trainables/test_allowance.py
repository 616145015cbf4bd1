from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from trainables.allowance import usable_cores, usable_memory

GIB = 2**30
NESTED = "0::/user.slice/job_7/step_0\n"
VERSION_1 = "9:cpu,cpuacct:/job/step\n8:memory:/job\n1:name=systemd:/init\n"
MACHINE = (6, 64 * GIB)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of six cores and 64 GiB, on which no job of SLURM runs."""
    monkeypatch.setattr("trainables.allowance._cores_of_affinity", lambda: MACHINE[0])
    monkeypatch.setattr("trainables.allowance._memory_of_machine", lambda: MACHINE[1])
    for name in ("SLURM_CPUS_ON_NODE", "SLURM_MEM_PER_NODE"):
        monkeypatch.delenv(name, raising=False)


def root_with(folder: Path, groups: str, files: Mapping[str, str]) -> Path:
    """Return a folder with a process's groups and the files of a control group's tree."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(
    ("groups", "files", "cores", "memory"),
    [
        pytest.param("", {}, *MACHINE, id="no groups"),
        pytest.param("0::/\n", {"cpu.max": "200000 100000"}, 2, MACHINE[1], id="two cores"),
        pytest.param("0::/\n", {"cpu.max": "250000 100000"}, 2, MACHINE[1], id="whole cores only"),
        pytest.param("0::/\n", {"cpu.max": "50000 100000"}, 1, MACHINE[1], id="half a core"),
        pytest.param("0::/\n", {"cpu.max": "900000 100000"}, *MACHINE, id="more than the machine has"),
        pytest.param("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, *MACHINE, id="no limit"),
        pytest.param("0::/\n", {"memory.max": str(3 * GIB)}, 6, 3 * GIB, id="memory"),
        pytest.param(NESTED, {"user.slice/cpu.max": "300000 100000"}, 3, MACHINE[1], id="a group above"),
        pytest.param(
            NESTED,
            {
                "user.slice/cpu.max": "100000 100000",
                "user.slice/job_7/cpu.max": "400000 100000",
                "user.slice/job_7/memory.max": str(2 * GIB),
                "user.slice/job_7/step_0/memory.max": str(5 * GIB),
            },
            1,
            2 * GIB,
            id="the least of all above",
        ),
        pytest.param("0::/outside/of/here\n", {"cpu.max": "200000 100000"}, 2, MACHINE[1], id="container"),
        pytest.param("0::/../../other\n", {"cpu.max": "200000 100000"}, 2, MACHINE[1], id="beside"),
        pytest.param(
            VERSION_1,
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
                "memory/job/memory.limit_in_bytes": str(7 * GIB),
            },
            2,
            7 * GIB,
            id="version 1",
        ),
        pytest.param(
            VERSION_1,
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            *MACHINE,
            id="version 1 without limits",
        ),
        pytest.param("0::/\n", {"cpu.max": "", "memory.max": "lots"}, *MACHINE, id="what nobody understands"),
    ],
)
def test_the_least_of_machine_and_groups_is_what_may_be_used(
    tmp_path: Path, groups: str, files: Mapping[str, str], cores: int, memory: int
) -> None:
    root = root_with(tmp_path, groups, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert (usable_cores(root), usable_memory(root)) == (cores, memory)


def test_a_group_of_another_process_limits_nothing(tmp_path: Path) -> None:
    root = root_with(tmp_path, "0::/mine\n", {"sys/fs/cgroup/other/cpu.max": "100000 100000"})
    assert usable_cores(root) == MACHINE[0]


def test_a_job_of_slurm_has_what_slurm_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "2048")
    assert (usable_cores(tmp_path), usable_memory(tmp_path)) == (4, 2 * GIB)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4(x2)")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # all of the node's
    assert (usable_cores(tmp_path), usable_memory(tmp_path)) == MACHINE


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_one_core_that_was_given_is_one() -> None:
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    program += "from trainables.allowance import usable_cores; print(usable_cores())"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "1\n"
