from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from sweep.cluster import environment as module
from sweep.cluster.environment import code, code_version, environment, package_version
from tests.conftest import REPOSITORY
from trainables.allowance import usable_cores
from trainables.training_code import own_code


def test_the_environment_names_versions_and_machine_and_can_be_written_as_json() -> None:
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["packages"]["ray"] == metadata.version("ray")  # type: ignore[index]
    assert found["machine"]["cpus"] == usable_cores()  # type: ignore[index]


def test_a_package_that_is_not_there_is_missing() -> None:
    assert package_version("no-such-package-of-ours") == "missing"


def test_the_code_is_the_version_where_there_is_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_git(*words: object, **options: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(module, "_commit", module._commit.__wrapped__)  # what was found before is kept
    monkeypatch.setattr(subprocess, "run", no_git)
    assert code_version() == metadata.version("catsweep")


def test_the_code_that_trains_has_version_hash_and_commit() -> None:
    version = metadata.version("catsweep")
    assert re.fullmatch(rf"{version} sha256 {own_code()}( commit [0-9a-f]{{12}}(-dirty)?)?", code())


def test_the_checkout_of_another_project_says_nothing_of_this_code(tmp_path: Path) -> None:
    """An environment often lies in the folder of the project that it is for."""
    installed = tmp_path / "environment"
    for package in ("sweep", "trainables", "estimators", "analysis"):
        shutil.copytree(
            REPOSITORY / package, installed / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    (tmp_path / ".gitignore").write_text("environment\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", ".gitignore"), (*author, "commit", "-q", "-m", "theirs")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    answer = subprocess.run(
        [sys.executable, "-c", "from sweep.cluster.environment import code_version; print(code_version())"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == metadata.version("catsweep")
