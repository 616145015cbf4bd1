"""How much disk a sweep takes: checkpoints while it runs, and what it adds to the store for good."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from trainables.pack import Pack
from trainables.training.checkpoint import NUM_KEPT

FILES_AT_ONCE = NUM_KEPT + 1
"""Checkpoints of a pack while the next one is written."""
BYTES_PER_METRIC = 261
"""Of one value in MLflow's SQLite tables, indexes included; measured on 60 runs of 160 epochs."""
BYTES_PER_RUN = 3700
"""Of a run with its params and tags, measured on the same runs."""

BYTES_PER_PICTURE = 16_000
"""Of what a member has learned, an artifact beside the database: 11 to 16 kB on MNIST."""

_BYTES_PER_NUMBER = 4
_NUMBERS_PER_PARAMETER = 3  # itself and two moments
_BYTES_PER_RECORD = 115  # of a member's epoch in the history
_BYTES_PER_MODEL = 2 * 5056 + 1500  # two generators, and their places in the archive
_BYTES_PER_FILE = 2500


def checkpoint_bytes(pack: Pack) -> int:
    """Return the size of a pack's last checkpoint; those before it have a shorter history."""
    shared = pack.shared
    of_model = (
        pack.task.num_parameters(shared) * _NUMBERS_PER_PARAMETER * _BYTES_PER_NUMBER + _BYTES_PER_MODEL
    )
    return pack.num_models * of_model + len(pack) * pack.epochs * _BYTES_PER_RECORD + _BYTES_PER_FILE


def peak_checkpoint_bytes(packs: Iterable[Pack], num_at_once: int) -> int:
    """Return the most that checkpoints take while so many packs train, each with the next one in writing."""
    return sum(heapq.nlargest(num_at_once, map(checkpoint_bytes, packs))) * FILES_AT_ONCE


def store_bytes(num_runs: int, num_member_epochs: int, metrics_per_epoch: int, num_pictures: int = 0) -> int:
    """Return what new runs, epochs of members and pictures add to the store."""
    of_epochs = num_member_epochs * metrics_per_epoch * BYTES_PER_METRIC
    return num_runs * BYTES_PER_RUN + of_epochs + num_pictures * BYTES_PER_PICTURE
