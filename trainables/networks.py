"""Networks of a pack: P multilayer perceptrons side by side, each tensor with a leading member axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn


class PackedLinear(nn.Module):
    """P affine maps, applied by one batched matrix product: (P, B, in) to (P, B, out).

    A member's parameters are, bit for bit, those that `torch.nn.Linear` would draw from its generator:
    U(-1/√in, 1/√in) for the weight, then for the bias.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        generators: One CPU generator for each member.
    """

    def __init__(self, in_features: int, out_features: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        members = len(generators)
        self.weight = nn.Parameter(torch.empty(members, in_features, out_features))
        self.bias = nn.Parameter(torch.empty(members, 1, out_features))
        bound = 1 / math.sqrt(in_features)
        with torch.no_grad():
            for weight, bias, generator in zip(self.weight, self.bias, generators, strict=True):
                linear_weight = torch.empty(out_features, in_features)
                nn.init.kaiming_uniform_(linear_weight, a=math.sqrt(5), generator=generator)
                weight.copy_(linear_weight.t())
                bias.uniform_(-bound, bound, generator=generator)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map inputs (P, B, in) to outputs (P, B, out)."""
        return torch.baddbmm(self.bias, inputs, self.weight)


def packed_mlp(widths: Sequence[int], generators: Sequence[torch.Generator]) -> nn.Sequential:
    """Build P perceptrons with ReLU between layers and a linear output.

    Args:
        widths: Input width, hidden widths, output width.
        generators: One CPU generator for each member.
    Returns:
        A module from (P, B, widths[0]) to (P, B, widths[-1]).
    """
    layers: list[nn.Module] = []
    for in_features, out_features in itertools.pairwise(widths):
        layers += [PackedLinear(in_features, out_features, generators), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
