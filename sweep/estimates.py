"""How long a plan will take, from measured seconds per epoch, and where they were measured."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sweep.home import Home
from sweep.planning import Plan
from sweep.store import StoredMember
from trainables.data import ImageDataset
from trainables.pack import COST_PARAMS, Pack
from trainables.process import prepare_process
from trainables.schema import EPOCH_SECONDS, Member
from trainables.training import PackTrainer, images_from_numpy

RECORDED = "recorded in the store"
CALIBRATED = "calibrated on this machine"

_WARM_UP_STEPS = 3
_TIMED_STEPS = 20
_TEST_IMAGES = 1000


@dataclass(frozen=True)
class Estimate:
    """What the packs of a plan are expected to cost.

    Args:
        core_hours: Core-hours of the packs whose seconds per epoch are known.
        wall_hours: Hours until they are done with all cores of this machine at work.
        num_known: Packs whose seconds per epoch are known.
        num_unknown: Packs that the hours leave out.
        bases: Where the seconds come from, each with its number of packs.
    """

    core_hours: float
    wall_hours: float
    num_known: int
    num_unknown: int
    bases: Mapping[str, int]


def kind_of(member: Member, pack_size: int) -> str:
    """Return as a key what the seconds of an epoch of a member's pack depend on."""
    params = {**member.params, "pack_size": pack_size}
    return " ".join(f"{name}={params[name]}" for name in (*COST_PARAMS, "pack_size") if name in params)


def recorded_seconds(stored: Iterable[StoredMember]) -> dict[str, float]:
    """Return the median seconds of the last epochs that the store holds, by kind."""
    seconds: dict[str, list[float]] = {}
    for one in stored:
        if one.member is not None and EPOCH_SECONDS in one.metrics:
            seconds.setdefault(kind_of(one.member, one.pack_size), []).append(one.metrics[EPOCH_SECONDS])
    return {kind: statistics.median(values) for kind, values in seconds.items()}


def read_calibration(home: Home) -> dict[str, float]:
    """Return what `calibrate` has measured in this home, seconds per epoch by kind."""
    try:
        return {str(kind): float(value) for kind, value in json.loads(home.calibration.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def calibrate(packs: Iterable[Pack], dataset: ImageDataset, home: Home, num_threads: int) -> None:
    """Measure the seconds per epoch of every kind that is not known yet, a few steps each, and keep them."""
    known = read_calibration(home)
    prepare_process(num_threads)
    for pack in packs:
        kind = kind_of(pack.members[0], len(pack))
        if kind not in known:
            known[kind] = _seconds_per_epoch(pack, dataset)
            home.path.mkdir(parents=True, exist_ok=True)
            home.calibration.write_text(json.dumps(known, indent=1))


def estimate(plan: Plan, home: Home) -> Estimate:
    """Estimate what the plan's packs will cost; the store's record goes before a calibration."""
    recorded, calibrated = recorded_seconds(plan.stored.values()), read_calibration(home)
    cpus = plan.spec.resources.cpus
    bases: Counter[str] = Counter()
    core_seconds = 0.0
    for pack in plan.packs:
        kind = kind_of(pack.members[0], len(pack))
        basis = RECORDED if kind in recorded else CALIBRATED
        seconds = recorded.get(kind, calibrated.get(kind))
        if seconds is None:
            continue
        bases[basis] += 1
        core_seconds += seconds * _epochs_left(plan, pack) * cpus
    num_known = bases.total()
    at_once = max(1, (os.cpu_count() or 1) // cpus)
    return Estimate(
        core_hours=core_seconds / 3600,
        wall_hours=core_seconds / cpus / min(at_once, max(num_known, 1)) / 3600,
        num_known=num_known,
        num_unknown=len(plan.packs) - num_known,
        bases=dict(bases),
    )


def _epochs_left(plan: Plan, pack: Pack) -> int:
    done = [plan.stored[member.hash].epoch for member in pack.members if member.hash in plan.stored]
    return max(0, pack.epochs - max(done, default=0))


def _seconds_per_epoch(pack: Pack, dataset: ImageDataset) -> float:
    batch_size = int(pack.shared["batch_size"])
    test = images_from_numpy(dataset.test_images[:_TEST_IMAGES])
    train = images_from_numpy(dataset.train_images)
    PackTrainer(pack, train[: _WARM_UP_STEPS * batch_size], test).run_epoch()
    trainer = PackTrainer(pack, train[: _TIMED_STEPS * batch_size], test)
    train_seconds, test_seconds = trainer.time_passes()
    steps = math.ceil(len(dataset.train_images) / batch_size)
    return train_seconds / _TIMED_STEPS * steps + test_seconds * len(dataset.test_images) / len(test)
