"""Moments of gradient estimates and what is made of them, against enumeration and against plain loops."""

import math

import numpy as np
import pytest
import torch

from estimators.diagnostics import (
    GradientMoments,
    exact_gradient,
    gradient_cosine,
    gradient_cosine_batch,
    gradient_moments,
    gradient_relative_std,
    gradient_std,
    gradient_variance,
)
from tests.estimators import oracles
from tests.estimators.objectives import cubic, mlp, quadratic
from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import FEW, every, hyperparameter_names, output_of
from tests.estimators.rule_table import seeded
from tests.estimators.sums_over_states import check_equal_sums_over_states
from tests.rounding import rounding

OFFSET = 1e8
"""So large beside the spread of one that naive sums of squares lose the spread."""


def check_moments(moments_of):
    draws = OFFSET + normal(1000, 2, 3, seed=1)
    mean, variance = moments_of(draws)
    expected = draws.numpy()
    of_a_mean = rounding(2 * len(draws), OFFSET, draws.dtype)
    np.testing.assert_allclose(mean, expected.mean(0), rtol=0, atol=of_a_mean)
    # Of squares of deviations from a mean that is off by as much.
    of_a_square = 2 * of_a_mean * draws.std(0).max().item()
    np.testing.assert_allclose(variance, expected.var(0), rtol=0, atol=of_a_square)


def in_chunks(draws):
    parts = [GradientMoments.of(part) for part in draws.split([1, 499, 7, 493])]
    total = parts[0]
    for part in parts[1:]:
        total = total.joined(part)
    assert total.count == len(draws)
    return total.mean, total.variance


def test_moments_of_chunks_are_those_of_all_draws():
    check_moments(in_chunks)


def test_check_rejects_naive_sums_of_squares():
    with pytest.raises(AssertionError):
        check_moments(lambda draws: (draws.mean(0), draws.square().mean(0) - draws.mean(0).square()))


def enumerated_powers(name, f, logits):
    """E[g], E[g²] and E[g⁴] of an estimate g that depends on D alone, coordinate by coordinate."""

    def power(order):
        def rule(d, g):
            return oracles.apply(oracles.RULES[name](d, None, Hyperparameters()), g) ** order

        return oracles.expected_estimate(rule, f, logits)

    return power(1), power(2), power(4)


def check_is_that_of_enumeration(moments, name, f, logits):
    """z-tests of the mean and of the mean square, at five standard errors."""
    first, second, fourth = enumerated_powers(name, f, logits)
    count = moments.count
    mean_error = ((second - first**2) / count).clamp(min=0).sqrt()
    assert ((moments.mean - first).abs() <= 5 * mean_error + 1e-10).all()
    mean_square = moments.variance + moments.mean**2
    square_error = ((fourth - second**2) / count).clamp(min=0).sqrt()
    assert ((mean_square - second).abs() <= 5 * square_error + 1e-10).all()


LOGITS = normal(2, 3, seed=2)


@pytest.mark.parametrize("f", [quadratic, cubic, mlp])
@pytest.mark.parametrize("name", ["st", "reinmax"])
def test_moments_are_those_of_enumeration(name, f):
    moments = gradient_moments(name, LOGITS, f, num_draws=20_000, generator=seeded(0), chunk_size=3_000)
    assert moments.count == 20_000
    check_is_that_of_enumeration(moments, name, f, LOGITS)


@pytest.mark.parametrize(("name", "wrong"), [("st", "reinmax"), ("reinmax", "reinmax_argmax")])
def test_check_rejects_another_estimator(name, wrong):
    moments = gradient_moments(wrong, LOGITS, cubic, num_draws=20_000, generator=seeded(0))
    with pytest.raises(AssertionError):
        check_is_that_of_enumeration(moments, name, cubic, LOGITS)


@every
def test_one_draw_is_what_the_estimator_gives(estimator):
    """Of every estimator, with every hyperparameter away from its default."""
    logits, values = normal(5, 2, 4, seed=1), FEW.select(estimator.hyperparameters)
    if estimator.needs_objective:
        expected = estimator.draw(logits, **values, generator=seeded(7)).rule(mlp, None).gradient
    else:
        leaf = logits.clone().requires_grad_()
        (expected,) = torch.autograd.grad(output_of(estimator, leaf, mlp, seeded(7)).sum(), leaf)
    moments = gradient_moments(estimator, logits, mlp, num_draws=1, generator=seeded(7), **values)
    check_equal_sums_over_states(moments.mean, expected, mlp)
    assert moments.variance.abs().max() == 0


def check_chunks_are_draws_of_their_own(moments_of):
    """With one generator the draws of chunks are those of one call after the other: none comes twice."""
    generator = seeded(3)
    parts = [gradient_moments("st", LOGITS, mlp, num_draws=n, generator=generator) for n in (3, 3, 1)]
    expected = parts[0].joined(parts[1]).joined(parts[2])
    moments = moments_of(seeded(3))
    assert torch.equal(moments.mean, expected.mean)
    assert torch.equal(moments.variance, expected.variance)


