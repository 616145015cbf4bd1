"""Pictures show what the model makes of images, and nothing of the training can be told from their making."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import estimators
from tests.trainables.members import images, member, values_of
from trainables.pack import Pack
from trainables.schema import Member
from trainables.tasks.bernoulli_vae import BERNOULLI_VAE, BernoulliVaeTrainer, binarised
from trainables.tasks.gradient_quality import GradientQualityTrainer
from trainables.tasks.mnist_vae import MNIST_VAE, DiscreteVaeTrainer
from trainables.training.pictures import NUM_IMAGES, NUM_SAMPLES
from trainables.training.training_data import TrainingData
from trainables.training.vae_trainer import VaeTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

TRAIN, TEST = images(200), images(50, seed=1)
SIDE, STEP, BETWEEN_PARTS = 28, 29, 4
TRAINERS: dict[str, type[VaeTrainer]] = {MNIST_VAE: DiscreteVaeTrainer, BERNOULLI_VAE: BernoulliVaeTrainer}
BINARY: dict[str, Any] = {
    "task": BERNOULLI_VAE, "estimator": "indecater", "temperature": None,
    "categorical_dim": 2, "latent_dim": 4, "num_samples": 2, "num_draws": 2,
}  # fmt: skip
CATEGORICAL: dict[str, Any] = {
    "task": MNIST_VAE, "categorical_dim": 4, "latent_dim": 4, "num_mc_samples": 10, "num_samples": 2,
}  # fmt: skip
of_both_tasks = pytest.mark.parametrize("settings", [{}, BINARY], ids=TRAINERS)


def trainer_of(*members: Member, test: torch.Tensor = TEST) -> VaeTrainer:
    pack = Pack(members)
    return TRAINERS[pack.task.name](pack, TrainingData.of_images(TRAIN, test))


def tiles(png: bytes) -> np.ndarray[Any, Any]:
    """Cut a picture into its images, shape (4, 10, 784)."""
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    tops = [0, SIDE + BETWEEN_PARTS, 2 * (SIDE + BETWEEN_PARTS), 2 * (SIDE + BETWEEN_PARTS) + STEP]
    assert pixels.shape == (tops[-1] + SIDE, NUM_IMAGES * STEP - 1)
    return np.array(
        [
            [pixels[top : top + SIDE, STEP * place : STEP * place + SIDE].ravel() for place in range(10)]
            for top in tops
        ]
    )


def decoder_of_one_image(trainer: VaeTrainer, index: int, grey: float) -> None:
    """Let a member's decoder give the same grey for every pixel, whatever it is given."""
    last = trainer.model.decoder.weights[-1][index]
    last.zero_()
    last[-1].fill_(float(np.log(grey / (1 - grey))))


@pytest.mark.parametrize(("settings", "seen"), [({}, TEST), (BINARY, binarised(TEST))], ids=TRAINERS)
def test_images_stand_above_what_each_member_decodes(settings: dict[str, Any], seen: torch.Tensor) -> None:
    trainer = trainer_of(member(0, **settings), member(1, **settings))
    for index, grey in enumerate((0.2, 0.6)):
        decoder_of_one_image(trainer, index, grey)
    for png, grey in zip(trainer.pictures(), (51, 153), strict=True):
        assert png is not None
        found = tiles(png)
        assert np.array_equal(found[0], seen[:NUM_IMAGES].numpy())
        assert (found[1:] == grey).all()


def test_a_reconstruction_is_of_the_image_above_it_and_samples_are_of_every_category() -> None:
    trainer = trainer_of(member(0))
    model = trainer.model
    for weight in model.decoder.weights:  # shows the sample: a pixel for each category of each variable
        weight.zero_()
        weight[0, :32, :32] = 40 * torch.eye(32)
    model.decoder.weights[-1][0, -1] = -20
    expected = model.encode(TEST[:NUM_IMAGES].unsqueeze(0))[0].argmax(-1)
    model.encoder.weights[-1].mul_(1e4)  # so sure of itself that it samples the most probable category
    (png,) = trainer.pictures()
    assert png is not None
    shown = tiles(png)[:, :, :32].reshape(4, 10, 4, 8)
    assert np.array_equal(shown[1].argmax(-1), expected.numpy())
    samples = shown[2:].reshape(NUM_SAMPLES, 4, 8)
    assert ((samples == 255).sum(-1) == 1).all()
    assert ((samples == 0).sum(-1) == 7).all()
    # Of 80 uniform draws from 8 categories one is missing with a probability below 2e-4.
    assert set(samples.argmax(-1).ravel()) == set(range(8))
    assert len({sample.tobytes() for sample in samples}) > NUM_SAMPLES // 2


