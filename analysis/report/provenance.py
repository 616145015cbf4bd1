"""What was run: when, where, with what, and how to do it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.report.artifacts import Artifacts

_COMMIT = re.compile(r"(.+-g)?[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Provenance:
    """Where a sweep's numbers come from.

    Args:
        first_start: When the first of its members started, as text; empty where none has.
        last_end: When the last of them ended.
        elsewhere: Names of other sweeps that trained some of its members, and how many.
        code: Commit or version that the sweep was last run with; empty where it is not known.
        python: Version of Python.
        packages: Versions of packages.
        machine: What is known of the machine that the driver ran on.
        spec_differs: Whether the spec has changed since the sweep was last run.
    """

    first_start: str
    last_end: str
    elsewhere: tuple[tuple[str, int], ...]
    code: str
    python: str
    packages: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]
    spec_differs: bool


def provenance(members: pd.DataFrame, artifacts: Artifacts, name: str, spec_text: str) -> Provenance:
    """Return where the numbers of a sweep come from.

    Args:
        members: A frame of `wanted_members`.
        artifacts: Where the sweep's spec and environment are.
        name: Name of the sweep, which is that of its experiment.
        spec_text: The spec as it is now; empty where it is not known.
    """
    run_id = artifacts.sweep_run(name)
    environment = artifacts.environment(run_id) if run_id else {}
    kept = artifacts.spec(run_id) if run_id else None
    started = members.loc[members["experiment"].notna(), "experiment"].value_counts()
    return Provenance(
        _moment(members["start_time"].min()),
        _moment(members["end_time"].max()),
        tuple((str(other), int(count)) for other, count in started.items() if other != name),
        str(environment.get("code", "")),
        str(environment.get("python", "")),
        _pairs(environment.get("packages")),
        _pairs(environment.get("machine")),
        bool(spec_text and kept is not None and kept.strip() != spec_text.strip()),
    )


def commands(spec: str, code: str) -> Sequence[tuple[str, str]]:
    """Return what to type to do it again, each with what it does.

    Args:
        spec: The spec's file or the preset's name, as typed.
        code: The commit, or the version, that it was run with.
    """
    commit, spec = code.removesuffix("-dirty"), shlex.quote(spec)
    is_commit = _COMMIT.fullmatch(commit) is not None
    get = [(f"git checkout {commit}", "the code that the sweep was last run with")] if is_commit else []
    return (
        *get,
        (f"catsweep run {spec}", "train what is missing"),
        (f"catsweep tables {spec}", "the table; --format latex for a paper"),
        (f"catsweep figures {spec} --out figures", "the figures as PDF, SVG and PNG"),
        (f"catsweep report {spec} --out report.html", "this page"),
    )


def _pairs(found: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(found, Mapping):
        return ()
    return tuple((str(name), str(value)) for name, value in found.items())


def _moment(time: Any) -> str:
    return "" if pd.isna(time) else f"{time:%Y-%m-%d %H:%M} UTC"
