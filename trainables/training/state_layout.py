"""Whether a saved state is laid out as a live one, to be asked before any of it is taken over."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def check_layout(state: object, like: object, name: str = "the state") -> None:
    """Refuse a state whose keys, lengths, shapes or types are not those of another.

    Args:
        state: Tensors and numbers in mappings and lists.
        like: What it must be laid out as.
        name: What to call it.

    Raises:
        ValueError: If it is laid out otherwise; the message names the part.
    """
    if isinstance(like, Mapping) and isinstance(state, Mapping):
        _check_equal(sorted(map(str, state)), sorted(map(str, like)), f"keys of {name}")
        for key, part in like.items():
            check_layout(state[key], part, f"{key} of {name}")
    elif isinstance(like, list) and isinstance(state, list):
        _check_equal(len(state), len(like), f"length of {name}")
        for index, part in enumerate(like):
            check_layout(state[index], part, f"item {index} of {name}")
    elif isinstance(like, torch.Tensor) and isinstance(state, torch.Tensor):
        _check_equal((tuple(state.shape), state.dtype), (tuple(like.shape), like.dtype), name)
    else:
        _check_equal(type(state).__name__, type(like).__name__, name)


def _check_equal(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise ValueError(f"{what} must be {expected}, got {found}")