def test_a_binary_variable_is_decoded_as_its_value() -> None:
    trainer = trainer_of(member(0, **BINARY))
    for weight in trainer.model.decoder.weights:  # shows the sample: a pixel for each variable
        weight.zero_()
        weight[0, :4, :4] = 40 * torch.eye(4)
    trainer.model.decoder.weights[-1][0, -1] = -20
    expected = trainer.model.encode(binarised(TEST)[:NUM_IMAGES].unsqueeze(0))[0].argmax(-1)
    trainer.model.encoder.weights[-1].mul_(1e4)
    (png,) = trainer.pictures()
    assert png is not None
    shown = tiles(png)[:, :, :4]
    assert np.array_equal(shown[1], 255 * expected.numpy())
    assert set(shown[2:].ravel()) == {0, 255}
    # Uniform: of 80 fair coins fewer than 24 or more than 56 show heads with a probability below 4e-4.
    assert 24 <= (shown[2:] == 255).sum() <= 56


@pytest.mark.parametrize(
    "settings",
    [
        *(
            {**CATEGORICAL, "estimator": name}
            for name, e in estimators.REGISTRY.items()
            if not e.categorical_dim
        ),
        *({**BINARY, "estimator": name} for name in ("indecater", "rloo", "stgs")),
    ],
    ids=lambda settings: "{task} {estimator}".format(**settings),
)
def test_no_number_depends_on_whether_pictures_were_drawn(settings: dict[str, Any]) -> None:
    one, other = (trainer_of(member(0, **settings), member(1, **settings)) for _ in "ab")
    before = torch.random.get_rng_state()
    assert all(one.pictures())
    for _ in range(2):
        found, expected = one.run_epoch(), other.run_epoch()
        assert all(values_of(found, index) == values_of(expected, index) for index in range(2))
        drawn = one.pictures()
        assert one.pictures() == drawn
    assert torch.equal(one.model.parameters, other.model.parameters)
    saved, wanted = one.state_dict(), other.state_dict()
    for key in ("order_generators", "noise_generators"):
        assert all(map(torch.equal, saved[key], wanted[key]))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_check_of_the_numbers_can_fail() -> None:
    """Pictures drawn with a member's own generator change what it does next."""
    one, other = trainer_of(member(0)), trainer_of(member(0))
    logits = one.model.encode(TEST[:NUM_IMAGES].unsqueeze(0))
    one._sampler(logits)
    assert values_of(one.run_epoch()) != values_of(other.run_epoch())


@of_both_tasks
def test_a_member_of_a_pack_has_the_picture_that_it_has_alone(settings: dict[str, Any]) -> None:
    first, second = member(0, **settings), member(1, **settings)
    together, alone = trainer_of(first, second), trainer_of(second)
    for trainer in (together, alone):
        trainer.run_epoch()
    assert together.pictures()[1] == alone.pictures()[0]
    assert together.pictures()[0] != alone.pictures()[0]


@of_both_tasks
def test_a_member_that_diverged_has_no_picture(settings: dict[str, Any]) -> None:
    trainer = trainer_of(member(0, **settings), member(1, **settings))
    trainer.model.parameters[0].fill_(float("nan"))
    trainer.run_epoch()
    nothing, something = trainer.pictures()
    assert nothing is None
    assert something is not None


def test_fewer_test_images_leave_places_empty() -> None:
    (png,) = trainer_of(member(0), test=TEST[:3]).pictures()
    assert png is not None
    found = tiles(png)
    assert np.array_equal(found[0, :3], TEST[:3].numpy())
    assert (found[0, 3:] == 96).all()
    assert (found[1, 3:] == 96).all()


def test_a_picture_is_small() -> None:
    trainer = trainer_of(member(0))
    trainer.run_epoch()
    (png,) = trainer.pictures()
    assert png is not None
    assert (
        len(png) < 24_000
    )  # of pixels as bytes it would be 34,969; digits take half of what this noise does


def test_members_that_are_judged_by_the_model_of_another_have_none() -> None:
    judged = member(0, task="gradient_quality", epochs=1, measured_epochs="1", num_draws=2, trained_with="st")
    pack = Pack((judged,))
    assert GradientQualityTrainer(pack, TrainingData.of_images(TRAIN, TEST)).pictures() == [None]
