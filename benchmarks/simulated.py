"""A double of training: members that report made-up numbers at once, to see what all the rest costs.

Nothing of it can pass for a result. It works in homes of its own alone, which bear a mark and hold their
store, and fails in any other; and no loss is below a million nats per image.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune

from sweep.execution.training import Training
from sweep.home import Home
from sweep.runner import Outcome, run_sweep
from sweep.spec.file import load_spec, read_spec_text
from trainables.data import ImageDataset
from trainables.image_dataset import IMAGE_PIXELS
from trainables.pack import Pack
from trainables.pack_trainable import PACK, RECORDS, WARNINGS
from trainables.schema import EPOCH_SECONDS
from trainables.training.epochs import EpochRecord

LEAST_LOSS = 1e6
"""Nats per image; no model is that bad."""
MARK = "SIMULATED"
"""File of a home in which nothing is a result."""

_EPOCH_SECONDS = 0.001


def simulated_metrics(member_hash: str, epoch: int) -> dict[str, float]:
    """Return the metrics of a member after an epoch: numbers of its own, less with every epoch."""
    own = int(hashlib.sha256(member_hash.encode()).hexdigest()[:8], 16) / 2**32
    metrics = {}
    for split, offset in (("train", 0.0), ("test", 1.0)):
        recon, kl = LEAST_LOSS + offset + own + 1 / epoch, own + 1 / epoch
        metrics |= {f"{split}_neg_elbo": recon + kl, f"{split}_recon": recon, f"{split}_kl": kl}
    return {**metrics, EPOCH_SECONDS: _EPOCH_SECONDS}


class SimulatedTrainable(tune.Trainable):
    """Takes what `PackTrainable` takes and reports what it reports, without training and without checkpoints.

    A simulation that was interrupted therefore begins its packs anew.
    """

    def setup(self, config: Mapping[str, Any], **images: Any) -> None:  # noqa: ARG002
        """Start the first pack."""
        self._start(config)

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Start another pack."""
        self._start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Report an epoch."""
        self._epoch += 1
        hashes = [member.hash for member in self._pack.members]
        metrics = tuple(simulated_metrics(key, self._epoch) for key in hashes)
        record = EpochRecord(self._epoch, time.time_ns() // 1_000_000, metrics, (None,) * len(hashes))
        return {RECORDS: [record.to_state()], WARNINGS: [], "done": self._epoch >= self._pack.epochs}

    def _start(self, config: Mapping[str, Any]) -> None:
        home = Path(config[PACK]["checkpoint_folder"]).parent.parent
        if not (home / MARK).exists():
            raise ValueError(f"{home} must be a home for simulations, with a file {MARK}")
        self._pack = Pack.from_params(config[PACK]["members"])
        self._epoch = 0


def simulated_home(path: Path) -> Home:
    """Return a home for simulations, which is made where there is none.

    Raises:
        ValueError: If the folder holds anything else.
    """
    path = path.absolute()
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()) and not (path / MARK).exists():
        raise ValueError(f"{path} must be a home for simulations or an empty folder")
    (path / MARK).touch()
    return Home(path, f"sqlite:///{path / 'mlflow.db'}")


def run_simulated(spec: str | Path, path: Path) -> Outcome:
    """Do what `catsweep run` does, with all of its parts but the training and the images.

    Args:
        spec: Path of a YAML file, or the name of a preset.
        path: Folder of a home for simulations.
    """
    text, _ = read_spec_text(spec)
    home, training = simulated_home(path), Training(SimulatedTrainable, _one_image)
    return run_sweep(load_spec(spec), text, home, training=training)


def _one_image(name: str, folder: Path) -> ImageDataset:  # noqa: ARG001
    """Return a dataset of one image for each split."""
    image, label = np.zeros((1, IMAGE_PIXELS), np.uint8), np.zeros(1, np.uint8)
    return ImageDataset(name, image, label, image, label)
