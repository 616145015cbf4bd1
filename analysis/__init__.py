"""From the tracking store to the paper: runs as frames, and tables of them. Imports neither torch nor ray."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.formats import render
    from analysis.history import load_history
    from analysis.store import load_runs
    from analysis.tables import table

# MLflow starts to report usage when it is imported, unless told not to.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__all__ = ["load_runs", "load_history", "table", "render"]


def __getattr__(name: str) -> Any:
    # pandas takes a second to import; `catsweep plan`, which asks for published numbers alone, does not wait.
    if name in __all__:
        from analysis.formats import render
        from analysis.history import load_history
        from analysis.store import load_runs
        from analysis.tables import table

        known = {"load_runs": load_runs, "load_history": load_history, "table": table, "render": render}
        return known[name]
    raise AttributeError(f"module 'analysis' has no attribute {name!r}")