def test_chunks_go_on_where_the_generator_is():
    check_chunks_are_draws_of_their_own(
        lambda generator: gradient_moments("st", LOGITS, mlp, num_draws=7, generator=generator, chunk_size=3)
    )


def test_check_rejects_chunks_that_repeat_their_noise():
    def repeated(generator):
        state = generator.get_state()
        sizes = (3, 3, 1)
        parts = [
            gradient_moments("st", LOGITS, mlp, num_draws=n, generator=generator.set_state(state))
            for n in sizes
        ]
        return parts[0].joined(parts[1]).joined(parts[2])

    with pytest.raises(AssertionError):
        check_chunks_are_draws_of_their_own(repeated)


@every
def test_a_member_alone_has_the_moments_that_it_has_in_a_pack(estimator):
    logits = normal(3, 4, 2, 4, seed=1)
    values = FEW.select(estimator.hyperparameters)
    options = {"num_draws": 7, "chunk_size": 3, **values}
    together = gradient_moments(estimator, logits, mlp, generator=[seeded(s) for s in range(3)], **options)
    alone = gradient_moments(estimator, logits[1:2], mlp, generator=[seeded(1)], **options)
    check_equal_sums_over_states(together.mean[1:2], alone.mean, mlp)


def test_a_temperature_of_each_data_point_is_not_taken_for_one_of_each_draw():
    logits, temperatures = normal(2, 2, 3, seed=1), (0.3, 2.0)
    several = torch.tensor(temperatures, dtype=torch.float64).view(2, 1, 1)
    options = {"num_draws": 2}
    together = gradient_moments(
        "stgs", logits, mlp, generator=[seeded(0), seeded(1)], temperature=several, **options
    )
    for row, temperature in enumerate(temperatures):
        one = logits[row : row + 1]
        alone = gradient_moments(
            "stgs", one, mlp, generator=[seeded(row)], temperature=temperature, **options
        )
        check_equal_sums_over_states(together.mean[row], alone.mean[0], mlp)


@every
def test_f_is_called_with_no_more_samples_than_asked_for(estimator):
    seen = []

    def f(samples):
        seen.append(len(samples))
        return mlp(samples)

    gradient_moments(estimator, LOGITS, f, num_draws=10, generator=seeded(0), chunk_size=4)
    assert max(seen) <= 4


@every
def test_f_may_work_in_place(estimator):
    values = {name: getattr(FEW, name) for name in hyperparameter_names(estimator)}

    def moments(f):
        options = {"num_draws": 4, "generator": seeded(1), "chunk_size": 3}
        return gradient_moments(estimator, normal(5, 3, 4, seed=1), f, **options, **values)

    assert torch.equal(moments(lambda x: mlp(x.mul_(2))).mean, moments(lambda x: mlp(x * 2)).mean)


def test_f_that_returns_no_tensor_is_refused():
    with pytest.raises(ValueError, match=r"f must map samples of shape .*, got ndarray"):
        exact_gradient(normal(2, 3, seed=1), lambda x: mlp(x).numpy())


def test_exact_gradient_is_that_of_enumeration():
    logits = normal(2, 3, seed=2)
    batch = torch.stack([logits, logits + 1, 2 * logits])
    expected = torch.stack([oracles.exact_gradient(cubic, one) for one in batch])
    found = exact_gradient(batch, cubic, chunk_size=4)
    check_equal_sums_over_states(found, expected, cubic)
    narrow = exact_gradient(batch.float(), lambda samples: cubic(samples.double()).float())
    assert narrow.dtype == torch.float64
    # Each loss is rounded to float32 once, and so are the logits, to half a unit of 4 and more.
    largest = cubic(oracles.states(2, 3)).abs().max().item()
    torch.testing.assert_close(narrow, expected, rtol=0, atol=rounding(1, 2 * largest * (1 + 4)))


# What is made of the moments, for a batch of three data points, once more as loops over numbers.

MEAN, EXACT, VARIANCE = normal(3, 2, 4, seed=5), normal(3, 2, 4, seed=6), normal(3, 2, 4, seed=7).square()
MOMENTS = GradientMoments(10, MEAN, 10 * VARIANCE)
ROUNDING = rounding(2 * 4 * MEAN.numel(), 1.0, torch.float64)
"""Relative, of quotients of norms: sums of squares, and products of signs that cancel by less than half."""


def norm(numbers):
    return math.sqrt(sum(number**2 for number in numbers))


def cosine(first, second):
    return sum(a * b for a, b in zip(first, second, strict=True)) / (norm(first) * norm(second))


def points(tensor):
    return [point.flatten().tolist() for point in tensor]


def average(numbers):
    return sum(numbers) / len(numbers)


