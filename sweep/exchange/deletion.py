"""Members deleted by MLflow's own deletion, which can be undone there; the next run trains them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sweep.store.store import Store
from trainables.schema import KIND_CELL, KIND_MEMBER, TAG_CELL, TAG_KIND, TAG_MEMBER


def runs_to_delete(
    store: Store, members: Collection[str], cells: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield kind and id of the runs of these members and cells, over all experiments of a store.

    Args:
        store: The store.
        members: Hashes of the members; all runs of each are named, since another one would count instead.
        cells: Hashes of the cells of which no member is left.
    Raises:
        MlflowException: If the store does not say.
    """
    for kind, tag, wanted in ((KIND_MEMBER, TAG_MEMBER, members), (KIND_CELL, TAG_CELL, cells)):
        for run in _runs(store, kind):
            if run.data.tags.get(tag) in wanted:
                yield kind, run.info.run_id


def _runs(store: Store, kind: str) -> Iterator[Any]:
    experiments = [one.experiment_id for one in store.client.search_experiments(max_results=1000)]
    token = None
    while experiments:
        query = f"tags.`{TAG_KIND}` = '{kind}'"
        page = store.client.search_runs(experiments, query, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
