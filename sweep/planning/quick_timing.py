"""Seconds per epoch where nothing is known of them: a few steps, timed in a process that has a few seconds.

A process of its own, since planning does not wait for torch, nor for a kind of pack whose step takes long.
"""

from __future__ import annotations

import base64
import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.planning.calibration import kind_with, seconds_per_epoch
from sweep.spec.sweep_spec import Resources
from sweep.spec.use import shipped_by_value
from trainables.own_data import OWN_DATA
from trainables.own_estimators import take_over
from trainables.terminal import echo

if TYPE_CHECKING:
    from trainables.data import ImageDataset
    from trainables.pack import Pack

CPU_SECONDS = 6
"""How much all kinds together may compute, with the start of the process."""
SECONDS = 20.0
"""How long that may take where others use the machine too."""
_SHARE = 0.1
"""How much is timed of what a calibration times: two steps."""
_NUM_IMAGES = (60_000, 10_000)
_IMAGE_SHAPE = (28, 28)
"""Of MNIST and Fashion-MNIST, for training and for the test; Omniglot has fewer than half."""


def timed_seconds(packs: Iterable[Pack], dataset: str | None, resources: Resources) -> dict[str, float]:
    """Return the seconds per epoch of as many kinds of pack as can be timed in a few seconds.

    They are timed on blank images, so that none need be fetched, and nothing is kept.

    Args:
        packs: The packs.
        dataset: Name of the images' data set; none for a task that needs none.
        resources: What a pack gets.
    """
    kinds = list({kind_with(pack, resources): pack for pack in packs}.items())
    random.Random(0).shuffle(kinds)  # so that those which were timed stand for those which were not
    members = [pack.to_params() for _, pack in kinds]
    own = shipped_by_value(member for _, pack in kinds for member in pack.members)
    question = {
        "members": members,
        "dataset": None if dataset is None else _size_of(dataset),
        "resources": resources.model_dump(),
        "estimators": base64.b64encode(own).decode(),
    }
    answers = map(float, _answered(json.dumps(question)).splitlines())
    return dict(zip((kind for kind, _ in kinds), answers, strict=False))


def _answered(question: str) -> str:
    """Return the whole lines that the process wrote in its time; of one that fails, those before."""
    try:
        output = subprocess.run(
            [sys.executable, "-m", __spec__.name],
            cwd=Path(__file__).parents[2],  # where Python then looks first
            input=question.encode(),
            capture_output=True,
            check=False,
            timeout=SECONDS,
        ).stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
    return output.decode().rpartition("\n")[0]


def _answer() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))  # ends a step that takes long, too
    question = json.load(sys.stdin)
    dataset = None if question["dataset"] is None else _blank(*question["dataset"])
    resources = Resources.model_validate(question["resources"])
    take_over(base64.b64decode(question["estimators"]))
    for members in question["members"]:
        echo(str(seconds_per_epoch(members, dataset, resources, _SHARE)))


def _size_of(dataset: str) -> list[list[int]]:
    """Return how many images a data set has, for training and for the test, and their height and width."""
    own = OWN_DATA.get(dataset)
    if own is None:
        return [[*_NUM_IMAGES], [*_IMAGE_SHAPE]]
    known = own.images
    counts = [len(known.train_images), len(known.test_images)] if known else [*_NUM_IMAGES]
    return [counts, [*own.image_shape]]


def _blank(counts: Sequence[int], image_shape: Sequence[int]) -> ImageDataset:
    import numpy as np

    from trainables.data import ImageDataset

    height, width = image_shape
    images = [np.zeros((count, height * width), np.uint8) for count in counts]
    labels = [np.zeros(count, np.uint8) for count in counts]
    return ImageDataset("blank", images[0], labels[0], images[1], labels[1], image_shape=(height, width))


if __name__ == "__main__":
    _answer()
