"""The average of `estimators.gumbel.averaged_softmax_vjp` as one GPU kernel: noise is made where it is used.

One program does one row, that is one categorical variable. Its tile has categories down and draws across, so
that sums over categories mostly stay inside a thread. Philox gives four numbers for each counter, hence draws
come in groups of four. Every member has its own key and counts its rows from 0, so that its numbers do not
depend on who else is in the pack. PyTorch for CUDA brings triton; without it, and where the kernel cannot be
compiled, `is_available` is false.
"""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

from estimators.randomness import Generators, uniform

try:
    import triton  # type: ignore[import, unused-ignore]
    import triton.language as tl  # type: ignore[import, unused-ignore]
except ImportError:
    triton = None

# Triton's interpreter runs kernels on a CPU, slowly, for tests; triton.jit looks for this once, at import.
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
# Elements of a tile for each warp: 8 for each thread, since the four uniforms of each must fit in registers.
_TILE_PER_WARP = 256


def _jit(kernel: Callable[..., Any]) -> Any:
    # How sizes and memory are aligned then cannot change the order in which a row is summed.
    return triton.jit(kernel, do_not_specialize=["categorical_dim", "num_mc_samples"]) if triton else kernel


@_jit
def _four_uniforms(seed: tl.tensor, row: tl.tensor, group: tl.tensor, category: tl.tensor) -> tl.tuple:
    """Return draws 4 group, ..., 4 group + 3 of U(0, 1) for every category and group of a member's row."""
    a, b, c, d = tl.philox(seed, category[:, None], group[None, :], row, 0)
    return _above_zero(a), _above_zero(b), _above_zero(c), _above_zero(d)


@_jit
def _above_zero(bits: tl.tensor) -> tl.tensor:
    # The conversion may return exactly 0, whose logarithm is infinite; 2**-32 lies below its grid.
    return tl.maximum(tl.uint_to_uniform_float(bits), 2.0**-32)


