"""A job of SLURM that runs a sweep: on one node, on a Ray cluster of its own, or as an array of shards."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from sweep.cluster_error import ClusterError

SECONDS_TO_END = 120
"""How long before its time is up a job is told; SLURM is up to a minute early."""
EXIT_INTERRUPTED = 130
_OBJECT_STORE_BYTES = 400 * 2**20


@dataclass(frozen=True)
class SlurmJob:
    """What is asked of SLURM.

    Args:
        name: Name of the sweep.
        words: The command after `catsweep`, with absolute paths: `run`, the spec and its options.
        nodes: How many nodes; of several, one Ray cluster is made.
        cpus_per_node: Cores on each; none stands for whole nodes.
        gpus_per_node: GPUs on each, a number or "type:number".
        memory: Memory on each, as SLURM writes it.
        time: Longest time, as SLURM writes it.
        partition: Partition.
        account: Account.
        shards: How many jobs of an array share the sweep; none for a job that runs all of it.
        more: Other options of sbatch.
    """

    name: str
    words: Sequence[str]
    nodes: int = 1
    cpus_per_node: int | None = None
    gpus_per_node: str | None = None
    memory: str | None = None
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    shards: int | None = None
    more: Sequence[str] = ()

    @property
    def options(self) -> list[str]:
        """The options of sbatch."""
        stated = {
            "time": self.time,
            "partition": self.partition,
            "account": self.account,
            "gpus-per-node": self.gpus_per_node,
            "cpus-per-task": self.cpus_per_node,
            "mem": self.memory,
            "array": f"1-{self.shards}" if self.shards else None,
        }
        return [
            f"--job-name=catsweep-{self.name}",
            f"--output=catsweep-{self.name}-{'%A-%a' if self.shards else '%j'}.log",
            "--open-mode=append",
            f"--nodes={self.nodes}",
            "--ntasks-per-node=1",
            *(f"--{key}={value}" for key, value in stated.items() if value is not None),
            *([] if self.cpus_per_node else ["--exclusive"]),
            "--requeue",
            f"--signal=B:USR1@{SECONDS_TO_END}",
            *self.more,
        ]

    def script(self) -> str:
        """Return the job's script."""
        template = (resources.files("sweep") / "cluster" / "slurm_job.sh").read_text()
        folder = Path(sys.executable).parent
        command = shlex.join([str(folder / "catsweep"), *self.words])
        command += f" --shard $SLURM_ARRAY_TASK_ID/{self.shards}" if self.shards else ""
        command += ' --address "$address:$port"' if self.nodes > 1 else ""
        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False, trim_blocks=True
        )
        return environment.from_string(template).render(
            options=self.options,
            nodes=self.nodes,
            command=command,
            python=shlex.quote(sys.executable),
            ray=shlex.quote(str(folder / "ray")),
            object_store_bytes=_OBJECT_STORE_BYTES,
            seconds_to_end=SECONDS_TO_END,
            interrupted=EXIT_INTERRUPTED,
        )

    def submit(self) -> str:
        """Hand the job to SLURM, and return what SLURM answers.

        Raises:
            ClusterError: If SLURM is not there, or does not take the job.
        """
        try:
            answer = subprocess.run(
                ["sbatch"], input=self.script(), capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise ClusterError(
                "SLURM is not installed here (no sbatch); take the script, without --submit, to where it is"
            ) from None
        if answer.returncode:
            raise ClusterError(f"sbatch does not take the job: {' '.join(answer.stderr.split())}")
        return answer.stdout.strip()
