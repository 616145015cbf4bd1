from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch

from tests.trainables.members import data, member, stand_in
from trainables import pack_size
from trainables.pack import Pack
from trainables.pack_size import Trial, choose_pack_size, is_out_of_memory, measure_pack_size
from trainables.training.epochs import EpochSeconds
from trainables.training.training_data import TrainingData


def _device(overhead: float, per_member: float, memory: float) -> Callable[[int], Trial | None]:
    """Return a device whose step of P members takes overhead + P · per_member seconds."""

    def attempt(size: int) -> Trial | None:
        if size * memory > 1:
            return None
        return Trial(overhead / size + per_member, size * memory)

    return attempt


@pytest.mark.parametrize(
    ("overhead", "per_member", "memory", "most", "expected"),
    [
        pytest.param(0.0, 1.0, 0.01, 64, 1, id="nothing to gain"),
        pytest.param(1.0, 0.0, 0.01, 64, 64, id="all to gain"),
        pytest.param(1.0, 0.0, 0.01, 63, 32, id="no more than the most"),
        pytest.param(1.0, 0.0, 0.2, 64, 4, id="memory for five"),
        pytest.param(1.0, 0.0, 0.6, 64, 1, id="memory for one"),
        pytest.param(1.0, 0.0, 1.5, 64, 1, id="memory for none"),
        # Gains of doubling near the end: 0.131 / 0.116 = 1.14 for 64, 0.116 / 0.108 = 1.07 for 128.
        pytest.param(1.0, 0.1, 0.001, 1024, 64, id="gains fade"),
    ],
)
def test_packs_grow_while_members_gain_and_memory_lasts(
    overhead: float, per_member: float, memory: float, most: int, expected: int
) -> None:
    assert choose_pack_size(_device(overhead, per_member, memory), most) == expected


def test_size_whose_double_cannot_fit_is_not_doubled() -> None:
    tried = []

    def attempt(size: int) -> Trial:
        tried.append(size)
        return Trial(1 / size, 0.3 * size)

    assert choose_pack_size(attempt, 64) == 2
    assert tried == [1, 2]


@pytest.mark.parametrize("eight", [None, Trial(0.01, 1.01)], ids=["no memory", "more than there may be"])
def test_pack_that_turns_out_not_to_fit_leaves_the_last_one_that_did(eight: Trial | None) -> None:
    attempt = _device(1.0, 0.0, 0.01)
    assert choose_pack_size(lambda size: attempt(size) if size < 8 else eight, 64) == 4


# Measuring, on a GPU that is not there.

MIB = 2**20
GPU = torch.device("cuda", 0)


@dataclass
class Gpu:
    """A GPU on which a pack's pass takes 1 s whatever its size, and the packs that were tried on it.

    Args:
        free_mib: MiB that are free of 1000.
        fraction: Share that the process is kept to.
        member_mib: What a member takes; a CUDA graph keeps as much again for itself.
        noise: Added to the seconds of the passes of each pack in turn, the first included.
        fails_at: Size from which on recording fails.
        failure: How.
    """

    free_mib: int = 1000
    fraction: float = 1.0
    member_mib: int = 1
    noise: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    fails_at: int = 1000
    failure: Callable[[], BaseException] = torch.OutOfMemoryError
    packs: list[Pack] = field(default_factory=list)
    num_images: list[tuple[int, int]] = field(default_factory=list)

    def trainer(self, pack: Pack, given: TrainingData, device: torch.device) -> Trainer:
        assert device == GPU
        self.packs.append(pack)
        self.num_images.append((len(given.train_images), len(given.test_images)))
        return Trainer(self, len(pack))

    @property
    def sizes(self) -> list[int]:
        return [len(pack) for pack in self.packs]