LITERAL = {
    "cosine": average([cosine(a, b) for a, b in zip(points(MEAN), points(EXACT), strict=True)]),
    "cosine of the batch": cosine(MEAN.flatten().tolist(), EXACT.flatten().tolist()),
    "variance": average([norm(v) / norm(m) for v, m in zip(points(VARIANCE), points(MEAN), strict=True)]),
    "relative std": average(
        [norm(map(math.sqrt, v)) / norm(m) for v, m in zip(points(VARIANCE), points(MEAN), strict=True)]
    ),
    "std": average([norm(map(math.sqrt, v)) for v in points(VARIANCE)]),
}
FOUND = {
    "cosine": gradient_cosine(MEAN, EXACT),
    "cosine of the batch": gradient_cosine_batch(MEAN, EXACT),
    "variance": gradient_variance(MOMENTS),
    "relative std": gradient_relative_std(MOMENTS),
    "std": gradient_std(MOMENTS),
}


@pytest.mark.parametrize("measure", LITERAL)
def test_measure_is_what_it_says(measure):
    """The five differ here by far more than rounding, so that none can stand for another."""
    assert FOUND[measure].item() == pytest.approx(LITERAL[measure], rel=ROUNDING)
    others = [value for name, value in LITERAL.items() if name != measure]
    assert all(abs(value - LITERAL[measure]) > 1e-3 for value in others)


def test_measures_of_a_pack_are_those_of_each_member():
    def measures(mean, exact, moments):
        per_member = (gradient_cosine(mean, exact), gradient_cosine_batch(mean, exact))
        return torch.stack([*per_member, *(of(moments) for of in (gradient_variance, gradient_std))])

    scale = torch.tensor([1.0, -2.0]).view(-1, 1, 1, 1)
    pack = GradientMoments(10, MEAN * scale, 10 * (VARIANCE * scale.square()))
    found = measures(pack.mean, EXACT.expand(2, -1, -1, -1), pack)
    assert found.shape == (4, 2)
    expected = torch.tensor(
        [LITERAL["cosine"], LITERAL["cosine of the batch"], LITERAL["variance"], LITERAL["std"]],
        dtype=torch.float64,
    )
    torch.testing.assert_close(found[:, 0], expected, rtol=ROUNDING, atol=0)
    signs = torch.tensor([-1.0, -1.0, 2.0, 2.0])
    torch.testing.assert_close(found[:, 1], expected * signs, rtol=ROUNDING, atol=0)


def test_gradient_of_zero_gives_no_nan():
    nothing = torch.zeros(2, 1, 3, dtype=torch.float64)
    assert gradient_cosine(nothing, nothing + 1) == 0
    assert gradient_relative_std(GradientMoments(4, nothing, nothing)) == 0
    assert gradient_relative_std(GradientMoments(4, nothing, nothing + 1)) == math.inf


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": "reinmax_roa"}, "estimator must be a known id.*reinmax_rao"),
        ({"num_draws": 0}, "num_draws must be an integer >= 1, got 0"),
        ({"chunk_size": 0}, "chunk_size must be an integer >= 1 or None, got 0"),
        ({"eta": 1.0}, "hyperparameters of reinmax are temperature, got eta"),
        ({"temperature": 0.0}, "temperature must be > 0, got 0.0"),
        ({"logits": torch.zeros(3)}, r"logits must have shape \(..., L, C\)"),
        ({"f": lambda samples: samples.sum()}, "f must map samples of shape"),
    ],
)
def test_bad_argument_is_refused(changes, message):
    arguments = {"estimator": "reinmax", "logits": LOGITS, "f": mlp, "num_draws": 2} | changes
    with pytest.raises(ValueError, match=message):
        gradient_moments(**arguments)


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match="exact must have at most 1048576 states"):
        exact_gradient(normal(64, 8, seed=1), mlp)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_is_not_taken_for_one_without_spread(wrong):
    draws = normal(10, 2, 1, 3, seed=1)
    draws[3, 1, 0, 2] = wrong
    moments = GradientMoments.of(draws)
    for measure in (gradient_variance, gradient_relative_std, gradient_std):
        assert math.isnan(measure(moments))
    assert math.isnan(gradient_cosine(moments.mean, draws[0]))


def test_measures_of_narrow_tensors_are_taken_in_double_precision():
    tiny = torch.full((2, 1, 3), 1e-30)
    assert gradient_cosine(tiny, tiny).item() == pytest.approx(1, rel=ROUNDING)
    assert gradient_cosine_batch(tiny, tiny).item() == pytest.approx(1, rel=ROUNDING)


def test_an_estimate_that_never_varies_is_made_once():
    seen = []

    def f(samples):
        seen.append(len(samples))
        return mlp(samples)

    moments = gradient_moments("exact", LOGITS, f, num_draws=1000, chunk_size=4)
    assert sum(seen) == 9
    assert (moments.count, moments.variance.abs().max().item()) == (1000, 0.0)
    check_equal_sums_over_states(moments.mean, oracles.exact_gradient(mlp, LOGITS), mlp)


def test_several_generators_for_one_member_are_refused():
    with pytest.raises(ValueError, match="generator must be one generator for logits of shape"):
        gradient_moments("st", LOGITS, mlp, num_draws=2, generator=[seeded(0), seeded(1)])
