"""Defaults for the libraries underneath: no telemetry, no chatter. The environment can say otherwise."""

from __future__ import annotations

import logging
import os

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # The client would print the address of every run that ends to stdout, password and all.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    # Writes are tried again in their order, and with growing pauses, by the outbox: a retry further down, of
    # which nobody knows, would make a second run where only the answer was lost.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # As for Tune's own grid search: with one at a time a cluster would be slow to fill, and to grow.
    "TUNE_MAX_PENDING_TRIALS_PG": "200",
    # Tune's own record of all trials, from which nothing is restored here, takes longer with every trial.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Trials get workers of their own; those that Ray would start beforehand only take time at the start.
    "RAY_prestart_worker_first_driver": "0",
}


def quieten() -> None:
    """Set the defaults; call it before MLflow or Ray is imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow", "ray"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # What Tune logs of a failed trial is in the store, and on the display in one line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
