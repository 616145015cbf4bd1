"""The Tune trial that trains a pack; the only file of this package that needs Ray."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables.image_dataset import ImageDataset
from trainables.own_estimators import take_over
from trainables.pack import Pack
from trainables.schema import TAG_DEVICE, TAG_HOST
from trainables.training.checkpoint import CheckpointFolder
from trainables.training.process import device_name, prepare_process, required_device
from trainables.training.trainer import Trainer
from trainables.training.training_data import TrainingData
from trainables.training_code import require_code

PACK = "pack"
"""Key of a trial's config: `members` (params of the pack's members), `checkpoint_folder` (an absolute path),
`num_threads`, `device`, `gpus`, `code` (the driver's, which this process must have), `described_code` (the
same for people) and `estimators` (those of users, as bytes)."""
RECORDS = "records"
"""Key of a result: the records of the epochs since the last result, as plain containers."""
PLACE = "place"
"""Key of a pack's first result in a process: in tags, the processor or GPU and the machine that train it."""
PICTURES = "pictures"
"""Key of a pack's last result: for each member a PNG of what it has learned, as bytes, or none."""
OUTCOME = "outcome"
"""Key of a pack's last checkpoint, with what a store is told beside the records: `pictures`, `place`,
`dataset_content` and `code`. A driver reports from it without training where the store was away."""
WARNINGS = "warnings"
"""Key of a result: lines for the user since the last result."""


class PackTrainable(tune.Trainable):  # type: ignore[misc]
    """Trains one pack, an epoch a step, from its last checkpoint where there is one.

    The first result carries the records of every epoch so far, those before a restart too, so that an epoch
    that was checkpointed but never reached the store is reported again.

    Its config holds `PACK`; the data set comes through Ray's object store, one copy a node.
    """

    def setup(self, config: Mapping[str, Any], dataset: ImageDataset | None = None) -> None:
        """Take over the data set, which `tune.with_parameters` gives, and start the first pack."""
        self._num_reported = 0
        self._data = TrainingData.of(dataset)
        self._dataset_content = dataset.content if dataset is not None else ""
        self._start(config)

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Start another pack in the same process, which saves importing torch again."""
        del self._trainer  # its memory is free before the next pack takes its own
        self._start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train for one epoch, save a checkpoint, and return what is new."""
        is_resumed = self._trainer.is_finished
        if not is_resumed:
            self._trainer.run_epoch()
        pictures = {PICTURES: self._trainer.pictures()} if self._trainer.is_finished else {}
        if not is_resumed:
            outcome = {OUTCOME: {**pictures, **self._made_by}} if pictures else {}
            self._checkpoints.save({**self._trainer.state_dict(), **outcome}, self._trainer.epoch)
        place = {} if self._num_reported else {PLACE: self._made_by[PLACE]}
        records = self._trainer.history[self._num_reported :]
        self._num_reported = len(self._trainer.history)
        warnings, self._warnings[:] = list(self._warnings), []
        return {
            RECORDS: [record.to_state() for record in records],
            WARNINGS: warnings,
            **place,
            **pictures,
            "done": self._trainer.is_finished,
        }

    def _start(self, config: Mapping[str, Any]) -> None:
        own = config[PACK]
        require_code(own["code"])
        take_over(own.get("estimators", b""))
        prepare_process(own["num_threads"], own.get("gpus", 0.0))
        self._pack = Pack.from_params(own["members"])
        self._warnings: list[str] = []
        self._checkpoints = CheckpointFolder(Path(own["checkpoint_folder"]), self._warnings.append)
        device, model = self.device_of(own["device"])
        self._made_by = {
            PLACE: {TAG_DEVICE: model, TAG_HOST: platform.node()},
            "dataset_content": self._dataset_content,
            "code": own.get("described_code", ""),
        }
        self._trainer = self._checkpoints.resume(partial(self._trainer_of, device))
        self._num_reported = 0

    @staticmethod
    def device_of(name: str) -> tuple[torch.device, str]:
        """Return the device that packs are trained on here, given "cpu" or "cuda", and its model.

        Raises:
            RuntimeError: If PyTorch cannot use a GPU here.
        """
        device = required_device(name)
        return device, device_name(device)

    def _trainer_of(self, device: torch.device, state: Mapping[str, Any] | None) -> Trainer:
        trainer: Trainer = self._pack.task.trainer(self._pack, self._data, device)
        if state is not None:
            trainer.load_state_dict({key: part for key, part in state.items() if key != OUTCOME})
        return trainer
