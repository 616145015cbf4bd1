"""The task `mnist_addition`: digit classifiers that learn from the sum of several digits alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.models.network_sizes import num_digit_network_parameters
from trainables.schema.metrics import SECONDS, Metric, Reference
from trainables.task import OPTIONAL, Figure, Task
from trainables.tasks.mnist_vae import IMAGE_KEYS, TRAINING_KEYS
from trainables.training.epoch_trainer import EpochTrainer

if TYPE_CHECKING:
    import torch

    from trainables.models.digit_network import DigitNetwork

_IMAGES_EVALUATED_AT_ONCE = 1000


def _accuracy(name: str, text: str, reference: Reference) -> Metric:
    return Metric(name, text, is_higher_better=True, digits=4, has_log_x=True, reference=reference)


_SUMS_OF_GOOD_DIGITS = Reference("0.99^D: each digit right 99 % of the time", lambda _, digits: 0.99**digits)
_GOOD_DIGITS = Reference("0.99", lambda _categories, _digits: 0.99)
METRICS = (
    Metric(
        "train_loss",
        "train -log of the estimated probability of the sum",
        "nats",
        may_select=True,
        is_own=True,
    ),
    _accuracy("test_sum_accuracy", "test accuracy of the sum", _SUMS_OF_GOOD_DIGITS),
    _accuracy("test_digit_accuracy", "test accuracy of a digit", _GOOD_DIGITS),
    SECONDS,
)
"""The loss is each estimator's own: estimates with fewer samples are of a higher one."""


class MnistAdditionTrainer(EpochTrainer):
    """A pack of P digit classifiers in training; arguments as for `Trainer`.

    An epoch draws the training images anew into examples of D; what is left over waits for the next. Test
    examples are D images in turn, and a digit is the one with the highest probability.

    Raises:
        ValueError: If there are fewer images than digits in an example.
    Source: CatLog-Derivative trick, Section 6.4.
    """

    model: DigitNetwork

    def _start(self) -> None:
        super()._start()
        self._labels, self._test_labels = (
            labels.to(self._device).long() for labels in (self.data.train_labels, self.data.test_labels)
        )
        self._num_digits = int(self.pack.shared["latent_dim"])
        fewest = min(len(self._labels), len(self._test_labels))
        if self._num_digits > fewest:
            raise ValueError(
                f"latent must have at most {fewest} variables, one for each image, got {self._num_digits}"
            )
        self._sampler = self._estimator.sampler(0)

    def _make_model(self, generators: Sequence[torch.Generator]) -> DigitNetwork:
        from trainables.models.digit_network import DigitNetwork

        return DigitNetwork(generators, self._device)

    def _train(self) -> list[dict[str, float]]:
        import torch

        num_examples = len(self._train_images) // self._num_digits
        order = self._new_order()[:, : num_examples * self._num_digits]
        losses = [self._step(part) for part in torch.split(order, self._batch_size * self._num_digits, 1)]
        means = torch.stack(losses).sum(0, dtype=torch.float64) / num_examples
        return [{"train_loss": mean} for mean in means.tolist()]

    def _step(self, indices: torch.Tensor) -> torch.Tensor:
        """Take a step with images of these places, (P, B·D); return the sum of losses, (P,)."""
        from estimators.softmax import with_cheap_softmax
        from trainables.models.digit_sum import NUM_DIGITS, loss_and_gradient

        shape = (len(indices), -1, self._num_digits)
        labels = self._labels[indices].view(shape).sum(-1)
        logits = self.model(self._train_images[indices])
        draw = self._sampler(with_cheap_softmax(logits.detach().view(*shape, NUM_DIGITS)))
        losses, gradient = loss_and_gradient(draw, labels)
        self.model.backward(logits, gradient.reshape(logits.shape) / labels.shape[1])
        self._optimizer.step()
        return losses.sum(-1)

    def _evaluate(self) -> list[dict[str, float]]:
        import torch

        chunks, members = torch.split(self._test_images, _IMAGES_EVALUATED_AT_ONCE), len(self.pack)
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


TASK = Task(
    "mnist_addition",
    MnistAdditionTrainer,
    METRICS,
    headline="test_sum_accuracy",
    progress="test_sum_accuracy",
    keys={**IMAGE_KEYS, "batch_size": 10},
    block_keys={**TRAINING_KEYS, "epochs": OPTIONAL},
    datasets=("mnist",),
    image_shape=(28, 28),
    num_classes=10,
    categorical_dim=10,
    free_on_gpu=frozenset({"lr"}),
    num_parameters=lambda _params: num_digit_network_parameters(),
    has_image_per_variable=True,
    is_differentiable=False,
    label_params=("num_samples",),
    figures=(Figure(("test_sum_accuracy",)),),
)
