"""For notebooks: the commands run, plan and status as functions that return pandas frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.cluster.capacity_at import capacity_at
from sweep.cluster_error import ClusterError
from sweep.home import Home
from sweep.planning.capacity import Capacity
from sweep.planning.cell_status import sweep_status
from sweep.planning.placement import Placement, place, placed, with_share
from sweep.planning.plan import Plan
from sweep.planning.shard import Shard
from sweep.plans import plan_of
from sweep.quiet import quieten
from sweep.spec.file import load_spec, place_in_spec, read_spec_text
from sweep.spec.use import register_data, register_function, register_task
from sweep.store.store import Store
from trainables.own_data import DECLARED_DATA
from trainables.task import Task

if TYPE_CHECKING:  # Ray, MLflow, torch and pandas take seconds to import; who needs one imports it
    import pandas as pd

    from sweep.runner import Outcome


def run(
    spec: str | Path,
    *,
    home: str | Path | None = None,
    tracking_uri: str | None = None,
    address: str | None = None,
    retry_failed: bool = False,
    use: Sequence[Callable[..., Any] | Task] = (),
    resources: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Do what of a spec is not done yet, and return its status as `status` does.

    Args:
        spec: Path of a YAML file, or the name of a preset.
        home: Folder with everything local; `./.catsweep` or $CATSWEEP_HOME where none is given.
        tracking_uri: MLflow store; the home's own, or $MLFLOW_TRACKING_URI, where none is given.
        address: Address of a Ray cluster; none starts one on this machine.
        retry_failed: Whether members that failed before run again.
        use: Estimators of your own, functions, for example of a notebook's cells, tasks and data sets of your
            own; the spec names them.
        resources: What stands in place of the spec's own `resources`, for example `{"gpus": "auto,0"}`.

    Raises:
        SpecError, UseError, HomeError, StoreError, DataError, ClusterError: If it cannot start; nothing has
            changed.
    """
    for brought in use:
        if isinstance(brought, Task):
            register_task(brought)
        elif hasattr(brought, DECLARED_DATA):
            register_data(brought)
        else:
            register_function(brought)
    place = Home.resolve(home, tracking_uri)
    execute(spec, place, address=address, retry_failed=retry_failed, resources=resources)
    return status(spec, home=home, tracking_uri=tracking_uri)


def execute(
    spec: str | Path,
    home: Home,
    *,
    address: str | None = None,
    retry_failed: bool = False,
    resources: Mapping[str, str] | None = None,
    shard: Shard | None = None,
) -> Outcome:
    """Do what `run` does in this home, or a shard of it, and return how it ended."""
    quieten()
    from sweep.runner import run_sweep

    text, _ = read_spec_text(spec)
    with _line_of_resources(spec):
        loaded = load_spec(spec, resources, declared=Store(home).declared)
        return run_sweep(loaded, text, home, address=address, retry_failed=retry_failed, shard=shard)


@dataclass(frozen=True)
class PlacedPlan:
    """A plan, with what its packs would be trained on.

    Args:
        plan: The plan.
        capacity: This machine, or the cluster at an address.
        placement: What packs get there.
    """

    plan: Plan
    capacity: Capacity
    placement: Placement


def placed_plan(
    spec: str | Path,
    home: Home,
    *,
    address: str | None = None,
    retry_failed: bool = False,
    resources: Mapping[str, str] | None = None,
    shard: Shard | None = None,
) -> PlacedPlan:
    """Return the plan of a spec as `current_plan` does, and what packs get; arguments as for `run`.

    Raises:
        SpecError, StoreError: If the spec or the store cannot be used.
        ClusterError: If the cluster cannot be reached, or no pack fits on it.
    """
    quieten()
    store = Store(home)
    loaded = load_spec(spec, resources, declared=store.declared)
    stored = store.members()
    with _line_of_resources(spec):
        capacity = capacity_at(address, loaded.resources)
        placement = place(loaded.resources, capacity)
        planned = partial(plan_of, stored=stored, home=home, retry_failed=retry_failed, shard=shard)
        plan = planned(placed(loaded, placement))
        shared = with_share(placement, plan.members_to_run, capacity, home)
        if shared != placement:
            plan = planned(placed(loaded, shared))
    return PlacedPlan(plan, capacity, shared)


@contextmanager
def _line_of_resources(spec: str | Path) -> Iterator[None]:
    """Say in the message where the spec asks for what the cluster does not have."""
    try:
        yield
    except ClusterError as error:
        where = f"{place_in_spec(spec, 'resources', error.key)}: " if error.key else ""
        raise ClusterError(f"{where}{error}", error.key) from None


def current_plan(spec: str | Path, home: Home, *, retry_failed: bool = False) -> Plan:
    """Return the plan of a spec, given what the home's store holds now.

    Raises:
        SpecError, StoreError: If the spec or the store cannot be used.
    """
    quieten()
    loaded = load_spec(spec, declared=Store(home).declared)
    return plan_of(loaded, Store(home).members(), home, retry_failed=retry_failed)


def plan(
    spec: str | Path, *, home: str | Path | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """Return the members of a spec, a row each: params, cell and member hash, pack, whether it is done."""
    import pandas as pd

    current = current_plan(spec, Home.resolve(home, tracking_uri))
    pack_of = {member.hash: pack.hash for pack in current.packs for member in pack.members}
    return pd.DataFrame(
        {
            **member.params,
            "latent": member.cell.latent,
            "note": member.cell.note,
            "cell": member.cell.hash,
            "member": member.hash,
            "pack": pack_of.get(member.hash),
            "is_done": current.is_finished(member),
        }
        for member in current.members
    )


def status(
    spec: str | Path, *, home: str | Path | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """Return how the cells of a spec stand, a row each: params and counts of members by state."""
    import pandas as pd

    rows = []
    for one in sweep_status(current_plan(spec, Home.resolve(home, tracking_uri))):
        counts = {key: value for key, value in asdict(one).items() if key.startswith("num_")}
        rows.append({**one.cell.params, "latent": one.cell.latent, "note": one.cell.note, **counts})
    return pd.DataFrame(rows)
