"""What ReinMax-Rao and ReinMax-CV are for: less variance than ReinMax, on a model that has been trained."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from estimators.diagnostics import gradient_moments, gradient_std
from tests.trainables.members import member
from trainables.data import load
from trainables.models.reconstruction import Reconstruction
from trainables.pack import Pack
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.process import prepare_process
from trainables.training.training_data import TrainingData, shared_tensor

Judge = Any
"""Maps an estimator and its hyperparameters to the standard deviation of its gradient."""
CV = {"temperature": 1.0, "eta": 1.0}
"""Not at the τ of the figure's caption, 0.1, where it has the largest variance (docs/reproduction.md)."""


@pytest.fixture(scope="module")
def spread(mnist_folder: Path) -> Judge:
    """Return a function that measures with an 8x4 model that ReinMax has trained for three epochs."""
    prepare_process(1)
    images = load("mnist", mnist_folder)
    train = shared_tensor(images.train_images)
    trainer = DiscreteVaeTrainer(
        Pack((member(epochs=3),)), TrainingData.of_images(train, shared_tensor(images.test_images[:100]))
    )
    while not trainer.is_finished:
        trainer.run_epoch()
    model = trainer.model
    logits = model.encode(train[:100].unsqueeze(0)).clone()
    f = Reconstruction(model.decoder, model.encoder.inputs(100).clone())

    def measure(estimator: str, **hyperparameters: float) -> float:
        generator = [torch.Generator().manual_seed(1)]
        options = {"generator": generator, "chunk_size": f.chunk_size, **hyperparameters}
        return gradient_std(gradient_moments(estimator, logits, f, **options)).item()

    return measure


def check_order(*spreads: float) -> None:
    """Each is less than the next one, by more than a twentieth."""
    for less, more in pairwise(spreads):
        assert less < 0.95 * more


@pytest.mark.slow
def test_variance_falls_from_reinmax_to_its_control_variate_to_its_average(spread: Judge) -> None:
    """Source: Beyond ReinMax, Figure 1 (right)."""
    check_order(spread("reinmax_rao"), spread("reinmax_cv", **CV), spread("reinmax"))


@pytest.mark.slow
def test_the_check_rejects_the_temperature_of_the_caption(spread: Judge) -> None:
    with pytest.raises(AssertionError):
        check_order(spread("reinmax_cv", temperature=0.1, eta=1.0), spread("reinmax"))


@pytest.mark.slow
def test_the_check_rejects_a_control_variate_of_no_weight(spread: Judge) -> None:
    with pytest.raises(AssertionError):
        check_order(spread("reinmax_rao"), spread("reinmax_cv", temperature=1.0, eta=0.0), spread("reinmax"))
