"""Networks of a pack: P multilayer perceptrons side by side, each tensor with a leading member axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import nn

from trainables.models.activations import ACTIVATIONS
from trainables.models.network_sizes import RELU, aligned, num_parameters


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer and its buffers for one batch size B. Views are made once: a step makes no new one.

    Args:
        inputs: What it reads, shape (P, B, in + 1); the last column is one, for the bias.
        values: The same without that column, shape (P, B, in).
        product: Where it writes, shape (P, B, out).
        output: Where the activation of that goes, which the next layer reads; the same as `product` where
            its derivative is found from its value, and of the last layer.
        derived_from: What the derivative of the activation that made `values` is found from: `output` or
            `product` of the layer before; `values` of the first.
        weight: Weight with the bias as its last row, shape (P, in + 1, out).
        weight_gradient: Where its gradient goes, same shape.
        inputs_t: `inputs` transposed.
        weight_t: Weight without the bias, transposed.
    """

    inputs: torch.Tensor
    values: torch.Tensor
    product: torch.Tensor
    output: torch.Tensor
    derived_from: torch.Tensor
    weight: torch.Tensor
    weight_gradient: torch.Tensor
    inputs_t: torch.Tensor
    weight_t: torch.Tensor

    @cached_property
    def gradient(self) -> torch.Tensor:
        """Where the gradient with respect to `values` goes, same shape; evaluation never asks for it."""
        return _buffer(*self.values.shape, like=self.values)


class PackedMLP:
    """P perceptrons with an activation between layers and a linear output, and their gradient written out.

    To train a small network is little more than three matrix products a layer. Nothing here but these takes
    more than one pass over a layer's activations: the bias is a weight's last row, so that one product gives
    a layer and one its whole gradient, and buffers are kept from step to step.

    Args:
        widths: Input width, hidden widths, output width.
        parameters: Where the parameters lie, shape (P, `num_parameters(widths)`).
        gradients: Where `backward` leaves their gradients, same shape.
        activation: The name of one of `ACTIVATIONS`.

    Attributes:
        activation: What stands between layers.
        weights: Weight and bias of each layer, shape (P, in + 1, out); the bias is the last row.
        weight_gradients: Their gradients, as `backward` left them.
    """

    def __init__(
        self,
        widths: Sequence[int],
        parameters: torch.Tensor,
        gradients: torch.Tensor,
        activation: str = RELU,
    ) -> None:
        self.activation = ACTIVATIONS[activation]
        self.weights = _split_into_layers(parameters, widths)
        self.weight_gradients = _split_into_layers(gradients, widths)
        self._layers_by_batch_size: dict[int, list[_Layer]] = {}

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        """Draw the parameters, bit for bit those that `torch.nn.Linear` layers would draw.

        U(-1/√in, 1/√in) for a layer's weight, then for its bias.

        Args:
            generators: One CPU generator for each member.
        """
        for weight in self.weights:
            fan_in, fan_out = weight.shape[1] - 1, weight.shape[2]
            bound = 1 / math.sqrt(fan_in)
            for member, generator in enumerate(generators):
                drawn = torch.empty(fan_out, fan_in)
                nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
                bias = torch.empty(1, fan_out).uniform_(-bound, bound, generator=generator)
                weight[member].copy_(torch.cat((drawn.t(), bias)))

    def inputs(self, batch_size: int, layer: int = 0) -> torch.Tensor:
        """Return the buffer that a layer maps, shape (P, B, in), for the caller to write to."""
        return self._layers(batch_size)[layer].values

    def last_inputs(self, batch_size: int) -> torch.Tensor:
        """Return what the last layer maps and the one for its bias, shape (P, B, in + 1)."""
        return self._layers(batch_size)[-1].inputs

    def forward(self, batch_size: int, first_layer: int = 0) -> torch.Tensor:
        """Map what `inputs` holds to the output, shape (P, B, out), which the next call writes over.

        Args:
            batch_size: Number B of rows.
            first_layer: Where to begin; what it maps is after its activation.
        """
        layers = self._layers(batch_size)
        for layer in layers[first_layer:]:
            torch.bmm(layer.inputs, layer.weight, out=layer.product)
            if layer is not layers[-1]:
                self.activation.forward(layer.product, layer.output)
        return layers[-1].output

    def backward(self, grad_output: torch.Tensor, scale: float, *, is_added: bool = False) -> torch.Tensor:
        """Leave the gradients of the parameters where they belong, for the batch that went forward last.

        Args:
            grad_output: Gradient with respect to the output, shape (P, B, out).
            scale: What the gradients of the parameters are multiplied by.
            is_added: Whether they are added to those that are there, of an earlier part of the batch.
        Returns:
            Gradient with respect to what the first layer gives before its activation, for `input_gradient`.
        """
        layers = self._layers(grad_output.shape[1])
        for layer in reversed(layers):
            gradient = layer.weight_gradient
            # With β = 0 it does not count what the gradient held before.
            beta = int(is_added)
            torch.baddbmm(gradient, layer.inputs_t, grad_output, beta=beta, alpha=scale, out=gradient)
            if layer is not layers[0]:
                grad_output = self._through_layer(layer, grad_output)
        return grad_output

    def backward_to_first(self, grad_output: torch.Tensor) -> torch.Tensor:
        """As `backward`, but leaves the gradients of the parameters as they are."""
        for layer in reversed(self._layers(grad_output.shape[1])[1:]):
            grad_output = self._through_layer(layer, grad_output)
        return grad_output

    def input_gradient(self, grad_first: torch.Tensor) -> torch.Tensor:
        """Map what `backward` returned to the gradient with respect to the inputs, shape (P, B, in)."""
        first = self._layers(grad_first.shape[1])[0]
        return torch.bmm(grad_first, first.weight_t, out=first.gradient)

    def _through_layer(self, layer: _Layer, grad_output: torch.Tensor) -> torch.Tensor:
        """Map the gradient with respect to a layer's output to that before the activation of its input."""
        below = layer.gradient
        torch.bmm(grad_output, layer.weight_t, out=below)
        self.activation.backward(below, layer.derived_from)
        return below

    def _layers(self, batch_size: int) -> list[_Layer]:
        if batch_size not in self._layers_by_batch_size:
            self._layers_by_batch_size[batch_size] = self._allocate(batch_size)
        return self._layers_by_batch_size[batch_size]

    def _allocate(self, batch_size: int) -> list[_Layer]:
        buffer = partial(_buffer, len(self.weights[0]), batch_size, like=self.weights[0])
        inputs = [buffer(weight.shape[1]) for weight in self.weights]
        for tensor in inputs:
            tensor[..., -1] = 1
        values = [tensor[..., :-1] for tensor in inputs]
        outputs = [*values[1:], buffer(self.weights[-1].shape[2])]
        products = outputs
        if self.activation.needs_input:
            products = [*(buffer(one.shape[2]) for one in outputs[:-1]), outputs[-1]]
        return [
            _Layer(
                inputs=inputs[index],
                values=values[index],
                product=products[index],
                output=outputs[index],
                derived_from=products[index - 1] if index else values[0],
                weight=weight,
                weight_gradient=self.weight_gradients[index],
                inputs_t=inputs[index].mT,
                weight_t=weight[:, :-1].mT,
            )
            for index, weight in enumerate(self.weights)
        ]


