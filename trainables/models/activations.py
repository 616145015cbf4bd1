"""What stands between the layers of a network, and its derivative, both in the buffers of `PackedMLP`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

_aten = torch.ops.aten
_LEAK = 0.01
_ELU = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Activation:
    """An elementwise function, as `torch.nn` has it with its defaults.

    Args:
        forward: Maps what a layer gives to its value, into the second tensor.
        backward: Multiplies a gradient, in place, by the derivative: given the value, or what it is of.
        needs_input: Whether the derivative is found from what the function is applied to, which then has a
            buffer of its own; elsewhere it is found from the value, which takes its place.
    """

    forward: Callable[[torch.Tensor, torch.Tensor], object]
    backward: Callable[[torch.Tensor, torch.Tensor], object]
    needs_input: bool = False


ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation(
        lambda _, value: value.relu_(),
        lambda grad, value: _aten.threshold_backward.grad_input(grad, value, 0, grad_input=grad),
    ),
    "leaky_relu": Activation(
        lambda given, value: _aten.leaky_relu.out(given, _LEAK, out=value),
        lambda grad, value: _aten.leaky_relu_backward.grad_input(grad, value, _LEAK, True, grad_input=grad),
    ),
    "elu": Activation(
        lambda given, value: _aten.elu.out(given, out=value),
        lambda grad, value: _aten.elu_backward.grad_input(grad, *_ELU, True, value, grad_input=grad),
    ),
    "tanh": Activation(
        lambda given, value: torch.tanh(given, out=value),
        lambda grad, value: _aten.tanh_backward.grad_input(grad, value, grad_input=grad),
    ),
    "sigmoid": Activation(
        lambda given, value: torch.sigmoid(given, out=value),
        lambda grad, value: _aten.sigmoid_backward.grad_input(grad, value, grad_input=grad),
    ),
    "silu": Activation(
        lambda given, value: _aten.silu.out(given, out=value),
        lambda grad, given: _aten.silu_backward.grad_input(grad, given, grad_input=grad),
        needs_input=True,
    ),
    "gelu": Activation(
        lambda given, value: _aten.gelu.out(given, out=value),
        lambda grad, given: _aten.gelu_backward.grad_input(grad, given, grad_input=grad),
        needs_input=True,
    ),
}
"""By their names in `trainables.models.network_sizes.ACTIVATION_NAMES`."""
