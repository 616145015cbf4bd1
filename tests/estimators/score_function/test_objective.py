"""The interface of the score-function family: what every one does with f, its value and its surrogate."""

import itertools
import math

import numpy as np
import pytest
import torch

from estimators.score_function.objective import chunks
from tests.estimators.objectives import mlp
from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import (
    FEW,
    dtypes,
    estimate_of,
    every_with,
    every_with_objective,
    with_slope,
)
from tests.estimators.rule_table import seeded
from tests.estimators.score_function.cases import f

L, C, N = 3, 4, 3
H = Hyperparameters(temperature=0.7, eta=0.8, num_samples=N)
EVALUATIONS = {
    "reinforce": (N,),
    "rloo": (N,),
    "rebar": (N, 2 * N),
    "indecater": (L * C * N,),
    "indecater_per_variable": (L * C * N,),
    "scater": (L * C * N,),
    "exact": (C**L,),
}
"""How many samples each call of f has; REBAR's relaxed ones, with a gradient, are a call of their own."""
every_counted = every_with(lambda e: e.name in EVALUATIONS)
every_blind_to_gradients = every_with(lambda e: e.needs_objective and not e.relaxes_samples)
# SCateR's function draws no sample but those that f is called with; what training decodes is one more.
every_that_draws_alike = every_with(lambda e: e.needs_objective and e.name != "scater")


class Recorder:
    """An f that keeps what it is called with."""

    def __init__(self, objective=f):
        self.calls = []
        self._objective = objective

    def __call__(self, x):
        self.calls.append(x.detach())
        return self._objective(x)


def gradient_of(estimator, logits, objective=f, h=H, **options):
    leaf = logits.detach().clone().requires_grad_()
    estimate_of(estimator, leaf, objective, seeded(3), h, **options).surrogate.sum().backward()
    return leaf.grad


@every_with_objective
@dtypes
@pytest.mark.parametrize("shape", [(L, C), (5, L, C), (2, 5, L, C)], ids=str)
def test_f_is_called_with_samples_along_a_first_axis(estimator, dtype, shape):
    recorder = Recorder(lambda x: x.square().sum((-1, -2)))
    estimate_of(estimator, normal(*shape, seed=1, dtype=dtype), recorder, seeded(1), H)
    assert {called.shape[1:] for called in recorder.calls} == {shape}
    assert {called.dtype for called in recorder.calls} == {dtype}


@every_counted
def test_f_is_evaluated_as_often_as_the_documentation_says(estimator):
    recorder = Recorder()
    estimate_of(estimator, normal(5, L, C, seed=1), recorder, seeded(1), H)
    assert tuple(len(called) for called in recorder.calls) == EVALUATIONS[estimator.name]


@every_with(lambda e: e.relaxes_samples)
def test_f_meets_relaxed_samples_where_that_is_said(estimator):
    recorder = Recorder()
    estimate_of(estimator, normal(5, L, C, seed=1), recorder, seeded(1), H)
    assert any(called.unique().numel() > 2 for called in recorder.calls)


@every_blind_to_gradients
def test_f_meets_one_hot_samples_alone(estimator):
    recorder = Recorder()
    estimate_of(estimator, normal(5, L, C, seed=1), recorder, seeded(1), H)
    (called,) = recorder.calls
    assert torch.equal(called.sort(-1).values, torch.eye(C)[-1].double().expand(called.shape))


