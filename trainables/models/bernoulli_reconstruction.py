"""The reconstruction term of binary latents as a function of the sample, and of single changes of one."""

from __future__ import annotations

import torch
from torch.nn import functional

from trainables.models.networks import PackedMLP
from trainables.models.reconstruction import Reconstruction


class BernoulliReconstruction(Reconstruction):
    """f of a batch of images with binary latents: maps samples (S, P, B, L, 2) to losses (S, P, B), in nats.

    A variable's input to the decoder is 1 in category 1 and 0 in category 0: the decoders read L inputs, and
    have at least two layers. The rest is as for `Reconstruction`.
    """

    def losses_of_draws(self, categories: torch.Tensor) -> torch.Tensor:
        """Map samples, shape (N, P, B, L), to losses, shape (N, P, B), decoded in chunks."""
        chunks = torch.split(categories, self.chunk_size)
        return torch.cat([self._losses(self._pixel_logits(chunk)) for chunk in chunks])

    def single_changes(self, categories: torch.Tensor) -> torch.Tensor:
        """Return the loss of every sample with each variable set to 0 and to 1, shape (N, P, B, L, 2).

        That of the value already drawn is the sample's own: N + L·N decoder evaluations an image.

        Args:
            categories: The samples, shape (N, P, B, L), int64.
        """
        own = self.losses_of_draws(categories).unsqueeze(-1).expand(categories.shape)
        flipped = self._losses_of_flips(categories)
        is_one = categories.bool()
        return torch.stack((flipped.where(is_one, own), own.where(is_one, flipped)), -1)

    def input_gradient(self, values: torch.Tensor, num_samples: int) -> torch.Tensor:
        """Return the gradient of the sum of losses with respect to what the latents are.

        Args:
            values: Of the latents, shape (S, P, B, L), in [0, 1]; at most `chunk_size` samples.
            num_samples: Of how many samples in all these are some.
        Returns:
            The gradient, shape (S, P, B, L).
        """
        return self._grad_values(self._backward(self._pixel_logits(values), num_samples), values)

    def _backward(self, pixel_logits: torch.Tensor, num_samples: int) -> torch.Tensor:  # noqa: ARG002
        """Go from pixel logits, (P, S, B, N), back to what the first layer gives."""
        return self._decoder.backward_to_first(self._grad_pixels(pixel_logits))

    @staticmethod
    def _read(samples: torch.Tensor) -> torch.Tensor:
        return samples[..., 1]

    @staticmethod
    def _as_samples(grad_values: torch.Tensor) -> torch.Tensor:
        return torch.stack((torch.zeros_like(grad_values), grad_values), -1)

    @staticmethod
    def _directions(values: torch.Tensor) -> torch.Tensor:
        """Return by how much of its column each variable's flip moves the first layer: up by 1, or down."""
        return 1 - 2 * values

    def _losses_of_flips(self, categories: torch.Tensor) -> torch.Tensor:
        """Return the loss of every sample with each variable flipped, shape (N, P, B, L).

        To flip variable d moves what the first layer gives by its column w_d, up or down. The loss's term
        x·a, with a = W h the pixel logits, is (W x)·h: a product as long as h, not as a.
        """
        num_samples, num_members, batch_size, latent_dim = categories.shape
        # One row for each sample and image: (P, N·B, ·).
        values = categories.movedim(0, 1).flatten(1, 2).to(self._grey_levels.dtype)
        first, last = self._decoder.weights[0], self._decoder.weights[-1]
        columns = first[:, None, :-1]
        before = torch.baddbmm(first[:, -1:], values, first[:, :-1]).unsqueeze(2)
        directions = self._directions(values).unsqueeze(-1)
        of_images = torch.bmm(self._grey_levels, last.mT).repeat(1, num_samples, 1).unsqueeze(-1)
        losses = torch.empty_like(values)
        size = max(1, self._rows // latent_dim)
        for start in range(0, losses.shape[1], size):
            part = slice(start, start + size)
            num_rows = losses[:, part].shape[1] * latent_dim
            by_sample = (num_members, -1, latent_dim, first.shape[2])
            moved = self._decoder.inputs(num_rows, 1).view(by_sample)
            torch.addcmul(before[:, part], directions[:, part], columns, out=moved)
            self._decoder.activation.forward(moved, moved)
            pixel_logits = self._decoder.forward(num_rows, 1)
            hidden = self._decoder.last_inputs(num_rows).view(num_members, -1, latent_dim, last.shape[1])
            linear = torch.matmul(hidden, of_images[:, part]).squeeze(-1)
            torch.sub(functional.softplus(pixel_logits).sum(-1).view_as(linear), linear, out=losses[:, part])
        return losses.view(num_members, num_samples, batch_size, latent_dim).movedim(1, 0)


class LearntReconstruction(BernoulliReconstruction):
    """The same, from whose draws the decoder learns: it leaves the gradient of their mean loss in it.

    Of one batch; arguments as for `BernoulliReconstruction`.
    """

    def __init__(self, decoder: PackedMLP, grey_levels: torch.Tensor) -> None:
        super().__init__(decoder, grey_levels)
        self._learnt: list[torch.Tensor] = []

    @property
    def has_learnt(self) -> bool:
        """Whether there were draws."""
        return bool(self._learnt)

    @property
    def mean_losses(self) -> torch.Tensor:
        """Mean loss of each image's draws, shape (P, B)."""
        return torch.cat(self._learnt).mean(0)

    def losses_of_draws(self, categories: torch.Tensor) -> torch.Tensor:
        """Return the losses, and learn."""
        for chunk in torch.split(categories, self.chunk_size):
            self._backward(self._pixel_logits(chunk), len(categories))
        return torch.cat(self._learnt)

    def _backward(self, pixel_logits: torch.Tensor, num_samples: int) -> torch.Tensor:
        """Also leave in the decoder what these of so many samples add to the gradient of their mean."""
        scale = 1 / (num_samples * self._grey_levels.shape[-2])
        is_added = self.has_learnt
        self._learnt.append(self._losses(pixel_logits))
        return self._decoder.backward(self._grad_pixels(pixel_logits), scale, is_added=is_added)
