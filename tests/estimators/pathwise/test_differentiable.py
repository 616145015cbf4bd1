"""Samples of the pathwise family under torch.func, autocast, torch.compile and torch.export."""

import pytest
import torch

from estimators import Estimator
from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import (
    FEW,
    every_pathwise,
    every_with,
    gradient_of,
    sample_of,
    with_slope,
)
from tests.estimators.rule_table import seeded

H = Hyperparameters(temperature=0.5, eta=0.7, gap=0.8, beta=0.3, num_mc_samples=3)
"""β away from ½, where the estimate is not symmetric."""
different = {"randomness": "different"}
SLOPE = normal(3, 4, seed=2)


def quadratic(x):
    return (x * SLOPE).sum((-1, -2)).square()


def quadratic_of(estimator, generator):
    return lambda logits: quadratic(sample_of(estimator, logits, generator, H)).sum()


def autograd_of(estimator, logits, generator):
    leaf = logits.clone().requires_grad_()
    quadratic_of(estimator, generator)(leaf).backward()
    return leaf.grad


# torch.func.grad, vmap and jvp.


@every_pathwise
def test_func_grad_is_the_gradient_of_autograd(estimator):
    logits = normal(5, 3, 4, seed=1)
    gradient = torch.func.grad(quadratic_of(estimator, seeded(1)))(logits)
    assert torch.equal(gradient, autograd_of(estimator, logits, seeded(1)))


@every_pathwise
@pytest.mark.parametrize("axis", [0, 1])
def test_vmap_of_func_grad_is_the_gradient_of_the_batch(estimator, axis):
    logits = normal(5, 3, 4, seed=1)
    per_row = torch.vmap(torch.func.grad(quadratic_of(estimator, seeded(1))), in_dims=axis, **different)
    gradient = per_row(logits.movedim(0, axis).contiguous())
    torch.testing.assert_close(gradient, autograd_of(estimator, logits, seeded(1)), rtol=0, atol=1e-12)


@every_pathwise
def test_autograd_goes_through_a_vmap_within_a_vmap(estimator):
    leaf = normal(2, 5, 3, 4, seed=1).requires_grad_()
    inner = torch.vmap(lambda logits: sample_of(estimator, logits, generator, H), **different)
    generator = seeded(1)
    quadratic(torch.vmap(inner, **different)(leaf)).sum().backward()
    # The inner axis lies before the outer one, as the last to be added.
    expected = autograd_of(estimator, leaf.detach().movedim(0, 1).contiguous(), seeded(1))
    torch.testing.assert_close(leaf.grad, expected.movedim(1, 0), rtol=0, atol=1e-12)


@every_pathwise
def test_vmap_of_a_pack_keeps_each_member_s_generator(estimator):
    logits = normal(6, 2, 5, 3, 4, seed=1)
    generators = [seeded(1), seeded(2)]
    samples = torch.vmap(lambda one: sample_of(estimator, one, generators, H), **different)(logits)
    wide = logits.movedim(0, -3).contiguous()
    expected = sample_of(estimator, wide, [seeded(1), seeded(2)], H)
    assert torch.equal(samples, expected.movedim(-3, 0))


@every_pathwise
def test_vmap_of_variables_with_generators_of_their_own_is_refused(estimator):
    generators = [seeded(1), seeded(2), seeded(3)]
    with pytest.raises(ValueError, match=r"generator must be one generator .*vmap"):
        torch.vmap(lambda one: sample_of(estimator, one, generators, H), **different)(normal(3, 3, 4, seed=1))


def values_at(estimator: Estimator, value) -> dict:
    """The value for every hyperparameter that is a real number."""
    chosen = H.select(estimator.hyperparameters)
    return {own.name: chosen[own.name] if own.is_integer else value for own in estimator.hyperparameters}


@every_pathwise
@pytest.mark.parametrize("shape", [(6,), (6, 1, 1), (6, 2, 1, 1)], ids=str)
def test_vmap_over_hyperparameters_equals_a_batch_of_them(estimator, shape):
    values = 0.5 + torch.rand(shape, generator=seeded(3), dtype=torch.float64)
    logits, generator = normal(2, 3, 4, seed=1), seeded(1)

    def gradient(value):
        f = lambda one: quadratic(  # noqa: E731
            estimator.function(one, **values_at(estimator, value), generator=generator)
        ).sum()
        return torch.func.grad(f)(logits)

    gradients = torch.vmap(gradient, **different)(values)
    leaf = logits.unsqueeze(1).repeat(1, 6, 1, 1).requires_grad_()
    wide = values.view(6, -1, 1, 1).movedim(0, 1)
    sample = estimator.function(leaf, **values_at(estimator, wide), generator=seeded(1))
    quadratic(sample).sum().backward()
    torch.testing.assert_close(gradients, leaf.grad.movedim(1, 0), rtol=0, atol=1e-13)


@every_pathwise
def test_vmap_draws_as_its_randomness_says_where_nothing_is_mapped_over(estimator):
    def draws(randomness):
        one = lambda _: sample_of(estimator, normal(20, 3, 4, seed=1), generator, H)  # noqa: E731
        return torch.vmap(one, randomness=randomness)(torch.arange(2))

    generator = seeded(1)
    assert not torch.equal(*draws("different"))
    assert torch.equal(*draws("same"))
    with pytest.raises(RuntimeError, match="randomness"):
        draws("error")