class Trainer:
    def __init__(self, gpu: Gpu, size: int) -> None:
        self._gpu, self._size, self._noise = gpu, size, iter(gpu.noise)

    def time_epoch(self) -> EpochSeconds:
        if self._size >= self._gpu.fails_at:
            raise self._gpu.failure()
        return EpochSeconds(1.0 + next(self._noise), 100.0)


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that measures on a GPU."""

    def run(gpu: Gpu, most: int = 16, **params: object) -> int:
        fakes = {
            "mem_get_info": lambda _: (gpu.free_mib * MIB, 1000 * MIB),
            "get_per_process_memory_fraction": lambda _: gpu.fraction,
            "empty_cache": lambda: None,
            "reset_peak_memory_stats": lambda _: None,
            "max_memory_allocated": lambda _: gpu.sizes[-1] * gpu.member_mib * MIB,
            "max_memory_reserved": lambda _: 2 * gpu.sizes[-1] * gpu.member_mib * MIB,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        stand_in(monkeypatch, str(params.get("task", "mnist_vae")), gpu.trainer)
        return measure_pack_size(member(5, **params), most, data(4000, 2000), GPU)

    return run


def _broken_recording(cause: type[BaseException] = torch.OutOfMemoryError) -> RuntimeError:
    try:
        try:
            raise cause
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")
    except RuntimeError as error:
        return error


def test_members_that_are_tried_differ_in_their_seeds_alone(measure: Callable[..., int]) -> None:
    gpu = Gpu()
    assert measure(gpu) == 16
    assert gpu.sizes == [1, 2, 4, 8, 16]
    assert [one.seed for one in gpu.packs[2].members] == [0, 1, 2, 3]
    assert {one.cell for pack in gpu.packs for one in pack.members} == {member().cell}


def test_thirty_steps_are_timed_and_an_evaluation_as_large_as_a_real_one_takes_its_memory(
    measure: Callable[..., int],
) -> None:
    gpu = Gpu()
    measure(gpu, most=1)
    assert gpu.num_images == [(3000, 1000)]


def test_the_last_smaller_step_is_measured_too(measure: Callable[..., int]) -> None:
    gpu = Gpu()
    measure(gpu, most=1, batch_size=120)
    assert gpu.num_images == [(30 * 120 + 4000 % 120, 1000)]


def test_a_step_with_many_images_an_example_has_them_all(measure: Callable[..., int]) -> None:
    gpu = Gpu()
    sums = {"task": "mnist_addition", "estimator": "rloo", "num_samples": 2, "temperature": None}
    measure(gpu, most=1, batch_size=10, categorical_dim=10, latent_dim=8, **sums)
    assert gpu.num_images == [(30 * 10 * 8, 1000)]


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        pytest.param(Gpu(member_mib=100), 4, id="a graph's memory counts"),
        pytest.param(Gpu(member_mib=50, fraction=0.5), 4, id="a share of the memory"),
        # 450 MiB are in use; beside another process with half of all, 50 are left.
        pytest.param(Gpu(member_mib=10, fraction=0.5, free_mib=550), 2, id="a share, and some in use"),
        pytest.param(Gpu(member_mib=10, fraction=0.5, free_mib=300), 1, id="nothing left"),
        pytest.param(Gpu(member_mib=125, fails_at=5), 2, id="a margin for the images"),
    ],
)
def test_pack_takes_no_more_memory_than_is_its_own(
    gpu: Gpu, expected: int, measure: Callable[..., int]
) -> None:
    assert measure(gpu) == expected


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError, _broken_recording])
def test_memory_that_runs_out_ends_the_search(
    failure: Callable[[], BaseException], measure: Callable[..., int]
) -> None:
    gpu = Gpu(fails_at=4, failure=failure)
    assert measure(gpu) == 2
    assert gpu.sizes == [1, 2, 4]


def test_other_errors_are_not_hidden(measure: Callable[..., int]) -> None:
    with pytest.raises(RuntimeError, match="previous error"):
        measure(Gpu(fails_at=4, failure=lambda: _broken_recording(ValueError)))


@pytest.mark.parametrize("noise", [(9.0, 0.0, 9.0, 0.0), (9.0, 0.0, 0.0, 9.0), (0.0, 9.0, 0.0, 0.0)])
def test_time_is_the_median_of_three_passes_after_one_that_warms_up(
    noise: tuple[float, ...], measure: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials: list[Trial | None] = []
    monkeypatch.setattr(pack_size, "choose_pack_size", lambda attempt, most: trials.append(attempt(most)))
    measure(Gpu(noise=noise), most=4)
    assert [trial.member_seconds for trial in trials if trial] == [1.0 / 4]


def test_memory_that_runs_out_while_a_graph_is_recorded_is_told_from_other_errors() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError())
    assert is_out_of_memory(_broken_recording())
    assert is_out_of_memory(RuntimeError("Triton Error [CUDA]: out of memory"))
    assert not is_out_of_memory(_broken_recording(ValueError))


def test_on_a_cpu_a_pack_has_one_member() -> None:
    assert measure_pack_size(member(), 4, data(200, 100), torch.device("cpu")) == 1
