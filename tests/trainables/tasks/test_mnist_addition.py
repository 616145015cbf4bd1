from __future__ import annotations

import itertools
import math

import pytest
import torch

import estimators
from tests.rounding import check_equal_but_for_rounding, rounding
from tests.trainables.members import images, member, through_bytes, values_of
from tests.trainables.models.test_digit_network import FORWARD, POSITIONS
from trainables.models.digit_sum import LEAST_PROBABILITY, loss_and_gradient, sum_probs
from trainables.pack import Pack
from trainables.schema import Member
from trainables.tasks.mnist_addition import TASK, MnistAdditionTrainer
from trainables.training.training_data import TrainingData

pytestmark = pytest.mark.usefixtures("one_thread")

NUM_DIGITS = 3
ALLOWED = ("indecater", "indecater_per_variable", "rloo", "reinforce", "scater", "disarm_tree", "exact")


def _member(seed: int = 0, **params: object) -> Member:
    setting = {
        "task": TASK.name,
        "categorical_dim": 10,
        "latent_dim": NUM_DIGITS,
        "batch_size": 10,
        "num_samples": 10,
        "lr": 0.001,
    }
    return member(seed, **{**setting, "estimator": "indecater", "temperature": None, **params})


def _digits(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images of one noise pattern for each digit, and more noise."""
    labels = torch.randint(10, (count,), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    return (images(10, seed=5)[labels.long()] // 2 + images(count, seed=seed) // 2), labels


def _data(count: int = 302) -> TrainingData:
    return TrainingData(*_digits(count, 1), *_digits(100, 2))


def _trainer(*members: Member) -> MnistAdditionTrainer:
    return MnistAdditionTrainer(Pack(members), _data())


def test_epoch_reports_every_metric_of_the_task() -> None:
    record = _trainer(_member()).run_epoch()
    assert record.metrics[0] is not None
    assert set(record.metrics[0]) == set(TASK.metrics)


def test_fewer_images_than_digits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"latent must have at most 2 variables.*, got 3"):
        MnistAdditionTrainer(Pack((_member(),)), _data(2))


def _logits(size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, 1, NUM_DIGITS, 10, generator=generator, dtype=torch.float64).expand(1, size, -1, -1)


def check_converges(name: str, scale: float = 1.0) -> None:
    """With very many samples, -log p̂ and its gradient are those of the exact probability of the sum."""
    leaf, num_samples = _logits(1)[0, 0].clone().requires_grad_(), 200_000
    probability = sum_probs(torch.softmax(leaf, -1))[11]
    exact = -(probability + LEAST_PROBABILITY).log()
    exact.backward()
    # Of the share of samples with the sum, relative; log p̂'s gradient has 1[v] - π of it, squares below 2.
    standard_error = ((1 - probability.item()) / (probability.item() * num_samples)) ** 0.5
    of_gradient = (2 * NUM_DIGITS) ** 0.5 * standard_error
    draw = estimators.get(name).draw(
        _logits(1).contiguous(), num_samples=num_samples, generator=[torch.Generator().manual_seed(1)]
    )
    loss, gradient = loss_and_gradient(draw, torch.tensor([[11]]))
    torch.testing.assert_close(loss[0, 0], exact.detach(), rtol=0, atol=5 * standard_error)
    error = (scale * gradient[0, 0] - leaf.grad).norm().item()
    assert error < 5 * of_gradient, f"error {error:.3g} of {leaf.grad.norm().item():.3g}"


@pytest.mark.parametrize("name", ["indecater", "rloo"])
def test_loss_is_minus_the_log_of_the_exact_probability_where_samples_are_many(name: str) -> None:
    check_converges(name)


@pytest.mark.parametrize("scale", [1 / NUM_DIGITS, NUM_DIGITS], ids=["a mean over digits", "a sum"])
def test_check_rejects(scale: float) -> None:
    with pytest.raises(AssertionError, match="error"):
        check_converges("indecater", scale)


def test_exact_estimator_differentiates_the_convolution() -> None:
    logits = _logits(4).contiguous()
    labels = torch.tensor([[3, 11, 20, 27]])
    leaf = logits.clone().requires_grad_()
    probs = sum_probs(torch.softmax(leaf, -1)).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    expected = -(probs + LEAST_PROBABILITY).log()
    expected.sum().backward()
    loss, gradient = loss_and_gradient(estimators.get("exact").draw(logits, generator=None), labels)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, leaf.grad)


def test_gradient_is_that_of_the_loss_with_what_is_added_to_the_probability() -> None:
    """Which is as much as the probability itself here."""
    logits = torch.zeros(1, 1, NUM_DIGITS, 10, dtype=torch.float64)
    logits[..., 0] = 6.5
    leaf = logits.clone().requires_grad_()
    probs = sum_probs(torch.softmax(leaf, -1))[..., 25]
    assert 1e-9 < probs.item() < 1e-7
    (-(probs + LEAST_PROBABILITY).log()).sum().backward()
    _, gradient = loss_and_gradient(
        estimators.get("exact").draw(logits, generator=None), torch.tensor([[25]])
    )
    torch.testing.assert_close(gradient, leaf.grad)


@pytest.mark.parametrize("gap", [12.0, 16.0, 20.0])
@pytest.mark.parametrize("name", ["indecater", "indecater_per_variable", "scater"])
def test_a_nearly_certain_wrong_digit_keeps_a_gradient_in_float32(name: str, gap: float) -> None:
    """It is the small difference to the other digits: a constant left in their f would be rounded into it."""
    logits = 0.1 * torch.arange(10, dtype=torch.float64).expand(1, 1, 1, 10).clone()
    logits[..., 0] += gap
    narrow, wide = (
        loss_and_gradient(
            estimators.get(name).draw(one, num_samples=1, generator=[torch.Generator().manual_seed(1)]),
            torch.tensor([[3]]),
        )[1].double()
        for one in (logits.float(), logits)
    )
    # A probability is the exponential of a difference of logits, as large as the gap, which is rounded.
    size = wide.abs().max().item() * (gap + 1)
    check_equal_but_for_rounding(narrow.float(), wide, length=4 * 10, size=size)


def test_no_sample_with_the_sum_is_a_finite_loss_and_no_gradient() -> None:
    logits = torch.zeros(1, 1, NUM_DIGITS, 10)
    logits[..., 0] = 1000.0
    generator = [torch.Generator().manual_seed(1)]
    draw = estimators.get("rloo").draw(logits, num_samples=10, generator=generator)
    loss, gradient = loss_and_gradient(draw, torch.tensor([[27]]))
    assert loss.item() == pytest.approx(-math.log(LEAST_PROBABILITY), rel=rounding(3, 1.0))
    assert not gradient.any()


@pytest.mark.parametrize("name", ALLOWED)
def test_every_estimator_that_the_task_takes_learns_sums(name: str) -> None:
    assert TASK.can_train_with(name)
    trainer = _trainer(_member(1, estimator=name, latent_dim=1, num_samples=100, lr=0.003, epochs=6))
    first, *_, last = (trainer.run_epoch() for _ in range(6))
    assert values_of(last)["test_sum_accuracy"] > 0.5
    assert values_of(last)["train_loss"] < values_of(first)["train_loss"]


def test_estimators_that_need_more_of_f_are_not_taken() -> None:
    ten = [name for name, one in estimators.REGISTRY.items() if one.categorical_dim in (None, 10)]
    taken = {name for name in ten if TASK.can_train_with(name)}
    assert taken == set(ALLOWED)


def test_pathwise_estimator_is_refused() -> None:
    with pytest.raises(ValueError, match="no gradient"):
        _trainer(_member(estimator="stgs", temperature=1.0)).run_epoch()


def test_accuracies_are_of_arg_max_digits_and_of_their_sums_in_turn() -> None:
    trainer = _trainer(_member())
    logits = torch.cat([trainer.model.evaluate(_data().test_images.unsqueeze(0))], 1)
    digits, labels = logits[0].argmax(-1).tolist(), _data().test_labels.tolist()
    groups = [range(start, start + NUM_DIGITS) for start in range(0, 99, NUM_DIGITS)]
    right = [sum(digits[i] for i in group) == sum(labels[i] for i in group) for group in groups]
    found = trainer._evaluate()[0]
    assert found["test_sum_accuracy"] == pytest.approx(sum(right) / len(groups))
    assert found["test_digit_accuracy"] == pytest.approx(
        sum(one == other for one, other in zip(digits, labels, strict=True)) / 100
    )


def test_every_example_is_drawn_anew_of_different_images_and_labelled_by_their_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = _trainer(_member())
    seen: list[list[int]] = []
    step = MnistAdditionTrainer._step

    def watched(self: MnistAdditionTrainer, indices: torch.Tensor) -> torch.Tensor:
        seen.append(indices[0].tolist())
        return step(self, indices)

    monkeypatch.setattr(MnistAdditionTrainer, "_step", watched)
    trainer.run_epoch()
    first = list(itertools.chain(*seen))
    assert len(first) == len(set(first)) == 300  # two of 302 images are left over
    seen.clear()
    trainer.run_epoch()
    second = list(itertools.chain(*seen))
    assert second != first
    assert {*first, *second} == {*range(302)}  # what is left over waits for the next


@pytest.mark.parametrize("name", ALLOWED)
def test_a_network_that_explodes_has_diverged(name: str) -> None:
    """Its loss may be finite: NaN logits draw a digit, and samples alone decide what RLOO returns."""
    trainer = _trainer(_member(estimator=name, num_samples=2, lr=1e30))
    assert trainer.run_epoch().diverged == (1,)
    assert trainer.is_finished


def test_restored_pack_goes_on_bit_for_bit() -> None:
    members = [_member(seed, estimator="indecater_per_variable") for seed in range(2)]
    whole, restored = _trainer(*members), _trainer(*members)
    whole.run_epoch()
    restored.load_state_dict(through_bytes(whole.state_dict()))
    for _ in range(2):
        expected, record = whole.run_epoch(), restored.run_epoch()
        assert [values_of(record, index) for index in range(2)] == [
            values_of(expected, index) for index in range(2)
        ]
    assert restored.is_finished


def check_members_are_as_alone(members: list[Member], pack: list[Member]) -> None:
    """After a step, since what rounding sets apart grows in training: the loss and the network's gradient.

    The exact estimator has no noise, which a rounded probability might turn into another digit.
    """
    together = _trainer(*pack)
    record = together.run_epoch()
    for index, one in enumerate(members):
        alone = _trainer(one)
        loss = values_of(alone.run_epoch())["train_loss"]
        tolerance = rounding(2 * (FORWARD + NUM_DIGITS * 10), loss)
        assert values_of(record, index)["train_loss"] == pytest.approx(loss, abs=tolerance)
        ours, expected = together.model.gradients[index], alone.model.gradients[0]
        check_equal_but_for_rounding(ours, expected, length=2 * FORWARD + 300 * POSITIONS)


def _of_one_step(seed: int) -> Member:
    return _member(seed, estimator="exact", num_samples=None, batch_size=100)


def test_members_of_a_pack_are_those_that_they_are_alone() -> None:
    members = [_of_one_step(seed) for seed in range(3)]
    check_members_are_as_alone(members, members)


def test_check_rejects_members_in_another_order() -> None:
    members = [_of_one_step(seed) for seed in range(3)]
    with pytest.raises(AssertionError):
        check_members_are_as_alone(members, members[::-1])
