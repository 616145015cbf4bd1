"""The plan of any spec: that of a grid, or how a search stands."""

from __future__ import annotations

from collections.abc import Mapping

from sweep.home import Home
from sweep.planning.plan import Plan, make_plan
from sweep.planning.shard import Shard
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoredMember


def plan_of(
    spec: Spec,
    stored: Mapping[str, StoredMember],
    home: Home,
    *,
    retry_failed: bool = False,
    shard: Shard | None = None,
) -> Plan:
    """Expand a spec and leave out what is done; of a search, say how it stands.

    Arguments and errors are those of `make_plan` and of `search_plan`.
    """
    if spec.search.is_grid or shard is not None:
        return make_plan(spec, stored, home, retry_failed=retry_failed, shard=shard)
    from sweep.search.planning import search_plan  # Optuna, which grids do without

    return search_plan(spec, stored, home)
