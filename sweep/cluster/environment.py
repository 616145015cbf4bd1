"""What a result was made with: versions of code and packages, and the machine."""

from __future__ import annotations

import getpass
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from trainables.allowance import usable_cores
from trainables.schema import TAG_VERSIONS
from trainables.training_code import own_code

PACKAGES = ("catsweep", "torch", "torchvision", "ray", "mlflow", "optuna", "sqlalchemy", "numpy", "pandas")


def code_version() -> str:
    """Return the commit of the checkout that this code runs from, marked where changed, else the version."""
    return _commit() or package_version("catsweep")


def code() -> str:
    """Describe the code that trains: its version, its hash, and its commit where it runs from a checkout."""
    commit = f" commit {_commit()}" if _commit() else ""
    return f"{package_version('catsweep')} sha256 {own_code()}{commit}"


@cache
def _commit() -> str:
    """Return the commit of the checkout that this file belongs to, or "" where it is in none.

    An environment may lie in a checkout of something else.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return ""


def _head(folder: Path) -> str:
    """Return the commit of the checkout that a folder is in, or "" where it is in none."""
    try:
        return _git("rev-parse", "HEAD", folder=folder)
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*words: str, folder: Path = Path(__file__).parent) -> str:
    answer = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True
    )
    return answer.stdout.strip()


@cache
def package_version(package: str) -> str:
    """Return the version of an installed package, or "missing"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def provenance(sweep: str) -> dict[str, str]:
    """Return the tags by which MLflow shows whose a run is and where it comes from.

    The commit is that of the checkout that this code runs from, else that of the folder in which the command
    was given, which may be the user's own.

    Args:
        sweep: The sweep's name.
    """
    tags = {
        "mlflow.user": _user(),
        "mlflow.source.name": f"catsweep run {sweep}",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": _head(Path(__file__).parent) if _commit() else _head(Path.cwd()),
        TAG_VERSIONS: ", ".join(f"{name} {package_version(name)}" for name in ("catsweep", "torch")),
    }
    return {name: value for name, value in tags.items() if value}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an id that the machine has no name for
        return ""


def environment() -> dict[str, object]:
    """Return versions and machine as plain containers."""
    return {
        "code": code_version(),
        "training_code": own_code(),
        "python": platform.python_version(),
        "packages": {package: package_version(package) for package in PACKAGES},
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cpus": usable_cores(),
        },
    }
