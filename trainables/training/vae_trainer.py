"""Training a pack of variational auto-encoders on images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from trainables.models.network_sizes import image_shape_of
from trainables.training.epoch_trainer import EpochTrainer, Model

if TYPE_CHECKING:
    import torch

    from trainables.models.discrete_vae import NegElbo, Sampler
    from trainables.training.pictures import Autoencoder

    class VAE(Model, Autoencoder, Protocol):
        """A pack of P auto-encoders that can be trained."""

        def evaluate(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
            """Return the negative ELBO of images, shape (P or 1, B, N), uint8."""


EVALUATION_BATCH_SIZE = 1000
_STEPS_FETCHED_AT_ONCE = 10


class VaeTrainer(EpochTrainer):
    """A pack of P auto-encoders in training; arguments as for `Trainer`."""

    model: VAE

    def _start(self) -> None:
        super()._start()
        self._sampler = self._estimator.sampler(0)

    @abstractmethod
    def _make_model(self, generators: Sequence[torch.Generator]) -> VAE: ...

    @abstractmethod
    def _differentiate(self, images: torch.Tensor) -> NegElbo:
        """Leave the gradient of a batch's mean negative ELBO in the model; return its sum."""

    def _train(self) -> list[dict[str, float]]:
        """Run one pass over the training set; return each member's mean terms of its updates."""
        import torch

        losses = []
        # Images lie all over the memory: to fetch those of several steps at once takes a third of the time.
        for indices in torch.split(self._new_order(), self._batch_size * _STEPS_FETCHED_AT_ONCE, 1):
            fetched = self._train_images.index_select(0, indices.flatten()).view(*indices.shape, -1)
            for images in torch.split(fetched, self._batch_size, 1):
                losses.append(self._differentiate(images))
                self._optimizer.step()
        return _member_means("train", losses, len(self._train_images))

    def _evaluate(self) -> list[dict[str, float]]:
        """Run one pass over the test set, one sample per image; return each member's mean terms."""
        import torch

        losses = [
            self.model.evaluate(images.unsqueeze(0), self._sampler)
            for images in torch.split(self._test_images, EVALUATION_BATCH_SIZE)
        ]
        return _member_means("test", losses, len(self._test_images))

    def pictures(self) -> list[bytes | None]:
        """Return a PNG of what each member has learned (`draw_pictures`); none of one that has diverged."""
        from trainables.training.pictures import NUM_IMAGES, draw_pictures

        self._set_precision()
        generators = self._generators("pictures")
        sampler = self._estimator.sampler(self.epoch, generators)
        images, shape = self._test_images[:NUM_IMAGES], image_shape_of(self.pack.shared)
        drawn = draw_pictures(self.model, images, sampler, generators, shape)
        diverged = self.history[-1].diverged if self.history else (None,) * len(drawn)
        return [png if epoch is None else None for png, epoch in zip(drawn, diverged, strict=True)]


def _member_means(split: str, losses: Sequence[NegElbo], num_images: int) -> list[dict[str, float]]:
    """Map the sums over each batch to each member's means over the images."""
    import torch

    recon, kl = (
        torch.stack(terms).sum(0, dtype=torch.float64) / num_images
        for terms in ([loss.recon for loss in losses], [loss.kl for loss in losses])
    )
    return [_named(split, *terms) for terms in zip(recon.tolist(), kl.tolist(), strict=True)]


def _named(split: str, recon: float, kl: float) -> dict[str, float]:
    return {f"{split}_neg_elbo": recon + kl, f"{split}_recon": recon, f"{split}_kl": kl}
