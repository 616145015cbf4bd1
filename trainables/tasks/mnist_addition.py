"""The task `mnist_addition`: digit classifiers that learn from the sum of several digits alone."""

from __future__ import annotations

import torch

from estimators.score_function import ObjectiveDraw
from estimators.softmax import with_cheap_softmax
from trainables.models.digit_network import DigitNetwork
from trainables.models.digit_sum import NUM_DIGITS, IsSum
from trainables.pack import Pack
from trainables.training.epoch_trainer import EpochTrainer
from trainables.training.process import set_precision
from trainables.training.training_data import TrainingData

LEAST_PROBABILITY = 1e-8
"""What is added to an estimated probability before its logarithm is taken."""
_IMAGES_EVALUATED_AT_ONCE = 1000


def loss_and_gradient(draw: ObjectiveDraw, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return -log(p̂ + 1e-8) of each example, and its gradient.

    p̂ is the estimator's own estimate of the probability that the digits sum to the label: for IndeCateR
    (1/D) Σ_d Σ_v p_d(v) F_dv, of the same evaluations that its gradient Σ_d Σ_v ∇p_d(v) F_dv is of; for RLOO
    the share of samples that do.

    Args:
        draw: The estimator's, of logits (P, B, D, 10).
        labels: The sums, shape (P, B), integers.
    Returns:
        The losses, shape (P, B), nats; the gradient of each with respect to its logits, (P, B, D, 10).
    """
    estimate = draw.rule(IsSum(labels, draw.sample.dtype), None)
    probability = estimate.value + LEAST_PROBABILITY
    return -probability.log(), -estimate.gradient / probability[..., None, None]


class MnistAdditionTrainer(EpochTrainer):
    """A pack of P digit classifiers in training.

    An epoch draws the training images anew into examples of D; what is left over waits for the next. Test
    examples are D images in turn, and a digit is the one with the highest probability.

    Args:
        pack: The members.
        data: Images of digits with their labels.
        device: Where to train.
    Raises:
        ValueError: If there are fewer images than digits in an example.
    Source: CatLog-Derivative trick, Section 6.4.
    """

    def __init__(self, pack: Pack, data: TrainingData, device: str | torch.device = "cpu") -> None:
        super().__init__(pack, device)
        self._images, self._test_images = (images.to(self._device) for images in data.images)
        self._labels, self._test_labels = (
            labels.to(self._device, torch.int64) for labels in (data.train_labels, data.test_labels)
        )
        self._num_digits = int(pack.shared["latent_dim"])
        fewest = min(len(self._labels), len(self._test_labels))
        if self._num_digits > fewest:
            raise ValueError(
                f"latent must have at most {fewest} variables, one for each image, got {self._num_digits}"
            )
        self._batch_size = int(pack.shared["batch_size"])
        self.model = DigitNetwork(self._initial, self._device)
        self._start(self.model)
        self._sampler = self._make_sampler(self._noise)

    def _train(self) -> list[dict[str, float]]:
        set_precision(self._precision)
        num_examples = len(self._images) // self._num_digits
        orders = [torch.randperm(len(self._images), generator=generator) for generator in self._order]
        order = torch.stack(orders)[:, : num_examples * self._num_digits].to(self._device)
        losses = [self._step(part) for part in torch.split(order, self._batch_size * self._num_digits, 1)]
        means = torch.stack(losses).sum(0, dtype=torch.float64) / num_examples
        return [{"train_loss": mean} for mean in means.tolist()]

    def _step(self, indices: torch.Tensor) -> torch.Tensor:
        """Take a step with images of these places, (P, B·D); return the sum of losses, (P,)."""
        shape = (len(indices), -1, self._num_digits)
        labels = self._labels[indices].view(shape).sum(-1)
        logits = self.model(self._images[indices])
        draw = self._sampler(with_cheap_softmax(logits.detach().view(*shape, NUM_DIGITS)))
        if not isinstance(draw, ObjectiveDraw):
            raise ValueError("a sum of digits has no gradient with respect to them")
        losses, gradient = loss_and_gradient(draw, labels)
        self.model.backward(logits, gradient.reshape(logits.shape) / labels.shape[1])
        self._optimizer.step()
        return losses.sum(-1)

    def _evaluate(self) -> list[dict[str, float]]:
        set_precision(self._precision)
        chunks = torch.split(self._test_images, _IMAGES_EVALUATED_AT_ONCE)
        members = len(self.pack)
        digits = torch.cat(
            [self.model.evaluate(images.expand(members, *images.shape)).argmax(-1) for images in chunks], 1
        )
        of_digits = (digits == self._test_labels).double().mean(-1).tolist()
        of_sums = (
            (self._sums(digits) == self._sums(self._test_labels.unsqueeze(0))).double().mean(-1).tolist()
        )
        return [
            {"test_sum_accuracy": of_sum, "test_digit_accuracy": of_digit}
            for of_sum, of_digit in zip(of_sums, of_digits, strict=True)
        ]

    def _sums(self, digits: torch.Tensor) -> torch.Tensor:
        """Map digits, (P, M), to the sums of D in turn, (P, M // D)."""
        whole = digits.shape[1] // self._num_digits * self._num_digits
        return digits[:, :whole].reshape(len(digits), -1, self._num_digits).sum(-1)
