from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from trainables.training.process import own_device, prepare_process, set_precision

FAULTS = """
import resource
import torch
from trainables.training.process import prepare_process

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        three = [torch.ones(2**21) for _ in range(3)]  # 24 MiB, freed at once
        del three
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
before = faults()
prepare_process(1)
faults()
print(before, faults())
"""


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    threads, allow_tf32 = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    convolutions = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    torch.backends.cuda.matmul.allow_tf32 = allow_tf32
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = convolutions


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, torch.device]]:
    """A process with two GPUs, the second its current one; the shares of memory that it is kept to."""
    kept_to: list[tuple[float, torch.device]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda fraction, device: kept_to.append((fraction, device)),
    )
    return kept_to


def test_process_has_its_threads_and_no_denormal_numbers() -> None:
    torch.set_flush_denormal(False)
    denormal = torch.full((16,), 1e-39)
    assert (denormal * 1.0 != 0).all()
    prepare_process(1)
    assert torch.get_num_threads() == 1
    assert (denormal * 1.0 == 0).all()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_freed_memory_is_not_fetched_from_the_system_again() -> None:
    answer = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, after = map(int, answer.stdout.split())
    assert after < before / 4


def test_process_with_a_share_of_a_gpu_is_kept_to_that_share_of_its_memory(
    shares: list[tuple[float, torch.device]],
) -> None:
    prepare_process(1, gpus=0.5)
    assert shares == [(0.5, torch.device("cuda", 1))]


@pytest.mark.parametrize("gpus", [0.0, 1.0, 2.0])
def test_process_without_a_gpu_or_with_whole_ones_is_kept_to_nothing(
    gpus: float, shares: list[tuple[float, torch.device]]
) -> None:
    prepare_process(1, gpus)
    assert shares == []


def test_device_of_a_process_has_a_number(shares: list[tuple[float, torch.device]]) -> None:
    """PyTorch takes no other where it sets a limit of memory."""
    assert own_device() == torch.device("cuda", 1)
    assert torch.cuda._utils._get_device_index(own_device()) == 1


def test_process_without_a_gpu_has_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert own_device() == torch.device("cpu")
    prepare_process(1, gpus=0.5)


@pytest.mark.parametrize(("precision", "is_allowed"), [("tf32", True), ("float32", False)])
def test_precision_allows_or_forbids_tf32(precision: str, is_allowed: bool) -> None:
    products = torch.backends.cuda.matmul, torch.backends.cudnn
    for of_kind in products:
        of_kind.allow_tf32 = not is_allowed
    set_precision(precision)
    assert [of_kind.allow_tf32 for of_kind in products] == [is_allowed] * 2
    assert torch.backends.cudnn.deterministic
