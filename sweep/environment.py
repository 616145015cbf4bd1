"""What a result was made with: versions of code and packages, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("catsweep", "torch", "torchvision", "ray", "mlflow", "optuna", "sqlalchemy", "numpy", "pandas")


def code_version() -> str:
    """Return the commit of the checkout that this code runs from, marked where changed, else the version."""
    folder = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return answer.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return metadata.version("catsweep")


def package_version(package: str) -> str:
    """Return the version of an installed package, or "missing"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def environment() -> dict[str, object]:
    """Return versions and machine as plain containers."""
    return {
        "code": code_version(),
        "python": platform.python_version(),
        "packages": {package: package_version(package) for package in PACKAGES},
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cpus": os.cpu_count(),
        },
    }
