from __future__ import annotations

import json
import os
import subprocess
from importlib import metadata

import pytest

from sweep.environment import code_version, environment, package_version


def test_the_environment_names_versions_and_machine_and_can_be_written_as_json() -> None:
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["packages"]["ray"] == metadata.version("ray")  # type: ignore[index]
    assert found["machine"]["cpus"] == os.cpu_count()  # type: ignore[index]


def test_a_package_that_is_not_there_is_missing() -> None:
    assert package_version("no-such-package-of-ours") == "missing"


def test_the_code_is_the_version_where_there_is_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_git(*words: object, **options: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    assert code_version() == metadata.version("catsweep")
