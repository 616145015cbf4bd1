"""Histories read directly from MLflow's database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.logged_values import LoggedValues
from trainables.database import opened

_RUNS_PER_QUERY = 500
_INDEX = "index_metrics_run_uuid_key_step"
_QUERY = """
SELECT m.run_uuid, m.step, m.timestamp, m.value, m.is_nan FROM metrics m{hint}
WHERE m.run_uuid IN ({runs}) AND m.key = :metric
"""


def read_values(tracking_uri: str, metrics: Sequence[str], run_ids: Sequence[str]) -> Iterator[LoggedValues]:
    """Yield what a database store holds of these metrics and runs, in parts.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        metrics: The metrics wanted.
        run_ids: The runs wanted.
    Raises:
        DatabaseError: If the database cannot be reached or is no MLflow store.
    """
    with opened(tracking_uri) as database:
        if database is None:
            return
        # SQLite has to be told the index: without statistics it would read all runs' rows of a metric.
        hint = f" INDEXED BY {_INDEX}" if database.has_index(_INDEX) else ""
        for metric in metrics:
            for start in range(0, len(run_ids), _RUNS_PER_QUERY):
                wanted = {f"run_{index}": one for index, one in enumerate(run_ids[start:][:_RUNS_PER_QUERY])}
                query = _QUERY.format(hint=hint, runs=", ".join(f":{name}" for name in wanted))
                rows = database.rows(query, metric=metric, **wanted)
                if rows:
                    yield LoggedValues.from_store(metric, *zip(*rows, strict=True))
