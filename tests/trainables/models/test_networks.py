from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from tests.complaint import complaint
from tests.rounding import check_equal_but_for_rounding
from trainables.models.activations import ACTIVATIONS
from trainables.models.network_sizes import num_parameters
from trainables.models.networks import PackedMLP

WIDTHS = (6, 5, 17, 4)
SEEDS = (3, 7, 11)


def _pack(widths: tuple[int, ...] = WIDTHS, seeds: tuple[int, ...] = SEEDS) -> tuple[PackedMLP, torch.Tensor]:
    """Return a pack and where its gradients go; these hold what is noticed wherever it is left."""
    parameters = torch.zeros(len(seeds), num_parameters(widths))
    gradients = torch.full_like(parameters, math.nan)
    pack = PackedMLP(widths, parameters, gradients)
    pack.initialize([torch.Generator().manual_seed(seed) for seed in seeds])
    return pack, gradients


def _linear_layers(widths: tuple[int, ...], seed: int) -> list[torch.nn.Linear]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return [torch.nn.Linear(*pair) for pair in itertools.pairwise(widths)]


def _perceptron(layers: list[torch.nn.Linear]) -> torch.nn.Sequential:
    modules: list[torch.nn.Module] = [layers[0]]
    for layer in layers[1:]:
        modules += [torch.nn.ReLU(), layer]
    return torch.nn.Sequential(*modules)


def _inputs(batch_size: int) -> torch.Tensor:
    return torch.randn(3, batch_size, 6, generator=torch.Generator().manual_seed(batch_size))


def _as_linear_weight(flat: torch.Tensor, layer: int) -> torch.Tensor:
    """Return a member's flat parameters or gradients of a layer, shape (in + 1, out)."""
    start = sum(num_parameters(pair) for pair in list(itertools.pairwise(WIDTHS))[:layer])
    rows, columns = WIDTHS[layer] + 1, WIDTHS[layer + 1]
    return flat[start : start + rows * columns].view(rows, columns)


def test_initial_parameters_are_uniform_as_those_of_linear() -> None:
    pack, _ = _pack((784, 512), seeds=(0, 1))
    bound = 1 / math.sqrt(784)
    weight, bias = pack.weights[0][:, :-1], pack.weights[0][:, -1]
    for parameter in (weight, bias):
        assert parameter.abs().max() <= bound
        assert abs(float(parameter.std()) / (bound / math.sqrt(3)) - 1) < 0.05
    assert not torch.equal(weight[0], weight[1])


def test_initial_parameters_are_those_of_linear_layers_with_the_same_seed() -> None:
    pack, _ = _pack()
    for index, seed in enumerate(SEEDS):
        for layer, packed in zip(_linear_layers(WIDTHS, seed), pack.weights, strict=True):
            assert torch.equal(packed[index, :-1].t(), layer.weight)
            assert torch.equal(packed[index, -1], layer.bias)


@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_member_of_a_pack_equals_linear_layers(batch_size: int) -> None:
    pack, _ = _pack()
    inputs = _inputs(batch_size)
    pack.inputs(batch_size).copy_(inputs)
    outputs = pack.forward(batch_size)
    for index, seed in enumerate(SEEDS):
        alone = _perceptron(_linear_layers(WIDTHS, seed))
        check_equal_but_for_rounding(outputs[index], alone(inputs[index]).detach(), length=sum(WIDTHS))


def _check_gradients(pack: PackedMLP, gradients: torch.Tensor, batch_size: int) -> None:
    """Compare every gradient with automatic differentiation; batches of other sizes went before."""
    for size in (batch_size, 4, batch_size):
        inputs = _inputs(size)
        pack.inputs(size).copy_(inputs)
        outputs = pack.forward(size)
        grad_output = torch.cos(outputs)
        grad_inputs = pack.input_gradient(pack.backward(grad_output, 0.25))
    for index, seed in enumerate(SEEDS):
        layers = _linear_layers(WIDTHS, seed)
        member_inputs = inputs[index].clone().requires_grad_()
        torch.sin(_perceptron(layers)(member_inputs)).sum().backward()
        check_equal_but_for_rounding(
            grad_inputs[index], member_inputs.grad, length=2 * sum(WIDTHS) + batch_size
        )
        for number, layer in enumerate(layers):
            assert layer.weight.grad is not None
            assert layer.bias.grad is not None
            ours = _as_linear_weight(gradients[index], number)
            check_equal_but_for_rounding(
                ours[:-1].t(), 0.25 * layer.weight.grad, length=2 * sum(WIDTHS) + batch_size
            )
            check_equal_but_for_rounding(
                ours[-1], 0.25 * layer.bias.grad, length=2 * sum(WIDTHS) + batch_size
            )


@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_gradients_equal_automatic_differentiation(batch_size: int) -> None:
    pack, gradients = _pack()
    assert complaint(_check_gradients, pack, gradients, batch_size) == ""


def test_gradient_check_rejects_a_backward_pass_without_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "relu", replace(ACTIVATIONS["relu"], backward=lambda grad, _: grad))
    pack, gradients = _pack()
    with pytest.raises(AssertionError, match="not close"):
        _check_gradients(pack, gradients, 7)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_backward_to_first_gives_the_same_and_leaves_the_parameters_gradients_alone(batch_size: int) -> None:
    pack, gradients = _pack()
    pack.inputs(batch_size).copy_(_inputs(batch_size))
    grad_output = torch.cos(pack.forward(batch_size))
    grad_first = pack.backward_to_first(grad_output).clone()
    assert gradients.isnan().all()
    assert torch.equal(pack.backward(grad_output, 0.25), grad_first)


def test_what_aligns_the_layers_has_no_gradient() -> None:
    pack, gradients = _pack()
    gradients.zero_()
    pack.inputs(7).copy_(_inputs(7))
    pack.backward(pack.forward(7).clone(), 1.0)
    used = sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(WIDTHS))
    assert num_parameters(WIDTHS) > used
    for of_layer in pack.weight_gradients:
        assert of_layer.abs().max() > 0
        of_layer.zero_()
    assert torch.equal(gradients, torch.zeros_like(gradients))


def test_only_training_makes_buffers_for_gradients() -> None:
    pack, _ = _pack()
    layers = pack._layers(7)
    grad_output = pack.forward(7).clone()
    assert not any("gradient" in vars(layer) for layer in layers)
    pack.backward(grad_output, 1.0)
    assert ["gradient" in vars(layer) for layer in layers] == [False, True, True]
