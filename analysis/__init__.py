"""From the tracking store to the paper: runs as frames, and tables of them. Imports neither torch nor ray."""

import os

# MLflow starts to report usage when it is imported, unless told not to.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from analysis.history import load_history
from analysis.render import render
from analysis.store import load_runs
from analysis.tables import table

__all__ = ["load_runs", "load_history", "table", "render"]
