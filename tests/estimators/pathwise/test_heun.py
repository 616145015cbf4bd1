"""heun_logits: softmax(θ_D) = (π + D) / 2, finite where π underflows."""

import pytest
import torch

from estimators.pathwise.heun import heun_logits
from tests.estimators.oracles import normal, states, theta_d


def every_sample(categorical_dim, dtype=torch.float64):
    return states(1, categorical_dim)[:, 0].to(dtype)


def naive(logits, sample):
    """As the papers print it, and as their code computes it."""
    return torch.log((torch.softmax(logits, -1) + sample) / 2)


def check_finite_and_accurate(heun, logits, sample):
    """float32 against the literal float64 form, to the last bits of the logits' range."""
    result = heun(logits, sample)
    assert result.isfinite().all(), f"θ_D is not finite: {result.tolist()}"
    tolerance = 4 * torch.finfo(logits.dtype).eps * (1 + logits.abs().max().item())
    expected = theta_d(logits.double(), sample.double())
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("categorical_dim", [1, 2, 4, 10])
def test_softmax_of_heun_logits_is_midpoint(categorical_dim):
    logits, sample = normal(categorical_dim, seed=1, scale=2), every_sample(categorical_dim)
    heun = heun_logits(logits.expand(sample.shape), sample)
    midpoint = (torch.softmax(logits, -1) + sample) / 2
    torch.testing.assert_close(torch.softmax(heun, -1), midpoint, rtol=0, atol=1e-14)
    torch.testing.assert_close(heun.exp(), midpoint, rtol=0, atol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 20.0, 80.0])
def test_float32_is_finite_and_accurate_for_every_sample(scale):
    logits = (scale * (2 * torch.rand(200, 1, 5, generator=torch.Generator().manual_seed(1)) - 1)).float()
    logits[0, 0] = scale * torch.tensor([1.0, -1.0, -1.0, -1.0, -1.0])
    for sample in every_sample(5, torch.float32):
        check_finite_and_accurate(heun_logits, logits, sample.expand(logits.shape))


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(naive, id="logarithm of a rounded probability"),
        pytest.param(lambda x, d: naive(x, d).clamp(min=-100), id="clamped"),
        pytest.param(lambda x, d: torch.log_softmax(torch.log_softmax(x, -1) + d, -1), id="adds D to log π"),
        pytest.param(
            lambda x, d: torch.where(d > 0, x.softmax(-1).log1p(), x.log_softmax(-1)), id="no log 2"
        ),
    ],
)
def test_check_rejects(planted):
    logits = torch.tensor([[80.0, -80.0, 79.0]])
    with pytest.raises(AssertionError):
        check_finite_and_accurate(planted, logits, torch.tensor([[1.0, 0.0, 0.0]]))


def test_broadcasts_over_leading_shape_and_keeps_dtype():
    for dtype in (torch.float32, torch.float64):
        logits = normal(2, 3, 4, seed=3, dtype=dtype)
        sample = every_sample(4, dtype)[:3].expand(2, 3, 4)
        heun = heun_logits(logits, sample)
        assert heun.dtype == dtype
        for p in range(2):
            torch.testing.assert_close(heun[p], heun_logits(logits[p], sample[p]))
