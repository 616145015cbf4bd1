"""bfloat16 and float16 logits: noise and sums in float32, results in the logits' dtype."""

import pytest
import torch

from tests.estimators.oracles import Hyperparameters, normal, one_hot
from tests.estimators.registry_table import estimate_of, every, every_with_objective, output_of, sample_of
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_frequencies

narrow = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
H = Hyperparameters(temperature=0.7, eta=0.8, num_mc_samples=5, num_samples=3)


def check_many_categories(function, dtype):
    """A hundred alike: noise of eight bits falls into 256 bins, and gives some two of them, others three."""
    sample = function(torch.zeros(30_000, 1, 100, dtype=dtype), seeded(1))
    check_frequencies(sample.float().argmax(-1)[:, 0], torch.ones(100))


@every
@narrow
def test_draws_have_the_softmax_probabilities(estimator, dtype):
    check_many_categories(lambda logits, generator: sample_of(estimator, logits, generator, H), dtype)


def _noise_of_the_logits_dtype(logits, generator):
    threshold = torch.rand(logits.shape[:-1], dtype=logits.dtype, generator=generator)
    index = (torch.softmax(logits.float(), -1).cumsum(-1) <= threshold.unsqueeze(-1).float()).sum(-1)
    return one_hot(index.clamp(max=99), logits)


def _gumbels_of_the_logits_dtype(logits, generator):
    uniform = torch.rand(logits.shape, dtype=logits.dtype, generator=generator).clamp(min=1e-3)
    return one_hot((logits - torch.log(-torch.log(uniform))).argmax(-1), logits)


@pytest.mark.parametrize("planted", [_noise_of_the_logits_dtype, _gumbels_of_the_logits_dtype])
def test_draw_check_rejects_narrow_noise(planted):
    with pytest.raises(AssertionError, match="frequencies differ"):
        check_many_categories(planted, torch.bfloat16)


@every
@narrow
def test_gradient_is_float32_s_rounded(estimator, dtype):
    """From the same noise; f sees samples of the logits' dtype, which rounds relaxed ones."""
    weight = normal(3, 4, seed=2, dtype=torch.float32)
    gradients = []
    for logits in (normal(20, 3, 4, seed=1).to(dtype), normal(20, 3, 4, seed=1).to(dtype).float()):
        leaf = logits.requires_grad_()
        output_of(
            estimator, leaf, lambda x: (x.float() * weight).sum((-1, -2)), seeded(3), H
        ).sum().backward()
        assert leaf.grad.dtype == leaf.dtype
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0].float(), gradients[1], rtol=0.02, atol=0.03)


@every_with_objective
@narrow
def test_losses_are_averaged_in_float32(estimator, dtype):
    """A mean of numbers near 300 has no more than two bits behind the point in bfloat16."""
    logits = normal(20, 3, 4, seed=1).to(dtype)
    seen = []

    def f(x):
        seen.append(x.dtype)
        return (x * torch.arange(4, dtype=dtype)).sum((-1, -2)) + 300

    estimate = estimate_of(estimator, logits, f, seeded(3), H)
    assert set(seen) == {dtype}
    assert estimate.value.dtype == torch.float32
    assert estimate.value.unique().numel() > 4