def _buffer(num_members: int, batch_size: int, width: int, *, like: torch.Tensor) -> torch.Tensor:
    """Return zeros, (P, B, width), whose rows start where cache lines do."""
    return like.new_zeros(num_members, batch_size, aligned(width))[..., :width]


def joined_networks(
    widths: Sequence[Sequence[int]],
    generators: Sequence[torch.Generator],
    device: str | torch.device,
    activation: str = RELU,
) -> tuple[torch.Tensor, torch.Tensor, list[PackedMLP]]:
    """Make networks whose parameters lie side by side in one tensor, each member's drawn from its generator.

    Args:
        widths: Of each network: input width, hidden widths, output width.
        generators: One CPU generator for each member.
        device: Where the parameters are.
        activation: The name of what stands between layers.
    Returns:
        Parameters and gradients, each of shape (P, n), and the networks.
    """
    sizes = [num_parameters(one) for one in widths]
    parameters, gradients = (torch.zeros((len(generators), sum(sizes)), device=device) for _ in range(2))
    parts = zip(widths, torch.split(parameters, sizes, 1), torch.split(gradients, sizes, 1), strict=True)
    networks = [PackedMLP(*part, activation) for part in parts]
    for network in networks:
        network.initialize(generators)
    return parameters, gradients, networks


def _split_into_layers(flat: torch.Tensor, widths: Sequence[int]) -> list[torch.Tensor]:
    layers, start = [], 0
    for fan_in, fan_out in itertools.pairwise(widths):
        size = (fan_in + 1) * fan_out
        layers.append(flat[:, start : start + size].view(-1, fan_in + 1, fan_out))
        start += aligned(size)
    return layers