@every_with_objective
@pytest.mark.parametrize("chunk_size", [1, 4, 5, 1000])
def test_chunks_are_as_few_as_their_size_allows(estimator, chunk_size):
    logits, recorder, whole = normal(2, L, C, seed=1), Recorder(), Recorder()
    estimate_of(estimator, logits, recorder, seeded(1), H, chunk_size=chunk_size)
    estimate_of(estimator, logits, whole, seeded(1), H)
    sizes = [len(called) for called in recorder.calls]
    assert len(sizes) == sum(-(-len(called) // chunk_size) for called in whole.calls)
    assert max(sizes) <= chunk_size
    assert torch.equal(torch.cat(recorder.calls), torch.cat(whole.calls))


@every_with_objective
@pytest.mark.parametrize("chunk_size", [1, 5])
def test_chunk_size_changes_nothing_but_rounding(estimator, chunk_size):
    logits = normal(2, 5, L, C, seed=1)
    expected = gradient_of(estimator, logits)
    chunked = gradient_of(estimator, logits, chunk_size=chunk_size)
    torch.testing.assert_close(chunked, expected, rtol=0, atol=1e-13)


def test_chunks_cover_every_state_once():
    for count, size in itertools.product((1, 7, 12), (None, 1, 3, 12, 50)):
        covered = [index for start, stop in chunks(count, size) for index in range(start, stop)]
        assert covered == list(range(count))


@every_with_objective
@pytest.mark.parametrize("chunk_size", [0, -1, 2.0, True])
def test_bad_chunk_size_is_refused(estimator, chunk_size):
    with pytest.raises(ValueError, match=rf"chunk_size must be an integer >= 1 or None, got {chunk_size}"):
        estimate_of(estimator, normal(L, C, seed=1), f, seeded(1), H, chunk_size=chunk_size)


@every_with_objective
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x: f(x).mean(), id="mean over everything"),
        pytest.param(lambda x: f(x).mean(0), id="mean over samples"),
        pytest.param(lambda x: f(x).unsqueeze(-1), id="one axis too many"),
        pytest.param(lambda x: f(x)[:1], id="would broadcast"),
        pytest.param(lambda x: x.argmax(-1).sum(-1), id="integers"),
        pytest.param(lambda x: f(x).detach().numpy(), id="numpy"),
        pytest.param(lambda x: f(x).tolist(), id="list"),
        pytest.param(lambda x: (f(x),), id="tuple"),
        pytest.param(lambda x: 1.0, id="number"),
        pytest.param(lambda x: None, id="nothing"),
    ],
)
def test_f_that_does_not_return_one_loss_a_sample_is_refused(estimator, wrong):
    with pytest.raises(ValueError, match=r"f must map samples of shape .* to floating losses .*, got \w"):
        estimate_of(estimator, normal(5, L, C, seed=1), wrong, seeded(1), H)


@every_with_objective
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_what_cannot_be_called_is_refused_as_f(estimator, dtype):
    with pytest.raises(ValueError, match="f must be a function of samples, got Tensor"):
        estimate_of(estimator, normal(5, L, C, seed=1, dtype=dtype), torch.ones(5), seeded(1), H)


def doubled(x):
    return torch.cat((3 * torch.ones_like(x[..., :1]), 2 * x[..., 1:]), -1)


def doubled_in_place(x):
    x.mul_(2)
    x[..., 0] = 3
    return x


@every_with_objective
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_f_may_work_in_place(estimator, chunk_size):
    results = []
    for change in (doubled, doubled_in_place):
        logits = normal(5, L, C, seed=1).requires_grad_()
        changed = lambda x, change=change: f(change(x))  # noqa: E731
        estimate = estimate_of(estimator, logits, changed, seeded(1), H, chunk_size=chunk_size)
        estimate.surrogate.sum().backward()
        results.append((estimate.value, logits.grad))
    for expected, in_place in zip(*results, strict=True):
        assert torch.equal(in_place, expected)


@every_with_objective
@pytest.mark.parametrize("shape", [(0, L, C), (0, 5, L, C), (5, 0, L, C)], ids=str)
def test_empty_batch_has_an_empty_estimate(estimator, shape):
    logits = torch.zeros(shape, requires_grad=True)
    generators = [seeded(p) for p in range(shape[0])]
    estimate = estimate_of(estimator, logits, with_slope(torch.ones(L, C)), generators, H)
    estimate.surrogate.sum().backward()
    assert estimate.value.shape == estimate.surrogate.shape == shape[:-2]
    assert logits.grad.shape == shape


@every_with_objective
@pytest.mark.parametrize("row", [[math.nan] * C, [math.inf, 0.0, 0.0, 0.0], [-math.inf] * C], ids=str)
def test_estimate_is_nan_where_a_variable_has_no_distribution(estimator, row):
    logits = normal(5, L, C, seed=1)
    logits[2, 1] = torch.tensor(row)
    logits.requires_grad_()
    estimate = estimate_of(estimator, logits, with_slope(torch.ones(L, C)), seeded(1), H)
    estimate.surrogate.sum().backward()
    is_undefined = torch.arange(5) == 2
    for number in (estimate.value, estimate.surrogate, logits.grad.sum((-1, -2))):
        assert torch.equal(number.isnan(), is_undefined)


