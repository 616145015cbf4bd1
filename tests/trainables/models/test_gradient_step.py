from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import torch

import estimators
from tests.trainables.members import images
from trainables.models.discrete_vae import DiscreteVAE, NegElbo
from trainables.models.gradient_step import GradientStep

SEEDS = (3, 7)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
needs_two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no second GPU")
KINDS = ("stgs", "reinmax", "reinmax_rao", "reinmax_cv", "concrete", "rloo", "rebar", "indecater", "scater")
every_kind = pytest.mark.parametrize("name", KINDS)
VALUES = {"temperature": 0.7, "eta": 1.5, "num_mc_samples": 10, "num_samples": 2}


class Side:
    """A pack, its estimator and its generators, and what its steps gave."""

    def __init__(self, name: str, device: str) -> None:
        self.model = DiscreteVAE(8, 4, [torch.Generator().manual_seed(seed) for seed in SEEDS], device)
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in SEEDS]
        estimator = estimators.get(name)
        values = {own.name: VALUES[own.name] for own in estimator.hyperparameters}
        self.sampler = partial(estimator.draw, **values, generator=self.generators)
        self.recorded = GradientStep(self.model, self.sampler, self.generators)

    def eager(self, batch: torch.Tensor) -> NegElbo:
        return self.model.differentiate(batch, self.sampler)


def batches(device: str, *sizes: int) -> list[torch.Tensor]:
    return [images(size, seed=index)[None].to(device) for index, size in enumerate(sizes)]


def check_equal_steps(one: Side, other: Side, device: str, *sizes: int) -> None:
    """Compare losses, gradients and generators, step by step, bit for bit."""
    for batch in batches(device, *sizes):
        found, expected = one.recorded(batch), other.eager(batch)
        assert torch.equal(found.recon, expected.recon)
        assert torch.equal(found.kl, expected.kl)
        assert torch.equal(one.model.gradients, other.model.gradients)
        for generator, same in zip(one.generators, other.generators, strict=True):
            assert torch.equal(generator.get_state(), same.get_state())


@every_kind
def test_on_a_cpu_it_is_the_model_s_own_step(name: str) -> None:
    check_equal_steps(Side(name, "cpu"), Side(name, "cpu"), "cpu", 20, 20, 7)


@needs_gpu
@every_kind
def test_replay_equals_the_model_s_own_step_bit_for_bit(name: str) -> None:
    """Two batch sizes, each recorded once and replayed among those of the other."""
    recorded, eager = Side(name, "cuda"), Side(name, "cuda")
    check_equal_steps(recorded, eager, "cuda", 20, 7, 20, 20, 7)
    assert len(recorded.recorded._recordings) == 2


@needs_gpu
@every_kind
def test_recording_leaves_the_generators_as_they_were(name: str) -> None:
    side = Side(name, "cuda")
    states = [generator.get_state() for generator in side.generators]
    (batch,) = batches("cuda", 20)
    side.recorded._record(batch)
    for generator, state in zip(side.generators, states, strict=True):
        assert torch.equal(generator.get_state(), state)


@needs_gpu
def test_losses_of_a_step_outlive_the_next_one() -> None:
    side = Side("reinmax", "cuda")
    first, second = batches("cuda", 20, 20)
    loss = side.recorded(first)
    recon = loss.recon.clone()
    side.recorded(second)
    assert torch.equal(loss.recon, recon)


@pytest.fixture
def on_first_gpu() -> Iterator[None]:
    with torch.cuda.device(0):
        yield


@needs_two_gpus
def test_step_is_recorded_on_the_gpu_of_the_images_whichever_is_current(on_first_gpu: None) -> None:
    check_equal_steps(Side("reinmax_rao", "cuda:1"), Side("reinmax_rao", "cuda:1"), "cuda:1", 20, 20)
