"""Networks of any depth and activation, against plain `torch.nn` modules and autograd in float64."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn

from trainables.models.activations import ACTIVATIONS
from trainables.models.bernoulli_vae import BernoulliVAE
from trainables.models.discrete_vae import DiscreteVAE
from trainables.models.network_sizes import ACTIVATION_NAMES, VAE, Architecture, num_parameters
from trainables.models.networks import PackedMLP

PLAIN = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU, "gelu": nn.GELU,
}  # fmt: skip
BATCH_SIZE = 5


def test_every_activation_that_a_spec_may_name_is_there():
    assert tuple(ACTIVATIONS) == ACTIVATION_NAMES


def _pack(widths: tuple[int, ...], activation: str, members: int) -> PackedMLP:
    parameters = torch.zeros(members, num_parameters(widths), dtype=torch.float64)
    pack = PackedMLP(widths, parameters, torch.full_like(parameters, torch.nan), activation)
    pack.initialize([torch.Generator().manual_seed(seed) for seed in range(members)])
    for weight in pack.weights:
        weight.mul_(3)  # where activations bend
    return pack


def _plain(pack: PackedMLP, member: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight in pack.weights:
        linear = nn.Linear(weight.shape[1] - 1, weight.shape[2], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(weight[member, :-1].T)
            linear.bias.copy_(weight[member, -1])
        layers += [linear, PLAIN[activation]()]
    return nn.Sequential(*layers[:-1])


def _largest_error(hidden: tuple[int, ...], activation: str, members: int) -> float:
    """Return by how much values and gradients of a pack are away from those of plain modules, at most."""
    widths = (7, *hidden, 6)
    pack = _pack(widths, activation, members)
    draw = torch.Generator().manual_seed(9)
    given = torch.randn(members, BATCH_SIZE, 7, generator=draw, dtype=torch.float64)
    grad = torch.randn(members, BATCH_SIZE, 6, generator=draw, dtype=torch.float64)
    pack.inputs(BATCH_SIZE).copy_(given)
    output = pack.forward(BATCH_SIZE).clone()
    grad_first = pack.backward(grad, 0.5)
    assert torch.equal(pack.backward_to_first(grad), grad_first)
    grad_given = pack.input_gradient(grad_first)
    errors = []
    for member in range(members):
        plain, inputs = _plain(pack, member, activation), given[member].clone().requires_grad_()
        expected = plain(inputs)
        expected.backward(grad[member])
        errors += [output[member] - expected, grad_given[member] - inputs.grad]
        for layer, gradient in zip(plain[::2], pack.weight_gradients, strict=True):
            errors += [
                gradient[member, :-1].T - layer.weight.grad / 2,
                gradient[member, -1] - layer.bias.grad / 2,
            ]
    return max(error.abs().max().item() for error in errors)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_networks_equal_plain_modules(activation, members):
    for hidden in [(8,), (20, 9), (5, 16, 3, 8)]:
        assert _largest_error(hidden, activation, members) < 1e-12


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_a_wrong_derivative_is_found(activation, monkeypatch):
    wrong = ACTIVATIONS["elu" if activation == "leaky_relu" else "leaky_relu"].backward
    monkeypatch.setitem(ACTIVATIONS, activation, replace(ACTIVATIONS[activation], backward=wrong))
    assert _largest_error((20, 9), activation, 1) > 1e-3


SMALL = Architecture((12, 7, 9), (6,), image_shape=(3, 5))


@pytest.mark.parametrize("activation", ["tanh", "silu"])
@pytest.mark.parametrize("members", [1, 3])
def test_auto_encoders_of_any_shape_go_the_way_of_plain_modules(activation, members):
    generators = [torch.Generator().manual_seed(seed) for seed in range(members)]
    architecture = replace(SMALL, activation=activation)
    images = torch.randint(256, (members, BATCH_SIZE, 15), generator=torch.Generator().manual_seed(1)).byte()
    for model in (
        DiscreteVAE(3, 2, generators, architecture=architecture),
        BernoulliVAE(2, 1, generators, architecture=architecture),
    ):
        assert model.parameters.shape[1] == architecture.num_parameters(model.encoder.weights[-1].shape[2])
        logits = model.encode(images)
        sample = nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).float()
        pixels = model.decode(sample)
        assert pixels.shape == (members, BATCH_SIZE, 15)
        for member, network in itertools.product(range(members), (model.encoder, model.decoder)):
            read, given = network.inputs(BATCH_SIZE), network.forward(BATCH_SIZE)
            expected = _plain(network, member, activation).float()(read[member])
            assert torch.allclose(given[member], expected, atol=1e-5)


def test_params_state_an_architecture():
    params = {"encoder": "64", "decoder": "32,16", "activation": "tanh", "image_shape": "16x12"}
    found = VAE.of(params)
    assert found == Architecture((64,), (32, 16), "tanh", (16, 12))
    assert VAE.of({}) == VAE
    assert [found.stated(name) for name in ("encoder", "decoder", "activation")] == ["64", "32,16", "tanh"]