@_jit
def _uniforms_kernel(
    out_ptr: tl.tensor,
    seed_ptr: tl.tensor,
    categorical_dim: tl.tensor,
    num_mc_samples: tl.tensor,
    block_c: tl.constexpr,
    block_groups: tl.constexpr,
) -> None:
    member_row, member = tl.program_id(0), tl.program_id(1)
    row = member.to(tl.int64) * tl.num_programs(0) + member_row
    seed = tl.load(seed_ptr + member)
    category = tl.arange(0, block_c)
    out_ptr += (row * categorical_dim + category[:, None]) * num_mc_samples
    for start in range(0, (num_mc_samples + 3) // 4, block_groups):
        group = start + tl.arange(0, block_groups)
        draws = _four_uniforms(seed, member_row, group, category)
        for j in tl.static_range(4):
            k = (4 * group + j)[None, :]
            mask = (category[:, None] < categorical_dim) & (k < num_mc_samples)
            tl.store(out_ptr + k, draws[j], mask)


@_jit
def _average_kernel(
    out_ptr: tl.tensor,
    logits_ptr: tl.tensor,
    sample_ptr: tl.tensor,
    grad_ptr: tl.tensor,
    temperature_ptr: tl.tensor,
    seed_ptr: tl.tensor,
    categorical_dim: tl.tensor,
    num_mc_samples: tl.tensor,
    block_c: tl.constexpr,
    block_groups: tl.constexpr,
) -> None:
    member_row, member = tl.program_id(0), tl.program_id(1)
    row = member.to(tl.int64) * tl.num_programs(0) + member_row
    seed = tl.load(seed_ptr + member)
    inverse_temperature = 1.0 / tl.load(temperature_ptr + row)
    category = tl.arange(0, block_c)
    offset = row * categorical_dim + category
    mask = category < categorical_dim
    logits = tl.load(logits_ptr + offset, mask, -float("inf"))
    winner = tl.argmax(tl.load(sample_ptr + offset, mask, -1.0), 0)
    is_winner = (category == winner)[:, None]
    grad = tl.load(grad_ptr + offset, mask, 0.0)[:, None]
    logits -= tl.max(logits, 0)
    surprise = (tl.log(tl.sum(tl.exp(logits), 0)) - logits)[:, None]
    # 1 / p is kept finite; what lies beyond exp(60), where 1 + x = x, is added to the logarithm instead.
    bounded = tl.minimum(surprise, 60.0)
    inverse_probs, excess = tl.exp(bounded), surprise - bounded
    total = tl.zeros((block_c, block_groups), tl.float32)
    for start in range(0, (num_mc_samples + 3) // 4, block_groups):
        group = start + tl.arange(0, block_groups)
        draws = _four_uniforms(seed, member_row, group, category)
        for j in tl.static_range(4):
            exponential = -tl.log(draws[j])
            per_winner = 1.0 / tl.sum(tl.where(is_winner, exponential, 0.0), 0)
            log1p_x = tl.log(1.0 + inverse_probs * exponential * per_winner[None, :]) + excess
            relaxed = tl.where(is_winner, 1.0, tl.exp(-log1p_x * inverse_temperature))
            is_drawn = 4 * group + j < num_mc_samples
            relaxed *= tl.where(is_drawn, 1.0 / tl.sum(relaxed, 0), 0.0)[None, :]
            total += relaxed * (grad - tl.sum(grad * relaxed, 0)[None, :])
    tl.store(out_ptr + offset, tl.sum(total, 1) / num_mc_samples * inverse_temperature, mask)


def is_available(device: torch.device | str) -> bool:
    """Return whether the kernels run there: on a GPU with triton and what triton compiles with.

    That is found out by launching one, once in a process, so that the answer stays what it was. With
    TRITON_INTERPRET=1 in the environment they run anywhere, slowly.
    """
    if triton is None or _INTERPRETED:
        return triton is not None
    device = torch.device(device)
    return device.type == "cuda" and torch.cuda.is_available() and _can_launch(device)


def takes(logits: torch.Tensor) -> bool:
    """Return whether the kernel is to be used for logits: float32, on a device where it runs.

    Never for the fake tensors of a program that is being traced: they have no memory that it could read.
    """
    is_real = type(logits) is torch.Tensor
    return is_real and logits.is_cuda and logits.dtype == torch.float32 and is_available(logits.device)


_CANNOT_COMPILE: tuple[type[Exception], ...] = (
    RuntimeError,
    OSError,
    ImportError,
    AssertionError,  # triton finds no libcuda.so
    subprocess.SubprocessError,
    getattr(getattr(triton, "errors", None), "TritonError", RuntimeError),  # absent, or older than its errors
)


@cache
def _can_launch(device: torch.device) -> bool:
    """Launch a small kernel; warn and return false where Triton cannot compile.

    That is for want of a C compiler, Python's headers or libcuda, or an error of its own. Memory that ran out
    is no such answer.
    """
    try:
        philox_uniforms(torch.zeros(1, dtype=torch.int64, device=device), 1, 1, 1)
    except _CANNOT_COMPILE as error:
        if "out of memory" in str(error):  # the driver's own is a bare RuntimeError of Triton's
            raise
        warnings.warn(
            f"Triton cannot compile on this machine ({error}); averages over Gumbel draws are computed by "
            "PyTorch instead, slower and from other draws",
            RuntimeWarning,
            stacklevel=3,
        )
        return False
    return True


def fused_averaged_softmax_vjp(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Average the tempered softmax's vector-Jacobian product over conditional Gumbel draws, in one kernel.

        (1/K) Σ_k J_τ(Y_k) g,   Y_k ~ logits + G given the sample

    With E ~ Exp(1), p = softmax(logits) and i the category of the sample, Y_j - Y_i = -log(1 + x_j) for
    x_j = E_j / (p_j E_i), so that softmax(Y / τ) is (1 + x)^(-1/τ) divided by its sum, with x_i = 0.
    The law is that of `averaged_softmax_vjp`, the draws are others. No tensor with an axis of K is made and
    the host never waits for the device, so that a CUDA graph can hold the call.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float32.
        sample: One-hot category to condition on, shape (..., L, C), float32.
        grad_sample: Gradient with respect to the sample, shape (..., L, C), float32.
        temperature: Softmax temperature τ > 0, broadcastable to (..., 1, 1).
        num_mc_samples: Number K of draws.
        generator: Source of randomness, or one for each index of the first axis; each is asked for one
            number a call. PyTorch's default generator where none is given.
    Returns:
        Averaged product, shape (..., L, C), without a graph.
    Raises:
        ValueError: If a tensor is not float32, shapes or devices differ, or the number of generators is not
            the length of the first axis.
    Source: Beyond ReinMax, Eq. 6 and 7.
    """
    for name, tensor in {"logits": logits, "sample": sample, "grad_sample": grad_sample}.items():
        found = (tensor.dtype, tuple(tensor.shape), tensor.device)
        if found != (expected := (torch.float32, tuple(logits.shape), logits.device)):
            raise ValueError(f"{name} must have dtype, shape and device {expected}, got {found}")
    seeds = philox_seeds(logits.shape[0] if isinstance(generator, Sequence) else 1, generator, logits.device)
    temperatures = logits.new_ones((*logits.shape[:-1], 1)).mul_(temperature)
    result = torch.empty_like(logits, memory_format=torch.contiguous_format)
    tensors = [result, *(tensor.contiguous() for tensor in (logits, sample, grad_sample)), temperatures]
    _launch(_average_kernel, tensors, seeds, temperatures.numel(), logits.shape[-1], num_mc_samples)
    return result


def philox_seeds(num_members: int, generator: Generators, device: torch.device | str) -> torch.Tensor:
    """Draw the key of each member's noise, one number from each generator, shape (P,), int64."""
    # Different uniforms have different bits, which is all that is asked of a key.
    like = torch.empty(0, dtype=torch.float64, device=device)
    return uniform((num_members,), generator, like=like).view(torch.int64)


def philox_uniforms(
    seeds: torch.Tensor, rows_per_member: int, categorical_dim: int, num_mc_samples: int
) -> torch.Tensor:
    """Write down the noise that `fused_averaged_softmax_vjp` makes from these seeds, for tests.

    Args:
        seeds: Result of `philox_seeds`, shape (P,).
        rows_per_member: Number of categorical variables of one member, such as batch size times L.
        categorical_dim: Number C of categories.
        num_mc_samples: Number K of draws.
    Returns:
        Uniforms in the open interval (0, 1), shape (P * rows_per_member, C, K), float32.
    """
    shape = (len(seeds) * rows_per_member, categorical_dim, num_mc_samples)
    result = torch.empty(shape, dtype=torch.float32, device=seeds.device)
    _launch(_uniforms_kernel, [result], seeds, *shape)
    return result


def _launch(kernel: Any, tensors: list[torch.Tensor], seeds: torch.Tensor, *shape: int) -> None:
    num_rows, categorical_dim, num_mc_samples = shape
    if num_rows == 0:
        return
    block_c = triton.next_power_of_2(categorical_dim)
    block_groups = triton.next_power_of_2(triton.cdiv(num_mc_samples, 4))
    block_groups = min(block_groups, max(_TILE_PER_WARP // block_c, 1))
    num_warps = min(max(block_c // _TILE_PER_WARP, 1), 16)
    grid, blocks = (num_rows // len(seeds), len(seeds)), (block_c, block_groups)
    with torch.cuda.device_of(seeds):  # type: ignore[no-untyped-call]
        kernel[grid](*tensors, seeds, categorical_dim, num_mc_samples, *blocks, num_warps=num_warps)
