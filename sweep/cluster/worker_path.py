"""Where workers find catsweep's code: where the driver has it from, never in the folder of the command."""

from __future__ import annotations

from pathlib import Path

from ray.job_config import JobConfig

_INSTALLED = ("site-packages", "dist-packages")


class WorkerPath(JobConfig):  # type: ignore[misc]
    """A job's settings with which workers look first where the driver's packages are.

    By itself Ray has them look first in the folder where the command was given and in that of its script, and
    whatever lies there goes before what the driver runs. Ray leaves both out of a job that has a working
    directory of its own; it offers no other way.
    """

    def __init__(self) -> None:
        root = Path(__file__).resolve().parents[2]
        # What is installed every worker finds in its own environment, which may be for another processor.
        super().__init__(_py_driver_sys_path=[] if root.name in _INSTALLED else [str(root)])

    def _runtime_env_has_working_dir(self) -> bool:
        return True
