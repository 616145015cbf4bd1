"""The digit classifier of the CatLog-Derivative trick, Section 6.4, as a pack of P."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from trainables.models.network_sizes import DIGIT_NETWORK_SHAPES

_SIDE = 28


class DigitNetwork:
    """P networks: convolution 6@5x5, pool 2, convolution 16@5x5, pool 2, 120, 84, 10, with ReLU.

    The members are groups of each convolution, and the batch of each matrix product.

    Args:
        generators: One CPU generator for each member, for the initial parameters: those that `torch.nn`'s
            layers would draw.
        device: Where the parameters are.

    Attributes:
        parameters: Every parameter of every member, shape (P, n), a leaf.
        gradients: Their gradients, same shape, as `backward` left them.
    """

    def __init__(self, generators: Sequence[torch.Generator], device: str | torch.device = "cpu") -> None:
        members = [torch.cat(list(_initial(generator))) for generator in generators]
        self.parameters = torch.stack(members).to(device)
        self.gradients = torch.zeros_like(self.parameters)
        self._sizes = [math.prod(shape) for shape in DIGIT_NETWORK_SHAPES]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Map images, shape (P, n, 784), bytes, to logits of their digits, shape (P, n, 10), with a graph."""
        self._leaf = self.parameters.detach().requires_grad_()
        return self._forward(self._leaf, images)

    def evaluate(self, images: torch.Tensor) -> torch.Tensor:
        """As calling it, without a graph."""
        return self._forward(self.parameters, images)

    def backward(self, logits: torch.Tensor, grad_logits: torch.Tensor) -> None:
        """Leave the parameters' gradients, given that with respect to what the last call returned."""
        (gradients,) = torch.autograd.grad(logits, self._leaf, grad_logits)
        self.gradients.copy_(gradients)

    def _forward(self, parameters: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        num_members, num_images, _ = images.shape
        layers = [
            part.view(num_members, *shape)
            for part, shape in zip(torch.split(parameters, self._sizes, 1), DIGIT_NETWORK_SHAPES, strict=True)
        ]
        first, second, *fully_connected, last = zip(layers[::2], layers[1::2], strict=True)
        hidden = (images.movedim(0, 1) / 255).view(num_images, num_members, _SIDE, _SIDE)
        for weight, bias in (first, second):
            kernels, biases = weight.flatten(0, 1), bias.flatten()
            hidden = functional.conv2d(hidden, kernels, biases, groups=num_members).relu()
            hidden = functional.max_pool2d(hidden, 2)
        rows = hidden.view(num_images, num_members, -1).movedim(1, 0)
        for weight, bias in fully_connected:
            rows = torch.baddbmm(bias.unsqueeze(1), rows, weight.mT).relu()
        weight, bias = last
        return torch.baddbmm(bias.unsqueeze(1), rows, weight.mT)


def _initial(generator: torch.Generator) -> Sequence[torch.Tensor]:
    """Draw one member's parameters, flat, in the order of the shapes: U(-1/√fan_in, 1/√fan_in)."""
    drawn = []
    for weight_shape, bias_shape in zip(DIGIT_NETWORK_SHAPES[::2], DIGIT_NETWORK_SHAPES[1::2], strict=True):
        weight = torch.empty(weight_shape)
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        bound = 1 / math.sqrt(math.prod(weight_shape[1:]))
        bias = torch.empty(bias_shape).uniform_(-bound, bound, generator=generator)
        drawn += [weight.flatten(), bias]
    return drawn