@every_with_objective
def test_logits_without_a_variable_are_refused(estimator):
    with pytest.raises(ValueError, match=r"logits must have at least one variable, got shape \(5, 0, 4\)"):
        estimate_of(estimator, torch.zeros(5, 0, C), f, seeded(1), H)


@every_with_objective
def test_a_chunk_size_may_be_a_number_of_numpy(estimator):
    values = [
        estimate_of(estimator, normal(5, L, C, seed=1), f, seeded(1), H, chunk_size=size).value
        for size in (2, np.int64(2))
    ]
    assert torch.equal(*values)


@every_with_objective
@dtypes
def test_surrogate_equals_value_and_f_is_not_differentiated_through_it(estimator, dtype):
    weight = normal(L, C, seed=2, dtype=dtype).requires_grad_()
    logits = normal(5, L, C, seed=1, dtype=dtype).requires_grad_()
    estimate = estimate_of(estimator, logits, with_slope(weight), seeded(1), H)
    assert estimate.value.shape == estimate.surrogate.shape == (5,)
    assert estimate.value.dtype == estimate.surrogate.dtype == dtype
    assert torch.equal(estimate.value, estimate.surrogate)
    estimate.surrogate.sum().backward()
    assert weight.grad is None
    assert logits.grad.abs().max() > 0


@every_with_objective
def test_value_leads_to_parameters_of_f_and_not_to_logits(estimator):
    weight, logits = normal(L, C, seed=2).requires_grad_(), normal(5, L, C, seed=1).requires_grad_()
    value = estimate_of(estimator, logits, with_slope(weight), seeded(1), H).value
    value.sum().backward()
    assert logits.grad is None
    # f is linear in its weight, so that its gradient gives the value back.
    torch.testing.assert_close((weight.grad * weight).sum(), value.sum())


@every_blind_to_gradients
def test_f_may_keep_no_graph(estimator):
    weight, logits = normal(L, C, seed=2).requires_grad_(), normal(5, L, C, seed=1)
    estimate = estimate_of(estimator, logits, torch.no_grad()(with_slope(weight)), seeded(1), H)
    assert not estimate.value.requires_grad
    expected = gradient_of(estimator, logits, with_slope(weight))
    assert torch.equal(gradient_of(estimator, logits, torch.no_grad()(with_slope(weight))), expected)


@every_with_objective
def test_a_function_of_the_expectation_may_be_differentiated(estimator):
    """As the loss -log p̂ of a probability that is estimated."""
    logits = normal(5, L, C, seed=1)
    leaf = logits.clone().requires_grad_()
    estimate = estimate_of(estimator, leaf, lambda x: mlp(x) + 9, seeded(3), H)
    (-estimate.surrogate.log()).sum().backward()
    expected = -gradient_of(estimator, logits, lambda x: mlp(x) + 9) / estimate.value[:, None, None]
    torch.testing.assert_close(leaf.grad, expected)


@every_with_objective
def test_gradient_is_there_where_the_caller_has_none(estimator):
    """The estimate is made under no_grad too; there is then no surrogate to differentiate."""
    logits = normal(5, L, C, seed=1).requires_grad_()
    with torch.no_grad():
        estimate = estimate_of(estimator, logits, f, seeded(3), FEW)
    assert not estimate.surrogate.requires_grad
    assert torch.equal(estimate.value, estimate_of(estimator, logits, f, seeded(3), FEW).value)


@every_that_draws_alike
def test_rule_of_the_draw_gives_the_surrogate_s_gradient(estimator):
    """Training calls the draw, a user the function: both from the same noise."""
    logits = normal(2, 5, L, C, seed=1)
    drawn = estimator.draw(logits, **H.select(estimator.hyperparameters), generator=seeded(3))
    result = drawn.rule(f, None)
    assert drawn.sample.shape == logits.shape
    assert not result.gradient.requires_grad
    assert torch.equal(result.gradient, gradient_of(estimator, logits))
