from __future__ import annotations

import math

import torch

from trainables.networks import PackedLinear, packed_mlp


def _generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_initial_parameters_are_uniform_as_those_of_linear() -> None:
    layer = PackedLinear(784, 512, _generators(0, 1))
    bound = 1 / math.sqrt(784)
    for parameter in (layer.weight, layer.bias):
        assert parameter.abs().max() <= bound
        assert abs(float(parameter.detach().std()) / (bound / math.sqrt(3)) - 1) < 0.05
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_initial_parameters_are_those_of_linear_layers_with_the_same_seed() -> None:
    pack = packed_mlp((30, 20, 10), _generators(3, 7))
    for index, seed in enumerate((3, 7)):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layers = [torch.nn.Linear(30, 20), torch.nn.Linear(20, 10)]
        for layer, packed in zip(layers, (pack[0], pack[2]), strict=True):
            assert torch.equal(packed.weight[index].t(), layer.weight)
            assert torch.equal(packed.bias[index, 0], layer.bias)


def test_member_of_a_pack_equals_linear_layers() -> None:
    pack = packed_mlp((6, 5, 4), _generators(0, 1, 2))
    inputs = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(0))
    for index in range(3):
        alone = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4))
        with torch.no_grad():
            for layer, packed in ((alone[0], pack[0]), (alone[2], pack[2])):
                layer.weight.copy_(packed.weight[index].t())
                layer.bias.copy_(packed.bias[index, 0])
        torch.testing.assert_close(pack(inputs)[index], alone(inputs[index]))
