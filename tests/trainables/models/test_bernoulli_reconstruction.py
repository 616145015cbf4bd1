from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from estimators.score_function.indecater import draw_indecater, summed_out
from estimators.score_function.substitution import means_per_category
from trainables.models.bernoulli_reconstruction import BernoulliReconstruction, LearntReconstruction
from trainables.models.network_sizes import num_parameters
from trainables.models.networks import PackedMLP

LATENT_DIM, NUM_PIXELS = 3, 48
WIDTHS = (LATENT_DIM, 16, 32, NUM_PIXELS)
SEEDS = (3, 7)
BATCH_SIZE = 5


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _decoder() -> PackedMLP:
    """Return a pack in float64, so that comparisons need no allowance for rounding."""
    parameters = torch.zeros(len(SEEDS), num_parameters(WIDTHS), dtype=torch.float64)
    decoder = PackedMLP(WIDTHS, parameters, torch.full_like(parameters, torch.nan))
    decoder.initialize([_generator(seed) for seed in SEEDS])
    parameters.mul_(3)  # so that flips matter
    return decoder


def _grey_levels() -> torch.Tensor:
    shape = (len(SEEDS), BATCH_SIZE, NUM_PIXELS)
    return torch.rand(shape, generator=_generator(1), dtype=torch.float64)


def _categories(num_samples: int) -> torch.Tensor:
    shape = (num_samples, len(SEEDS), BATCH_SIZE, LATENT_DIM)
    return torch.randint(2, shape, generator=_generator(2))


