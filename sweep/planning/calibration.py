"""Seconds per epoch, measured with a few steps of training where no run has been recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sweep.home import Home
from sweep.spec.sweep_spec import Resources
from trainables.own_estimators import take_over
from trainables.pack import Pack, cost_key
from trainables.regular_file import read_json
from trainables.schema import Member

if TYPE_CHECKING:
    from trainables.data import ImageDataset

_WARM_UP_STEPS = 3
_TIMED_STEPS = 20
_TEST_IMAGES = 1000

Calibration = Mapping[str, Mapping[str, float]]
"""Seconds per epoch of each kind of pack with what it gets, by where they were measured."""


def kind_of(member: Member, pack_size: int) -> str:
    """Return as a key what the seconds of an epoch of a member's pack depend on, but for the machine."""
    return cost_key(member, pack_size=pack_size)


def kind_with(pack: Pack, resources: Resources) -> str:
    """Return as a key a pack's kind with what it gets of a machine."""
    return f"{kind_of(pack.members[0], len(pack))} cpus={resources.cpus} gpus={resources.share:g}"


def read_calibration(home: Home) -> Calibration:
    """Return what `calibrate` has measured in this home."""
    try:
        content = read_json(home.calibration)
        return {
            str(kind): {
                str(where): float(seconds) for where, seconds in measured.items() if 0 <= seconds < math.inf
            }
            for kind, measured in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return {}


def seconds_per_epoch(
    members: list[dict[str, str]],
    dataset: ImageDataset | None,
    resources: Resources,
    share: float = 1.0,
    shipped: bytes = b"",
) -> float:
    """Train a few steps and evaluate on a few images, and say what a whole epoch would take.

    Args:
        members: The params of a pack's members.
        dataset: The images; none for a task that needs none.
        resources: What the pack gets.
        share: How much of the usual steps and images to take; where there are no images, it does not matter.
        shipped: Estimators of users that this process does not know.
    """
    import torch  # here, since an estimate from what was measured before need not wait for it

    from trainables.training.process import own_device, prepare_process
    from trainables.training.trainer import Trainer
    from trainables.training.training_data import TrainingData

    take_over(shipped)
    prepare_process(resources.cpus, resources.share)
    device = own_device() if resources.share > 0 else torch.device("cpu")
    pack = Pack.from_params(members)
    data = TrainingData.of(dataset)
    if data is None:
        pack.task.trainer(pack, None, device).time_epoch()  # warms up
        once: Trainer = pack.task.trainer(pack, None, device)
        return once.time_epoch().total
    per_step = pack.images_per_step
    num_warm_up, num_timed, num_test = (
        math.ceil(share * usual) for usual in (_WARM_UP_STEPS, _TIMED_STEPS, _TEST_IMAGES)
    )
    pack.task.trainer(pack, data.first(num_warm_up * per_step, num_test), device).time_epoch()
    timed = data.first(num_timed * per_step, num_test)
    trainer: Trainer = pack.task.trainer(pack, timed, device)
    if device.type == "cuda":
        trainer.time_epoch()  # records the graph of a step
    seconds = trainer.time_epoch()
    steps = math.ceil(len(data.train_images) / per_step)
    train_seconds = seconds.train / num_timed * steps
    return train_seconds + seconds.test * len(data.test_images) / len(timed.test_images) + seconds.other
