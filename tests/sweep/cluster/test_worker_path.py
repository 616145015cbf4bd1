"""Workers train with the driver's code, whatever lies in the folder where the command is given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.home import Home
from sweep.spec.file import load_spec
from sweep.store.store import Store
from tests.conftest import REPOSITORY
from tests.sweep.samples import rows
from trainables.pack import Pack
from trainables.tasks.synthetic_optimisation import SyntheticOptimisationTrainer

SPEC = """name: tiny
task: synthetic_optimisation
epochs: 1
iterations_per_epoch: 3
seeds: 1
measure: {draws: 3}
grid:
  - {estimator: st, latent: 2x16, lr: 0.1, num_samples: 4, temperature: 0.5}
"""
_COMMAND = "from sweep.cli import console_script; console_script()"
_RULE = "return tempered_softmax_vjp(logits, grad_sample, temperature)"


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in this test's folder; it finds our packages as it finds installed ones."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, *words],
        env={**environment, "PYTHONPATH": str(REPOSITORY), "RAY_worker_niceness": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_what_lies_in_the_folder_of_the_command_is_not_trained_with(own_folder: Path) -> None:
    for package in ("estimators", "trainables"):
        shutil.copytree(REPOSITORY / package, package, ignore=shutil.ignore_patterns("__pycache__"))
    changed = Path("estimators/pathwise/st.py")
    assert changed.read_text().count(_RULE) == 1
    changed.write_text(changed.read_text().replace(_RULE, f"{_RULE} * 2"))
    Path("trainables/training/checkpoint.py").unlink()  # nor can the rest be trained with
    Path("filelock.py").write_text("raise SystemExit('a stranger')")
    Path("tiny.yaml").write_text(SPEC)
    # -P: as the program that pip installs, which does not look into the current folder itself.
    answer = python("-P", "-c", _COMMAND, "run", "tiny.yaml", "--home", "home")
    assert answer.returncode == 0, answer.stderr
    (request,) = load_spec("tiny.yaml").requests()
    (wanted,) = SyntheticOptimisationTrainer(Pack(request.members)).run_epoch().metrics
    (stored,) = Store(Home.resolve("home")).members().values()
    assert wanted is not None
    measured = [name for name in wanted if not name.endswith("seconds")]
    assert {name: stored.metrics[name] for name in measured} == {name: wanted[name] for name in measured}
    ((code,),) = rows(Home.resolve("home"), "select value from tags where key = 'catsweep.code'")
    assert "sha256" in code


@pytest.mark.parametrize("package", ["analysis", "estimators", "trainables"])
def test_a_stranger_s_package_of_our_name_is_named(package: str, own_folder: Path) -> None:
    Path(package).mkdir()
    Path(package, "__init__.py").touch()
    answer = python("-c", "from sweep import run")
    last = answer.stderr.splitlines()[-1]
    assert last.startswith(
        f"ImportError: {package} must be catsweep's, in {REPOSITORY}, got {own_folder / package}"
    )


def test_installed_packages_are_left_to_each_worker_s_own_environment(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweep.cluster import worker_path

    assert worker_path.WorkerPath()._py_driver_sys_path == [str(REPOSITORY)]
    monkeypatch.setattr(
        worker_path, "__file__", str(own_folder / "site-packages" / "sweep" / "cluster" / "worker_path.py")
    )
    assert worker_path.WorkerPath()._py_driver_sys_path == []
