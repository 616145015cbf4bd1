"""Digits learnt from sums, from the command line: labels reach the workers, and the accuracies the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sweep.execution.training import Training
from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import rows
from trainables.allowance import usable_cores
from trainables.data import ImageDataset
from trainables.pack import Pack
from trainables.pack_trainable import PackTrainable
from trainables.schema import Member
from trainables.tasks.mnist_addition import MnistAdditionTrainer
from trainables.training.training_data import TrainingData

SPEC = """name: sums
task: mnist_addition
epochs: 1
seeds: 1
grid:
  - {estimator: indecater, latent: 10x3, lr: 0.001, num_samples: 2}
"""


def _digits(name: str, _: Path) -> ImageDataset:
    """Return images each of which shows its label as a bright line."""
    labels = np.arange(330, dtype=np.uint8) % 10
    pictures = np.zeros((330, 28, 28), dtype=np.uint8)
    pictures[np.arange(330), labels + 9] = 255
    flat = pictures.reshape(330, 784)
    return ImageDataset(name, flat[:300], labels[:300], flat[300:], labels[300:])


def test_sums_are_learnt_and_tabled(
    catsweep: Callable[..., Answer], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.runner.REAL", Training(PackTrainable, _digits))
    Path("sums.yaml").write_text(f"{SPEC}resources: {{cpus: {usable_cores()}}}\n")
    answer = catsweep("run", "sums.yaml", "--home", home.path)
    assert answer.status == 0, answer.err
    assert "Test accuracy of the sum (test_sum_accuracy) on mnist" in answer.out
    ((run_id,),) = rows(home, "select run_uuid from params where key = 'seed'")
    own = dict(rows(home, f"select key, value from params where run_uuid = '{run_id}'"))
    stored = dict(rows(home, f"select key, value from latest_metrics where run_uuid = '{run_id}'"))
    trainer = MnistAdditionTrainer(
        Pack((Member.from_params(own),)), TrainingData.of(_digits("mnist", Path()))
    )
    (metrics,) = trainer.run_epoch().metrics
    assert metrics is not None
    assert stored["train_loss"] == pytest.approx(metrics["train_loss"], rel=1e-4)
    assert stored["test_digit_accuracy"] == pytest.approx(
        metrics["test_digit_accuracy"], abs=2.1 / 30
    )  # two digits
