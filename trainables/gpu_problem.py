"""Why a process that was given a GPU cannot use it."""

from __future__ import annotations

import platform


def gpu_problem_here() -> str:
    """Return why PyTorch cannot use a GPU here, or ""; for a process that Ray gives one to."""
    import torch  # here, since a driver asks other processes, and need not wait for it

    if torch.cuda.is_available():
        return ""
    reason = "is built without CUDA" if torch.version.cuda is None else "finds no GPU with a driver that fits"
    return f"PyTorch {torch.__version__} on {platform.node()} {reason}"
