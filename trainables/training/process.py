"""Settings of a process that trains, which PyTorch and the C library keep for the whole process."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path

import torch

from trainables.gpu_problem import gpu_problem_here

# Options of glibc's mallopt, from its malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 32 * 2**20  # the most that glibc takes


def prepare_process(num_threads: int, gpus: float = 0.0) -> None:
    """Set up the process that trains: its threads, denormal numbers flushed to zero, freed memory kept.

    Denormals make epochs on a CPU slower and slower as training goes on. Memory that is given back to the
    system at every step is filled with zeros by it at every step.

    Args:
        num_threads: Number of threads.
        gpus: What the process gets of a GPU. Where that is a share, so is the memory that it may take.
    """
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)
    _keep_freed_memory()
    if 0 < gpus < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(gpus, own_device())


def own_device() -> torch.device:
    """Return the GPU of this process, with its number, or the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def required_device(name: str) -> torch.device:
    """Return the device that a pack is to be trained on.

    Args:
        name: "cpu", or "cuda" where the process was given a GPU.

    Raises:
        RuntimeError: If PyTorch cannot use a GPU here.
    """
    if name == "cpu":
        return torch.device(name)
    if problem := gpu_problem_here():
        raise RuntimeError(f"Ray gave this process a GPU, but {problem}")
    return own_device()


def device_name(device: torch.device) -> str:
    """Return the model of a GPU, or "CPU" with the model of the processor where the system tells it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return " ".join(filter(None, ("CPU", _processor())))


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def set_precision(precision: str) -> None:
    """Let products on a GPU round their inputs to TF32, those of convolutions too, or forbid it.

    A CPU knows float32 only. Convolutions are kept to algorithms that give the same bits every time.

    Args:
        precision: The member param, "float32" or "tf32".
    """
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"  # PyTorch's own default is to round
    torch.backends.cudnn.deterministic = True


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed, up to `_KEPT_BYTES`; other C libraries are left alone."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            set_option(option, _KEPT_BYTES)
