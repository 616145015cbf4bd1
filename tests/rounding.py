"""How far apart rounding may set two computations of one number: from the arithmetic, not from a machine."""

from __future__ import annotations

import math

import torch

_DEVIATIONS = 6.0
"""λ: a sum strays further than λ standard deviations in two of 10⁸, and a test compares thousands."""


def rounding(length: int, size: float, dtype: torch.dtype = torch.float32) -> float:
    """Return a bound of the error of a sum in any order: λ √n u Σ|terms|, u half the spacing of numbers at 1.

    Roundings are taken as independent with mean zero; were they all the same way, it would be n for √n. Other
    kernels (AVX-512, AVX2, MKL's own for other CPUs) sum in other orders, and stay within it alike.

    Args:
        length: Number n of roundings on the way to a number: the length of a sum, and where sums are summed
            the lengths one after the other, as those of a network's layers.
        size: The most that the absolute values of the terms sum to.
        dtype: The narrower one of what is compared.
    Source: Higham & Mary (2019), A new approach to probabilistic rounding error analysis, Theorem 2.4.
    """
    unit = torch.finfo(dtype).eps / 2
    return math.expm1(_DEVIATIONS * math.sqrt(length) * unit) * size


def check_equal_but_for_rounding(
    actual: torch.Tensor, expected: torch.Tensor, *, length: int, size: float | None = None
) -> None:
    """Raise AssertionError where the tensors are further apart than rounding sets them.

    Args:
        actual: What is judged.
        expected: The reference, of the same dtype or a wider one, same shape.
        length: As for `rounding`; counted for both where both have the narrower dtype.
        size: As for `rounding`; the largest of `expected` where none is given, which is right of a tensor
            that has numbers whose terms do not cancel, as a layer's gradient.
    """
    size = expected.abs().max().item() if size is None else size
    roundings = 2 * length if expected.dtype == actual.dtype else length
    tolerance = rounding(roundings, size, actual.dtype)
    torch.testing.assert_close(actual.double(), expected.double(), rtol=0, atol=tolerance)
