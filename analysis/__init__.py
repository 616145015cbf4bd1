"""From the tracking store to the paper: runs as frames, and tables of them. Imports neither torch nor ray."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.formats.rendering import render
    from analysis.runs.frame import load_runs
    from analysis.runs.history import load_history
    from analysis.runs.member_table import load_members
    from analysis.tables.table import table

# MLflow starts to report usage when it is imported, unless told not to.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__all__ = ["load_runs", "load_history", "load_members", "table", "render"]

_HOMES = {
    "load_runs": "analysis.runs.frame",
    "load_history": "analysis.runs.history",
    "load_members": "analysis.runs.member_table",
    "table": "analysis.tables.table",
    "render": "analysis.formats.rendering",
}


def __getattr__(name: str) -> Any:
    # pandas takes a second to import; `catsweep plan`, which asks for published numbers alone, does not wait.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'analysis' has no attribute {name!r}")
