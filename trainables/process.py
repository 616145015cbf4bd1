"""Settings of a process that trains, which PyTorch and the C library keep for the whole process."""

from __future__ import annotations

import ctypes

import torch

# Options of glibc's mallopt, from its malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 32 * 2**20  # the most that glibc takes


def prepare_process(num_threads: int) -> None:
    """Set up the process that trains: its threads, denormal numbers flushed to zero, freed memory kept.

    Denormals make epochs on a CPU slower and slower as training goes on. Memory that is given back to the
    system at every step is filled with zeros by it at every step.
    """
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)
    _keep_freed_memory()


def set_precision(precision: str) -> None:
    """Let matrix products on a GPU round their inputs to TF32, or forbid it; a CPU knows float32 only.

    Args:
        precision: The member param, "float32" or "tf32".
    """
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed, up to `_KEPT_BYTES`; other C libraries are left alone."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            set_option(option, _KEPT_BYTES)
