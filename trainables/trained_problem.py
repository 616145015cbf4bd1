"""A problem to judge estimators by: the reconstruction term of an 8x4 auto-encoder after a few steps."""

from __future__ import annotations

from estimators.checks.quality import Problem
from trainables.data import ImageDataset
from trainables.models.reconstruction import Reconstruction
from trainables.pack import Pack
from trainables.schema import Cell, Member
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.process import prepare_process
from trainables.training.training_data import TrainingData

_STEPS = 100
_BATCH_SIZE = 100
_NUM_JUDGED = 4
_NUM_DRAWS = 1024


def trained_problem(images: ImageDataset) -> Problem:
    """Train an 8x4 auto-encoder with ReinMax for a hundred steps, and return its reconstruction term.

    Args:
        images: MNIST.
    """
    prepare_process(1)
    data = TrainingData.of(images)
    assert data is not None
    params = {
        "task": "mnist_vae", "dataset": "mnist", "estimator": "reinmax", "categorical_dim": 8,
        "latent_dim": 4, "optimizer": "adam", "lr": 0.001, "batch_size": _BATCH_SIZE, "epochs": 1,
    }  # fmt: skip
    pack = Pack((Member(Cell.from_params(params), 0),))
    trainer = DiscreteVaeTrainer(pack, data.first(_STEPS * _BATCH_SIZE, _BATCH_SIZE))
    trainer.run_epoch()
    judged = data.train_images[:_NUM_JUDGED].unsqueeze(0)
    logits = trainer.model.encode(judged).clone()
    f = Reconstruction(trainer.model.decoder, trainer.model.encoder.inputs(_NUM_JUDGED).clone())
    return Problem("8x4 VAE", logits, f, _NUM_DRAWS)
