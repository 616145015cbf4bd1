"""What a plan will cost: hours, from measured seconds per epoch and where they were measured, and disk."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sweep.home import Home
from sweep.planning.calibration import kind_of, kind_with, read_calibration
from sweep.planning.capacity import THIS_MACHINE, Capacity
from sweep.planning.plan import Plan
from sweep.planning.schedule import makespan
from sweep.store.disk_use import peak_checkpoint_bytes, store_bytes
from sweep.store.store import StoredMember
from trainables.pack import Pack
from trainables.schema import EPOCH_SECONDS, MEASUREMENT_SECONDS
from trainables.task_registry import task_of

RECORDED = "recorded in the store, by whatever machines they ran on"
CALIBRATED = "calibrated on"
TIMED = "from two steps timed just now (roughly; --calibrate times more)"
LIKE_THOSE_TIMED = "as long as those timed are on average"


@dataclass(frozen=True)
class Estimate:
    """What the packs of a plan are expected to cost.

    Args:
        core_hours: Core-hours of the packs whose seconds per epoch are known.
        gpu_hours: GPU-hours of these, where a pack may have a share of a GPU.
        wall_hours: Hours until they are done; none where not even one fits.
        num_at_once: How many packs train at once.
        where: What on.
        num_known: Packs whose seconds per epoch are known.
        num_unknown: Packs that the hours leave out.
        bases: Where the seconds come from, each with its number of packs.
        checkpoint_bytes: The most that checkpoints take at a time, of all packs.
        store_bytes: What all packs add to the store.
    """

    core_hours: float
    gpu_hours: float
    wall_hours: float | None
    num_at_once: int
    where: str
    num_known: int
    num_unknown: int
    bases: Mapping[str, int]
    checkpoint_bytes: int
    store_bytes: int


@dataclass(frozen=True)
class _Duration:
    seconds: float
    basis: str


def recorded_seconds(stored: Iterable[StoredMember]) -> dict[str, float]:
    """Return the median seconds of the last epochs that the store holds, by kind.

    What judging estimators takes is spread over all epochs of a training.
    """
    seconds: dict[str, list[float]] = {}
    for one in stored:
        if one.member is not None and EPOCH_SECONDS in one.metrics:
            of_epoch = _seconds_of_an_epoch(one)
            if 0 <= of_epoch < math.inf:
                seconds.setdefault(kind_of(one.member, one.pack_size), []).append(of_epoch)
    return {kind: statistics.median(values) for kind, values in seconds.items()}


def _seconds_of_an_epoch(stored: StoredMember) -> float:
    seconds = stored.metrics[EPOCH_SECONDS]
    if stored.member is None or MEASUREMENT_SECONDS not in stored.metrics or not stored.epoch:
        return seconds
    cell = stored.member.cell
    num_measured = len(cell.measured_epochs) or stored.epoch  # where none are listed, after every epoch
    return seconds + stored.metrics[MEASUREMENT_SECONDS] * num_measured / stored.epoch


def estimate(
    plan: Plan, home: Home, capacity: Capacity, timed: Mapping[str, float] | None = None
) -> Estimate:
    """Estimate what a plan's packs will cost.

    The store's record goes before a calibration, and one of these machines before one of others.

    Args:
        plan: The plan.
        home: Where calibrations are.
        capacity: What there is to train on.
        timed: Seconds per epoch by kind of what nothing else is known of, from `sweep.planning.quick_timing`;
            kinds that it lacks are taken to be as long as these are on average.
    """
    resources = plan.spec.resources
    durations = _durations(plan, home, capacity.where, timed or {})
    bases = Counter(one.basis for one in durations.values())
    hours = sum(one.seconds for one in durations.values()) / 3600
    num_that_fit = capacity.num_packs(resources)
    num_at_once = min(num_that_fit, plan.spec.search.concurrency or num_that_fit)
    in_order = [durations[pack].seconds for pack in _start_order(plan, durations) if pack in durations]
    task = task_of(plan.spec.task)
    members_left = [(member, _epochs_left(plan, pack)) for pack in plan.packs for member in pack.members]
    new_runs = {member.hash for member, _ in members_left if member.hash not in plan.stored}
    new_cells = {member.cell.hash for member, _ in members_left if member.hash in new_runs}
    return Estimate(
        core_hours=hours * resources.cpus,
        gpu_hours=hours * resources.share,
        wall_hours=makespan(in_order, num_at_once) / 3600 if num_at_once else None,
        num_at_once=num_at_once,
        where=str(capacity),
        num_known=len(durations),
        num_unknown=len(plan.packs) - len(durations),
        bases=dict(bases),
        checkpoint_bytes=peak_checkpoint_bytes(plan.packs, num_at_once),
        store_bytes=store_bytes(
            len(new_runs) + len(new_cells),
            sum(epochs for _, epochs in members_left),
            len(task.epoch_metrics),
            len(members_left) if task.draws_pictures else 0,
        ),
    )


def start_order(plan: Plan, home: Home) -> tuple[Pack, ...]:
    """Return a plan's packs in the order in which they had better start, so that no long one is left over.

    The longest goes first; where it is not known how long all of them take, the order is the plan's.
    """
    return _start_order(plan, _durations(plan, home, THIS_MACHINE, {}))


def _start_order(plan: Plan, durations: Mapping[Pack, _Duration]) -> tuple[Pack, ...]:
    if len(durations) < len(plan.packs) or not plan.spec.search.is_grid:
        return plan.packs
    return tuple(sorted(plan.packs, key=lambda pack: -durations[pack].seconds))


def _durations(plan: Plan, home: Home, where: str, timed: Mapping[str, float]) -> dict[Pack, _Duration]:
    """Return how long each pack still takes, as far as it is known."""
    recorded, calibration = recorded_seconds(plan.stored.values()), read_calibration(home)
    durations = {}
    for pack in plan.packs:
        kind = kind_of(pack.members[0], len(pack))
        kind_here = kind_with(pack, plan.spec.resources)
        measured = calibration.get(kind_here, {})
        if kind in recorded:
            seconds, basis = recorded[kind], RECORDED
        elif measured:
            place = where if where in measured else min(measured)
            seconds, basis = measured[place], f"{CALIBRATED} {place}"
        elif kind_here in timed:
            seconds, basis = timed[kind_here], TIMED
        elif timed:
            seconds, basis = statistics.fmean(timed.values()), LIKE_THOSE_TIMED
        else:
            continue
        durations[pack] = _Duration(seconds * _epochs_left(plan, pack), basis)
    return durations


def _epochs_left(plan: Plan, pack: Pack) -> int:
    done = [plan.stored[member.hash].epoch for member in pack.members if member.hash in plan.stored]
    return max(0, pack.epochs - max(done, default=0))
