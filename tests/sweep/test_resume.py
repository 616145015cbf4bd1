"""A driver killed in the middle: the same command finishes the rest, and nothing shows that it happened."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis import load_runs, render, table
from sweep.spec.file import load_spec

SHOWN_METRICS = ("train_neg_elbo", "test_neg_elbo")
MEMBERS = "select run_uuid from tags where key = 'catsweep.kind' and value = 'member'"
DEADLINE_SECONDS = 400.0

SPEC = """
name: resume
epochs: {epochs}
batch_size: 600
seeds: 2
grid:
  - {{estimator: [st, reinmax, reinmax_cv], latent: 8x4, lr: 5e-4, temperature: 1.0}}
resources: {{members_per_pack: {members_per_pack}}}
"""


@dataclass(frozen=True)
class Sweep:
    """The real command on a spec in a home of its own.

    Args:
        spec: A path, or the name of a preset.
        home: The home.
    """

    spec: str
    home: Path

    def command(self, name: str, *options: str) -> list[str]:
        code = "import sys; from sweep.cli import main; sys.exit(main())"
        return [sys.executable, "-c", code, name, self.spec, "--home", str(self.home), *options]

    def run(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *options),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=True,
            env=_environment(),
        )

    def tables(self) -> list[str]:
        runs = load_runs(f"sqlite:///{self.home / 'mlflow.db'}", metrics=SHOWN_METRICS)
        requests = load_spec(self.spec).requests()
        return [render(table(runs, requests, metric=metric), "csv") for metric in SHOWN_METRICS]

    def pictures(self) -> dict[str, bytes]:
        """Return what each member has learned, by its hash."""
        of_member = "select run_uuid, value from tags where key = 'catsweep.member'"
        folders = dict(self.rows(of_member))
        return {
            folders[path.parent.parent.name]: path.read_bytes()
            for path in self.home.glob("artifacts/*/artifacts/pictures.png")
        }

    def unfinished(self) -> list[Path]:
        return [path.parent for path in self.home.glob("checkpoints/*/pack.json")]

    def is_in_the_middle(self) -> bool:
        """Whether a pack has finished and another is between two epochs."""
        return bool(self.finished()) and self.has_checkpoint()

    def has_checkpoint(self) -> bool:
        return any(self.home.glob("checkpoints/*/epoch-*.pt"))

    def finished(self) -> dict[str, str]:
        """Return when each finished member ended, by its run."""
        if not (self.home / "mlflow.db").exists():
            return {}
        query = f"select run_uuid, end_time from runs where status = 'FINISHED' and run_uuid in ({MEMBERS})"
        try:
            return dict(self.rows(query))
        except sqlite3.OperationalError:  # the driver is still making the tables
            return {}

    def rows(self, query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.home / "mlflow.db") as store:
            return store.execute(query).fetchall()


def _environment() -> dict[str, str]:
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_TRACK", "CATSWEEP"))
    }


def kill_in_the_middle(sweep: Sweep) -> None:
    """Start the sweep and kill its driver in its middle."""
    driver = subprocess.Popen(
        sweep.command("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment()
    )
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert driver.poll() is None, "the sweep ended before it could be killed"
        if sweep.is_in_the_middle():
            break
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait(30)


def check_killed_sweep_equals_uninterrupted(spec: str, mnist_folder: Path, tmp_path: Path) -> None:
    sweeps = []
    for name in ("whole", "killed"):
        home = tmp_path / name
        home.mkdir()
        (home / "data").symlink_to(mnist_folder, target_is_directory=True)
        sweeps.append(Sweep(spec, home))
    whole, killed = sweeps
    whole.run("run")

    kill_in_the_middle(killed)
    finished_before = killed.finished()
    again = killed.run("run")

    assert "0 done before" not in again.stderr
    assert killed.tables() == whole.tables()
    assert killed.pictures() == whole.pictures()
    assert set(killed.pictures()) == {
        member.hash for request in load_spec(spec).requests() for member in request.members
    }
    assert killed.unfinished() == []
    assert len(killed.finished()) == len(whole.finished())
    # What had finished was not touched again.
    assert finished_before.items() <= killed.finished().items()
    logged = f"select run_uuid, key, step from metrics where run_uuid in ({MEMBERS})"
    assert set(Counter(killed.rows(logged)).values()) == {1}
    assert len(killed.rows(logged)) == len(whole.rows(logged))
    assert "0 members finished" in killed.run("run").stderr


@pytest.mark.slow  # the quick half of the suite kills a driver in tests/chaos/test_killed_processes.py
@pytest.mark.parametrize("members_per_pack", [1, 2])
def test_killed_sweep_resumes_to_the_same_bits(
    members_per_pack: int, mnist_folder: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(epochs=3, members_per_pack=members_per_pack))
    check_killed_sweep_equals_uninterrupted(str(spec), mnist_folder, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_quickstart_resumes_to_the_same_bits(mnist_folder: Path, tmp_path: Path) -> None:
    check_killed_sweep_equals_uninterrupted("quickstart", mnist_folder, tmp_path)