def _plain_losses(weights: list[torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    """Each loss by ordinary layers, for values (S, P, B, L)."""
    losses = torch.zeros(values.shape[:3], dtype=torch.float64)
    for member in range(len(SEEDS)):
        hidden = values[:, member].double()
        for index, weight in enumerate(weights):
            hidden = torch.relu(hidden) if index else hidden
            hidden = hidden @ weight[member, :-1] + weight[member, -1]
        grey = _grey_levels()[member].expand(hidden.shape)
        nll = functional.binary_cross_entropy_with_logits(hidden, grey, reduction="none")
        losses[:, member] = nll.sum(-1)
    return losses


def _plain_changes(decoder: PackedMLP, categories: torch.Tensor) -> torch.Tensor:
    """Evaluate every change from scratch."""
    changes = torch.zeros(*categories.shape, 2, dtype=torch.float64)
    for d, v in itertools.product(range(LATENT_DIM), range(2)):
        changed = categories.clone()
        changed[..., d] = v
        changes[..., d, v] = _plain_losses(decoder.weights, changed)
    return changes


def check_single_changes(kind: type[BernoulliReconstruction], num_samples: int, rows: int) -> None:
    decoder, categories = _decoder(), _categories(num_samples)
    f = kind(decoder, _grey_levels())
    f._rows = rows
    before = categories.clone()
    expected = _plain_changes(decoder, categories)
    torch.testing.assert_close(f.single_changes(categories), expected, rtol=1e-12, atol=0)
    assert torch.equal(categories, before)


@pytest.mark.parametrize("rows", [1, 7, 12, 1000])
@pytest.mark.parametrize("num_samples", [1, 2, 3])
@pytest.mark.parametrize("kind", [BernoulliReconstruction, LearntReconstruction])
def test_single_changes_are_those_evaluated_from_scratch(
    kind: type[BernoulliReconstruction], num_samples: int, rows: int
) -> None:
    check_single_changes(kind, num_samples, rows)


class _OtherSign(BernoulliReconstruction):
    """Planted: adds a column where it is to be taken away, and the other way round."""

    @staticmethod
    def _directions(values: torch.Tensor) -> torch.Tensor:
        return 2 * values - 1


class _AlwaysAdded(BernoulliReconstruction):
    """Planted: adds every column."""

    @staticmethod
    def _directions(values: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(values)


@pytest.mark.parametrize("planted", [_OtherSign, _AlwaysAdded])
def test_check_rejects_a_column_with_the_wrong_sign(planted: type[BernoulliReconstruction]) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_single_changes(planted, 2, 1000)


def _count_decoded_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    rows: list[int] = []
    forward = PackedMLP.forward

    def counted(network: PackedMLP, batch_size: int, first_layer: int = 0) -> torch.Tensor:
        rows.append(batch_size)
        return forward(network, batch_size, first_layer)

    monkeypatch.setattr(PackedMLP, "forward", counted)
    return rows


def test_the_value_already_drawn_is_not_evaluated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _count_decoded_rows(monkeypatch)
    BernoulliReconstruction(_decoder(), _grey_levels()).single_changes(_categories(2))
    assert sum(rows) == BATCH_SIZE * (2 * LATENT_DIM + 2)


def test_memory_is_bounded_by_the_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _count_decoded_rows(monkeypatch)
    f = BernoulliReconstruction(_decoder(), _grey_levels())
    f._rows = 2 * BATCH_SIZE
    f.single_changes(_categories(7))
    f.losses_of_draws(_categories(7))
    assert max(rows) <= 2 * BATCH_SIZE


@pytest.mark.parametrize("kind", [BernoulliReconstruction, LearntReconstruction])
def test_indecater_is_unbiased_by_enumeration(kind: type[BernoulliReconstruction]) -> None:
    """With one sample, weighted by its probability, over all 2^L states: the exact gradient."""
    decoder = _decoder()
    logits = torch.randn(len(SEEDS), BATCH_SIZE, LATENT_DIM, 2, generator=_generator(4), dtype=torch.float64)
    states = torch.tensor(list(itertools.product(range(2), repeat=LATENT_DIM)))
    mean = torch.zeros_like(logits)
    leaf = logits.clone().requires_grad_()
    exact = torch.zeros((), dtype=torch.float64)
    for state in states:
        categories = state.expand(1, *logits.shape[:-1])
        means = means_per_category(kind(decoder, _grey_levels()), categories, logits, None, is_shared=True)
        log_probs = torch.log_softmax(leaf, -1).gather(-1, categories[0].unsqueeze(-1)).sum((-1, -2))
        mean += log_probs.detach().exp()[..., None, None] * summed_out(logits, means).gradient
        exact = exact + (log_probs.exp() * _plain_losses(decoder.weights, categories)[0]).sum()
    exact.backward()
    torch.testing.assert_close(mean, leaf.grad, rtol=1e-10, atol=1e-12)


def test_one_hot_samples_are_read_as_their_categories() -> None:
    categories = _categories(4)
    f = BernoulliReconstruction(_decoder(), _grey_levels())
    losses = f(functional.one_hot(categories, 2).double())
    torch.testing.assert_close(losses, f.losses_of_draws(categories), rtol=0, atol=0)
    torch.testing.assert_close(losses, _plain_losses(_decoder().weights, categories))


def _leaves(decoder: PackedMLP) -> list[torch.Tensor]:
    return [weight.clone().requires_grad_() for weight in decoder.weights]


def check_learnt(categories: torch.Tensor, rows: int, scale: float = 1.0) -> None:
    """Against automatic differentiation of the mean loss of all draws."""
    decoder = _decoder()
    f = LearntReconstruction(decoder, _grey_levels())
    f._rows = rows
    losses = f.losses_of_draws(categories)
    leaves = _leaves(decoder)
    plain = _plain_losses(leaves, categories)
    plain.mean((0, 2)).sum().backward()
    torch.testing.assert_close(losses, plain.detach())
    torch.testing.assert_close(f.mean_losses, plain.detach().mean(0))
    for gradient, leaf in zip(decoder.weight_gradients, leaves, strict=True):
        torch.testing.assert_close(gradient * scale, leaf.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 10, 1000])
@pytest.mark.parametrize("num_samples", [1, 3, 7])
def test_decoder_learns_the_mean_loss_of_all_draws_whatever_the_chunks(num_samples: int, rows: int) -> None:
    check_learnt(_categories(num_samples), rows)


def test_check_rejects_the_gradient_of_a_sum() -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_learnt(_categories(3), 1000, scale=3.0)


def test_check_rejects_chunks_that_overwrite_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = PackedMLP.backward

    def overwriting(network: PackedMLP, grad: torch.Tensor, scale: float, *, is_added: bool) -> torch.Tensor:
        return backward(network, grad, scale)

    monkeypatch.setattr(PackedMLP, "backward", overwriting)
    with pytest.raises(AssertionError, match="not close"):
        check_learnt(_categories(3), 1)


def test_plain_f_leaves_the_parameters_gradients_alone() -> None:
    decoder = _decoder()
    f = BernoulliReconstruction(decoder, _grey_levels())
    f.single_changes(_categories(2))
    f.input_gradient(_categories(2).double(), 2)
    assert all(gradient.isnan().all() for gradient in decoder.weight_gradients)


@pytest.mark.parametrize("kind", [BernoulliReconstruction, LearntReconstruction])
def test_input_gradient_is_that_of_the_sum(kind: type[BernoulliReconstruction]) -> None:
    decoder = _decoder()
    values = torch.rand(_categories(3).shape, generator=_generator(5), dtype=torch.float64).requires_grad_()
    _plain_losses(decoder.weights, values).sum().backward()
    gradient = kind(decoder, _grey_levels()).input_gradient(values.detach(), 3)
    torch.testing.assert_close(gradient, values.grad)


def test_indecater_asks_for_single_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    f = BernoulliReconstruction(_decoder(), _grey_levels())
    logits = torch.zeros(len(SEEDS), BATCH_SIZE, LATENT_DIM, 2, dtype=torch.float64)
    draw = draw_indecater(logits, num_samples=2, generator=_generator())
    rows = _count_decoded_rows(monkeypatch)
    draw.rule(f, f.chunk_size)
    assert sum(rows) == BATCH_SIZE * (2 * LATENT_DIM + 2)
