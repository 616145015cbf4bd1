"""Softmax over categories, in the order in which a tensor lies in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

_MANY_CATEGORIES = 32


def with_cheap_softmax(logits: torch.Tensor) -> torch.Tensor:
    """Lay (A, ..., C) out in memory as (A, C, ...) where categories are few; same shape and values.

    What estimators do is elementwise but for sums and maxima over categories. Where few of these are the
    contiguous axis, a softmax takes ten times as long.
    """
    if logits.shape[-1] >= _MANY_CATEGORIES:
        return logits.contiguous()
    return logits.movedim(-1, 1).contiguous().movedim(1, -1)


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return softmax over the last axis, (..., C) to (..., C), laid out in memory as the logits are.

    `torch.softmax` first copies what does not have its last axis contiguous; and it is many times faster
    over a middle axis with a long contiguous one behind it than over a short last axis.
    """
    return _in_memory_order(torch.softmax, logits)


def log_softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return log-softmax over the last axis, (..., C) to (..., C), laid out in memory as the logits are."""
    return _in_memory_order(torch.log_softmax, logits)


def _in_memory_order(
    function: Callable[[torch.Tensor, int], torch.Tensor], logits: torch.Tensor
) -> torch.Tensor:
    if logits.is_contiguous():
        return function(logits, -1)
    order = _memory_order(logits.stride())
    axis = order.index(logits.ndim - 1)
    return function(logits.permute(order), axis).permute(_inverse(order))


@cache
def _memory_order(strides: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(strides)), key=strides.__getitem__, reverse=True))


@cache
def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))
