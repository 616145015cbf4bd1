"""The contract: what every estimator does with its arguments, its sample and its generator.

Each check is a function of an estimator that raises `BrokenError` where it is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch

from estimators.registry import Estimator
from estimators.sampling import Draw
from estimators.score_function.objective import Estimate, ObjectiveDraw

Check = Callable[[Estimator], None]

_BATCH, _VARIABLES = 5, 3


class BrokenError(Exception):
    """A rule of the contract that an estimator breaks; the message says what it did instead."""


@dataclass(frozen=True)
class Outcome:
    """What became of one check.

    Args:
        rule: The rule, in words.
        problem: How it is broken, or "".
    """

    rule: str
    problem: str


def check_contract(entry: Estimator) -> list[Outcome]:
    """Return what became of every check.

    Args:
        entry: The estimator, at the defaults of its hyperparameters.
    """
    return [Outcome(rule, _problem(check, entry)) for rule, check in CONTRACT.items()]


def _problem(check: Check, entry: Estimator) -> str:
    try:
        check(entry)
    except BrokenError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 whatever a user's code raises is her finding
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return ""


@dataclass(frozen=True)
class _Result:
    """Of one call: a sample where there is one, the estimate of E[f], and that of its gradient."""

    sample: torch.Tensor | None
    value: torch.Tensor
    gradient: torch.Tensor


def _logits(
    entry: Estimator, *leading: int, dtype: torch.dtype = torch.float32, scale: float = 1.0
) -> torch.Tensor:
    """Return logits, shape (*leading, 3, C), or (5, 3, C); C is 4 unless the estimator has another."""
    shape = (*(leading or (_BATCH,)), _VARIABLES, _num_categories(entry))
    return torch.randn(shape, generator=_seeded(1), dtype=torch.float64).mul_(scale).to(dtype)


def _num_categories(entry: Estimator) -> int:
    return entry.categorical_dim or 4


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _call(entry: Estimator, logits: torch.Tensor, seed: int = 0, **values: Any) -> _Result:
    """Call the public function, with an f that is linear in samples and has no dtype of its own."""
    leaf = logits.detach().clone().requires_grad_()
    weights = (
        torch.linspace(-1, 1, max(logits.shape[-2:].numel(), 1)).view(logits.shape[-2:]).to(logits.dtype)
    )

    def f(samples: torch.Tensor) -> torch.Tensor:
        return (samples * weights).sum((-1, -2))

    function = cast("Callable[..., Any]", entry.function)
    if entry.needs_objective:
        estimate = function(leaf, f, generator=_seeded(seed), **values)
        _demand(
            isinstance(estimate, Estimate), f"it returned {type(estimate).__name__} in place of an Estimate"
        )
        sample, value = None, estimate.surrogate
    else:
        sample = function(leaf, generator=_seeded(seed), **values)
        value = f(sample)
    (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
    _demand(gradient is not None, "no gradient leads to the logits")
    return _Result(None if sample is None else sample.detach(), value.detach(), gradient)


def _demand(holds: bool, problem: str) -> None:
    if not holds:
        raise BrokenError(problem)


def _has_shape_and_dtype(entry: Estimator) -> None:
    for leading in ((), (5,), (2, 5)):
        shape = (*leading, _VARIABLES, _num_categories(entry))
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            logits = _logits(entry, *(leading or (1,)), dtype=dtype)
            result = _call(entry, logits if leading else logits[0])
            for what, tensor, wanted in (
                ("the sample", result.sample, shape),
                ("the estimate of E[f]", result.value, shape[:-2]),
                ("the gradient", result.gradient, shape),
            ):
                if tensor is not None:
                    got = f"{tuple(tensor.shape)} and {tensor.dtype}"
                    # E[f] of a narrow dtype may be summed in a wider one.
                    is_kept = tensor.dtype in (dtype, torch.promote_types(dtype, tensor.dtype))
                    _demand(
                        tuple(tensor.shape) == wanted and is_kept,
                        f"of logits {shape} and {dtype}, {what} has {got}",
                    )


def _is_distribution(entry: Estimator) -> None:
    sample = _draw(entry, _logits(entry, 2, 50, scale=3.0), [_seeded(0), _seeded(1)]).sample
    total = sample.sum(-1)
    _demand(
        bool((total - 1).abs().max() < 1e-4),
        f"sums over categories from {total.min():.4g} to {total.max():.4g}",
    )
    _demand(bool(sample.min() > -1e-6), f"an entry of {sample.min():.4g}")
    is_one_hot = bool((sample.max(-1).values == 1).all())
    _demand(is_one_hot or not entry.is_one_hot, "samples are not exactly one-hot")


def _is_deterministic(entry: Estimator) -> None:
    first, again, other = (_call(entry, _logits(entry), seed) for seed in (0, 0, 1))
    same = torch.equal(first.gradient, again.gradient) and torch.equal(first.value, again.value)
    _demand(same, "one seed gave two results")
    if entry.is_random:
        differs = not (torch.equal(first.gradient, other.gradient) and torch.equal(first.value, other.value))
        _demand(differs, "two seeds gave one result: is the generator used?")


def _leaves_the_global_generator(entry: Estimator) -> None:
    before = torch.get_rng_state()
    _call(entry, _logits(entry))
    _demand(torch.equal(before, torch.get_rng_state()), "it draws from PyTorch's global generator")


def _is_the_same_in_a_pack(entry: Estimator) -> None:
    logits = _logits(entry, 3, _BATCH)
    grad = _logits(entry, 3, _BATCH, scale=0.5)
    pack = _draw(entry, logits, [_seeded(seed) for seed in range(3)])
    whole = _estimate(pack, grad)
    for member in range(3):
        part = slice(member, member + 1)
        alone = _draw(entry, logits[part], [_seeded(member)])
        _demand(torch.equal(alone.sample, pack.sample[part]), "a member draws another sample alone")
        close = torch.allclose(_estimate(alone, grad[part]), whole[part], rtol=1e-4, atol=1e-5)
        _demand(close, "a member has another gradient alone")


def _draw(entry: Estimator, logits: torch.Tensor, generators: list[torch.Generator]) -> Draw | ObjectiveDraw:
    values: Mapping[str, Any] = {one.name: one.number(one.default) for one in entry.hyperparameters}
    return entry.draw(logits, generator=generators, **values)


def _estimate(draw: Draw | ObjectiveDraw, grad: torch.Tensor) -> torch.Tensor:
    if isinstance(draw, ObjectiveDraw):
        return draw.rule(lambda samples: (samples * grad).sum((-1, -2)), None).gradient
    return draw.rule(grad)


def _takes_an_empty_batch(entry: Estimator) -> None:
    logits = _logits(entry, 0)
    result = _call(entry, logits)
    _demand(result.gradient.shape == logits.shape, f"gradient {tuple(result.gradient.shape)}")


def _keeps_off_masked_categories(entry: Estimator) -> None:
    logits = _logits(entry, 200)
    logits[..., 1] = -torch.inf
    result = _call(entry, logits)
    if result.sample is not None:
        _demand(bool((result.sample[..., 1] == 0).all()), "a category with a logit of -inf is drawn")
    _demand(bool(result.gradient.isfinite().all()), "the gradient is not finite beside a logit of -inf")
    _demand(bool(result.value.isfinite().all()), "the estimate of E[f] is not finite beside a logit of -inf")


def _takes_extreme_logits(entry: Estimator) -> None:
    for scale in (1e3, 1e4):
        result = _call(entry, _logits(entry, scale=scale))
        finite = result.gradient.isfinite().all() and result.value.isfinite().all()
        _demand(bool(finite), f"not finite at logits of about {scale:g}")


def _marks_what_has_no_distribution(entry: Estimator) -> None:
    logits = _logits(entry)
    logits[0, 0, 0] = torch.nan
    result = _call(entry, logits)
    _demand(bool(result.value[0].isnan()), "NaN logits give a finite loss, so that nobody notices")
    _demand(bool(result.value[1:].isfinite().all()), "NaN logits of one element spoil others")


def _leaves_its_arguments(entry: Estimator) -> None:
    logits = _logits(entry)
    before = logits.clone()
    _draw(entry, logits.unsqueeze(0), [_seeded(0)])
    _demand(torch.equal(before, logits), "it changes the logits that it is given")


def _refuses_bad_arguments(entry: Estimator) -> None:
    bad = [{"logits": torch.zeros(3)}, {"logits": torch.zeros(3, 4, dtype=torch.int64)}]
    for one in bad:
        _demand_error(
            entry, one["logits"], f"logits of shape {tuple(one['logits'].shape)} and {one['logits'].dtype}"
        )
    for rule in entry.hyperparameters:
        _demand_error(entry, _logits(entry), f"{rule.name} nan", **{rule.name: float("nan")})
        if rule.minimum is not None:
            _demand_error(
                entry, _logits(entry), f"{rule.name} {rule.minimum - 1:g}", **{rule.name: rule.minimum - 1}
            )


def _demand_error(entry: Estimator, logits: torch.Tensor, what: str, **values: Any) -> None:
    function = cast("Callable[..., Any]", entry.function)
    arguments = [lambda samples: samples.sum((-1, -2))] if entry.needs_objective else []
    try:
        function(logits, *arguments, generator=_seeded(0), **values)
    except ValueError:
        return
    raise BrokenError(f"no ValueError at {what}")


CONTRACT: Mapping[str, Check] = {
    "shape and dtype, float16 to float64": _has_shape_and_dtype,
    "the sample is a distribution over categories": _is_distribution,
    "a seed decides the result": _is_deterministic,
    "the global generator is left alone": _leaves_the_global_generator,
    "a member is the same alone and in a pack": _is_the_same_in_a_pack,
    "empty batches": _takes_an_empty_batch,
    "masked categories (logits of -inf)": _keeps_off_masked_categories,
    "extreme logits": _takes_extreme_logits,
    "NaN logits are not hidden": _marks_what_has_no_distribution,
    "arguments are left alone": _leaves_its_arguments,
    "bad arguments are errors": _refuses_bad_arguments,
}
"""Every check by its rule."""