@every_pathwise
@pytest.mark.parametrize("randomness", ["same", "error"])
def test_vmap_over_logits_that_are_to_draw_alike_is_refused(estimator, randomness):
    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(lambda one: sample_of(estimator, one, seeded(1), H), randomness=randomness)(
            normal(5, 3, 4, seed=1)
        )


@every_pathwise
def test_jvp_is_the_transpose_of_the_gradient(estimator):
    logits, tangent, grad_sample = (normal(5, 3, 4, seed=seed) for seed in (1, 2, 3))
    generator = seeded(1)
    sample, pushed = torch.func.jvp(
        lambda one: sample_of(estimator, one, generator, H), (logits,), (tangent,)
    )
    assert torch.equal(sample, sample_of(estimator, logits, seeded(1), H))
    gradient = gradient_of(estimator, logits, grad_sample, seeded(1), H)
    torch.testing.assert_close((pushed * grad_sample).sum(), (tangent * gradient).sum(), rtol=0, atol=1e-12)


@every_with(lambda e: not e.needs_objective and not e.uses_monte_carlo)
@pytest.mark.parametrize("jacobian", [torch.func.jacrev, torch.func.jacfwd])
def test_jacobian_is_the_matrix_of_the_gradient(estimator, jacobian):
    """Of one draw, whose noise the backward pass does not add to."""
    logits, grad_sample, generator = normal(3, 4, seed=1), normal(3, 4, seed=2), seeded(1)
    options = {"randomness": "same"} if jacobian is torch.func.jacfwd else {}
    matrix = jacobian(lambda one: sample_of(estimator, one, generator, H), **options)(logits)
    gradient = gradient_of(estimator, logits, grad_sample, seeded(1), H)
    torch.testing.assert_close(torch.einsum("lc,lckd->kd", grad_sample, matrix), gradient, rtol=0, atol=1e-12)


# What is refused.


def _twice(f, logits):
    leaf = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(leaf), leaf, create_graph=True)
    (gradient.sum() + leaf.sum()).backward()


SECOND_DERIVATIVES = {
    "autograd": _twice,
    "hessian": lambda f, logits: torch.func.jacfwd(torch.func.jacrev(f), randomness="same")(logits),
    "jvp of grad": lambda f, logits: torch.func.jvp(torch.func.grad(f), (logits,), (logits,)),
    "grad of jvp": lambda f, logits: torch.func.grad(
        lambda one: torch.func.jvp(f, (one,), (torch.ones_like(one),))[1]
    )(logits),
}


@every_pathwise
@pytest.mark.parametrize("derivative", SECOND_DERIVATIVES.values(), ids=SECOND_DERIVATIVES)
def test_second_derivative_is_refused(estimator, derivative):
    """Of a linear f too, whose own second derivative is zero."""
    for f in (with_slope(SLOPE), quadratic):
        with pytest.raises(RuntimeError, match="no derivative of its own"):
            derivative(lambda one: f(sample_of(estimator, one, seeded(1), H)).sum(), normal(2, 3, 4, seed=1))  # noqa: B023


@every_pathwise
@pytest.mark.parametrize("derivative", ["grad", "jvp"])
def test_derivative_by_a_hyperparameter_is_refused(estimator, derivative):
    one = torch.tensor(0.5, dtype=torch.float64)

    def f(value):
        return estimator.function(normal(2, 3, 4, seed=1), **values_at(estimator, value)).sum()

    with pytest.raises(ValueError, match="gradient"):
        torch.func.grad(f)(one) if derivative == "grad" else torch.func.jvp(f, (one,), (one,))


# Autocast, torch.compile and torch.export.


@every_pathwise
def test_autocast_does_not_round_the_estimate(estimator):
    logits, grad_sample = (normal(5, 3, 4, seed=seed, dtype=torch.float32) for seed in (1, 2))
    expected = gradient_of(estimator, logits, grad_sample, seeded(1))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(gradient_of(estimator, logits, grad_sample, seeded(1)), expected)


@every_with(lambda e: e.uses_monte_carlo)
def test_runs_between_the_parts_that_are_compiled(estimator):
    logits = normal(5, 3, 4, seed=1)
    compiled = torch.compile(lambda one: quadratic_of(estimator, generator)(2 * one), backend="eager")
    leaf, generator = logits.clone().requires_grad_(), seeded(1)
    compiled(leaf).backward()
    torch.testing.assert_close(leaf.grad, 2 * autograd_of(estimator, 2 * logits, seeded(1)))


@every_pathwise
def test_one_graph_of_all_is_refused_with_what_to_do_instead(estimator):
    compiled = torch.compile(lambda one: 2 * estimator.function(one), backend="eager", fullgraph=True)
    with pytest.raises(RuntimeError, match=r"without fullgraph=True estimators run .*docs/estimators\.md"):
        compiled(normal(5, 3, 4, seed=1))


@every_pathwise
def test_export_leaves_nothing_behind(estimator):
    """Nothing of the fake tensors that torch.export traces with."""

    class Exported(torch.nn.Module):
        def forward(self, logits):
            return estimator.function(logits, **FEW.select(estimator.hyperparameters))

    logits = normal(5, 3, 13, seed=1)  # of a number of categories that no other test has
    exported = torch.export.export(Exported(), (logits,)).module()
    torch.manual_seed(1)
    sample = exported(logits)
    assert torch.equal(sample, sample_of(estimator, logits, seeded(1)))
    torch.testing.assert_close(sample.sum(-1), torch.ones(5, 3, dtype=torch.float64))
