"""Job scripts, and jobs of a real SLURM with two nodes on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sweep.cluster.slurm import SlurmJob
from sweep.cluster_error import ClusterError
from sweep.home import Home
from tests.sweep.cluster.slurm_nodes import missing_programs, two_nodes
from tests.sweep.conftest import Answer
from tests.sweep.samples import rows

Command = Callable[..., Answer]

SPEC = """name: small
epochs: {epochs}
batch_size: {batch_size}
seeds: {seeds}
grid:
  - {{estimator: st, latent: 8x4, lr: 0.0005}}
"""
JOB = SlurmJob("small", ["run", "/a folder/small.yaml", "--home", "/shared/home"])


def test_a_job_of_one_node_needs_no_cluster() -> None:
    script = JOB.script()
    assert "'/a folder/small.yaml' --home /shared/home &\n" in script
    assert "ray start" not in script
    assert "#SBATCH --exclusive\n" in script


def test_what_is_asked_of_slurm_stands_in_the_script() -> None:
    job = SlurmJob(
        "small",
        ["run", "small"],
        nodes=2,
        cpus_per_node=8,
        gpus_per_node="a100:4",
        memory="16G",
        time="8:00:00",
        partition="gpu",
        account="group",
        more=["--constraint=ib"],
    )
    options = re.findall(r"^#SBATCH (.+)$", job.script(), re.MULTILINE)
    assert options == [
        "--job-name=catsweep-small",
        "--output=catsweep-small-%j.log",
        "--open-mode=append",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--time=8:00:00",
        "--partition=gpu",
        "--account=group",
        "--gpus-per-node=a100:4",
        "--cpus-per-task=8",
        "--mem=16G",
        "--requeue",
        "--signal=B:USR1@120",
        "--constraint=ib",
    ]


@pytest.mark.parametrize(
    "job", [JOB, SlurmJob("small", JOB.words, nodes=2), SlurmJob("a", JOB.words, shards=4)]
)
def test_every_script_is_one_that_bash_understands(job: SlurmJob) -> None:
    subprocess.run(["bash", "-n"], input=job.script(), text=True, check=True)
    assert "{{" not in job.script()
    assert "{%" not in job.script()


def test_jobs_of_an_array_run_a_shard_each() -> None:
    script = SlurmJob("small", JOB.words, shards=16).script()
    assert "#SBATCH --array=1-16\n" in script
    assert "--shard $SLURM_ARRAY_TASK_ID/16 &\n" in script


def test_where_slurm_is_not_installed_submitting_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"SLURM is not installed here \(no sbatch\)"):
        JOB.submit()


def test_the_command_prints_a_script_with_absolute_paths(catsweep: Command, own_folder: Path) -> None:
    Path("small.yaml").write_text(SPEC.format(epochs=1, batch_size=100, seeds=1))
    answer = catsweep("slurm", "small.yaml", "--nodes", 2, "--gpus", "auto,0", "--home", "home")
    assert (answer.status, answer.err) == (0, "")
    assert f"run {own_folder}/small.yaml --home {own_folder}/home --gpus auto,0 --address" in answer.out
    assert answer.out.startswith("#!/bin/bash\n")
    wrong = catsweep("slurm", "small.yaml", "--gpus", "many")
    assert (wrong.status, wrong.err) == (2, "error: --gpus: gpus must be a number, got 'many'\n")
    assert catsweep("slurm", "small.yaml", "--nodes", 2, "--array", 3).status == 2


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """The configuration of a SLURM of our own."""
    if missing := missing_programs():
        pytest.skip(f"SLURM is not installed: no {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("needs root, who may start munge as its own user")
    with two_nodes() as config:
        yield config


class Jobs:
    """Submits sweeps as jobs of a SLURM, each with a home of its own."""

    def __init__(self, config: Path, folder: Path, data: Path) -> None:
        self._environment = {**os.environ, "SLURM_CONF": str(config)}
        self._folder = folder
        self._data = data

    def home(self, name: str) -> Home:
        home = Home.resolve(self._folder / name)
        if not home.path.exists():
            home.path.mkdir()
            (home.path / "data").symlink_to(self._data)
        return home

    def submit(self, home: Home, *options: str, **spec: int) -> str:
        path = self._folder / "small.yaml"
        path.write_text(SPEC.format(**{"epochs": 2, "batch_size": 6000, "seeds": 2, **spec}))
        words = ["slurm", str(path), "--home", str(home.path), "--cpus-per-node", "1", "--submit", *options]
        program = Path(sys.executable).parent / "catsweep"
        answer = self.run(str(program), *words, cwd=home.path)
        assert answer.startswith("Submitted batch job ")
        return answer.split()[-1]

    def run(self, *words: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            words, cwd=cwd, env=self._environment, capture_output=True, text=True, check=True
        ).stdout

    def wait(self, *jobs: str, seconds: float = 400) -> None:
        deadline = time.monotonic() + seconds
        while waiting := self.run("squeue", "--noheader", "--format=%i %t %r", f"--jobs={','.join(jobs)}"):
            assert time.monotonic() < deadline, waiting
            for line in waiting.splitlines():
                if line.endswith(" PD BeginTime"):  # SLURM lets a job rest for two minutes
                    self.run("scontrol", "update", f"JobId={line.split()[0]}", "StartTime=now")
            time.sleep(1)


@pytest.fixture
def jobs(slurm: Path, tmp_path: Path, mnist_folder: Path) -> Jobs:
    if shutil.disk_usage(tmp_path).free < 2**30:
        pytest.skip("no room for homes")
    return Jobs(slurm, tmp_path, mnist_folder)


def results(home: Home) -> list[tuple[str, str, int, float]]:
    """Return every loss of every epoch of each member that has finished."""
    return rows(
        home,
        "select tags.value, metrics.key, metrics.step, metrics.value from metrics "
        "join tags on tags.run_uuid = metrics.run_uuid and tags.key = 'catsweep.member' "
        "join runs on runs.run_uuid = metrics.run_uuid and runs.status = 'FINISHED' "
        "where metrics.key not like '%seconds' order by 1, 2, 3",
    )


def members(home: Home) -> set[str]:
    return {row[0] for row in results(home)}


def log_of(home: Home) -> str:
    return "".join(path.read_text() for path in sorted(home.path.glob("catsweep-small-*.log")))


def test_two_jobs_on_the_same_two_nodes_keep_apart(jobs: Jobs) -> None:
    homes = [jobs.home("ann"), jobs.home("bob")]
    before = set(Path("/tmp").glob("catsweep-job-*"))
    started = [jobs.submit(home, "--nodes", "2", "--time", "10") for home in homes]
    folders: set[Path] = set()
    open_folders: set[Path] = set()
    while jobs.run("squeue", "--noheader", f"--jobs={','.join(started)}"):
        found = set(Path("/tmp").glob("catsweep-job-*")) - before
        folders |= found
        with suppress(FileNotFoundError):  # a job has ended
            open_folders |= {folder for folder in found if folder.stat().st_mode & 0o077}
        time.sleep(0.2)
    assert len(folders) == 2
    assert open_folders == set()
    jobs.wait(*started)
    first, second = map(results, homes)
    assert first == second
    assert len(members(homes[0])) == 2
    assert not any(folder.exists() for folder in folders)
    addresses = {re.findall(r"the Ray cluster at (\S+)", log_of(home))[0] for home in homes}
    assert len(addresses) == 2


def check_requeued(jobs: Jobs, cut: Home, job: str, epochs: int) -> None:
    """See that a job that was out of time goes on to the results of one that was not."""
    jobs.wait(job)
    assert "out of time; the job is requeued and goes on from the last checkpoints" in log_of(cut)
    whole = jobs.home("whole")
    jobs.wait(jobs.submit(whole, "--time", "60", epochs=epochs, seeds=1))
    assert "out of time" not in log_of(whole)
    assert results(cut) == results(whole)
    assert len(members(cut)) == 1
    assert max(row[2] for row in results(cut)) == epochs


def test_a_job_that_is_told_that_its_time_is_up_goes_on_to_the_same_bits(jobs: Jobs) -> None:
    cut, epochs = jobs.home("cut"), 6
    job = jobs.submit(cut, "--time", "60", epochs=epochs, seeds=1)
    while not list(cut.checkpoints.glob("*/*.pt")) and jobs.run("squeue", "--noheader", f"--jobs={job}"):
        time.sleep(0.2)
    jobs.run("scancel", "--batch", "--signal=USR1", job)  # what SLURM itself sends
    check_requeued(jobs, cut, job, epochs)


@pytest.mark.slow
def test_a_job_whose_time_limit_comes_goes_on_to_the_same_bits(jobs: Jobs) -> None:
    cut, epochs = jobs.home("cut"), 400
    job = jobs.submit(cut, "--time", "1", "--sbatch=--signal=B:USR1@5", epochs=epochs, seeds=1)
    check_requeued(jobs, cut, job, epochs)


def test_shards_of_an_array_together_are_the_sweep(jobs: Jobs) -> None:
    home = jobs.home("array")
    jobs.wait(jobs.submit(home, "--array", "2", "--time", "10"))
    shards = [members(home.shard(f"{index}-of-2")) for index in (1, 2)]
    assert [len(shard) for shard in shards] == [1, 1]
    assert shards[0] != shards[1]
    program = Path(sys.executable).parent / "catsweep"
    folders = sorted((home.path / "shards").iterdir())
    jobs.run(str(program), "import", *map(str, folders), "--home", str(home.path))
    assert members(home) == shards[0] | shards[1]
