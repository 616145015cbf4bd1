"""The DisARM estimator for categorical variables, by a binary tree of decisions."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from estimators.hyperparameter import NUM_SAMPLES
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators, uniform
from estimators.score_function.antithetic import sample_of
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    estimate_with_objective,
)
from estimators.score_function.samples import losses_of_draws, mean_over_samples
from estimators.softmax import softmax


@named_arguments
def disarm_tree(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Antithetic pairs of categorical samples, each a path of binary decisions (DisARM-Tree).

    The categories are the leaves of a balanced tree, up to a power of two, of which each node goes right with
    probability p = σ(φ), φ = LSE(θ of the right) - LSE(θ of the left). One uniform number u for each node
    makes two samples of all variables, z by b = 1[u >= 1-p] and z̃ by b̃ = 1[u < p]. With Δ = f(z) - f(z̃),

        grad_φ = ½ Δ (-1)^b̃ 1[b ≠ b̃] σ(|φ|)   at a node on both paths,
        grad_φ = ½ Δ (b - p)                    at one on that of z alone,
        grad_φ = -½ Δ (b̃ - p)                   at one on that of z̃ alone,

    and by the chain rule grad. Averaged over N pairs. Unbiased; with two categories it is `disarm`. What is
    left out is a constant: f + c has the gradient of f.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        num_samples: Number N of antithetic pairs, each two evaluations of f, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The mean loss of all samples, shape (...), and the surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 1, f's result has another shape or logits has fewer than two dimensions.
    Cost: 2·N evaluations of f, forward only; N·L·C random numbers; memory O(N·L·C), and for f with
        `chunk_size` samples.
    Use: Where f is not differentiable and only a few evaluations can be made. The order of the categories
        matters to its variance alone.
    Source: Dong, Mnih and Tucker (2021).
    """
    return estimate_with_objective(
        draw_disarm_tree, logits, f, {NUM_SAMPLES: num_samples}, generator, chunk_size
    )


def draw_disarm_tree(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `disarm_tree`; arguments as there, unchecked, and without a graph."""
    tree = tree_of(logits)
    shape = (*logits.shape[:-1], tree.num_nodes)
    first = uniform(shape, generator, like=logits).unsqueeze(0)
    probs = softmax(logits)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        more = uniform((*shape, num_samples - 1), generator, like=logits).movedim(-1, 0)
        decisions = torch.stack(tree.antithetic(torch.cat((first, more))))
        categories = tree.leaves(decisions)
        losses = losses_of_draws(f, categories.flatten(0, 1), logits, chunk_size)
        gradient = disarm_tree_gradient(
            tree, decisions, losses.detach().view(2, num_samples, *losses.shape[1:])
        )
        return ObjectiveGradient(mean_over_samples(losses), gradient)

    return ObjectiveDraw(sample_of(tree.leaves(tree.antithetic(first)[0])[0], probs), rule)


@dataclass(frozen=True)
class Tree:
    """The decisions that lead to each category, level by level from the root, nodes from left to right.

    Args:
        categorical_dim: Number C of categories; leaves beyond it are padding, of probability zero.
        right: Each node's p, shape (..., L, nodes).
        left: Each node's 1 - p, likewise. Both are zero where no path leads.
    """

    categorical_dim: int
    right: torch.Tensor
    left: torch.Tensor

    @property
    def num_nodes(self) -> int:
        """How many decisions there are, one less than leaves."""
        return self.right.shape[-1]

    @property
    def levels(self) -> list[slice]:
        """Where the nodes of each level are."""
        depth = (self.num_nodes + 1).bit_length() - 1
        return [slice(2**k - 1, 2 ** (k + 1) - 1) for k in range(depth)]

    def antithetic(self, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return b and b̃ of every node, int64; noise u and both have shape (N, ..., L, nodes)."""
        return (noise >= self.left).long(), (noise < self.right).long()

    def leaves(self, decisions: torch.Tensor) -> torch.Tensor:
        """Map decisions, (..., nodes), to the categories that they lead to, (...)."""
        place = torch.zeros_like(decisions[..., :0].sum(-1))
        for level in self.levels:
            taken = decisions[..., level].gather(-1, place.unsqueeze(-1)).squeeze(-1)
            place = 2 * place + taken
        return place

    def on_path(self, decisions: torch.Tensor) -> torch.Tensor:
        """Say which nodes lie on the path of their decisions; both have shape (..., nodes)."""
        reached, found = torch.ones_like(decisions[..., :1], dtype=torch.bool), []
        for level in self.levels:
            found.append(reached)
            goes_right = decisions[..., level] > 0
            reached = torch.stack((reached & ~goes_right, reached & goes_right), -1).flatten(-2)
        return torch.cat(found, -1) if found else decisions > 0

    def of_logits(self, gradient: torch.Tensor) -> torch.Tensor:
        """Map the gradient of every φ, (..., L, nodes), to that of θ, (..., L, C): the chain rule."""
        of_subtree = gradient[..., :0].sum(-1, keepdim=True)  # of the LSE of all: φ depends on it nowhere
        for level in self.levels:
            own = gradient[..., level]
            left, right = self.left[..., level], self.right[..., level]
            of_subtree = torch.stack((left * of_subtree - own, right * of_subtree + own), -1).flatten(-2)
        return of_subtree[..., : self.categorical_dim]


def tree_of(logits: torch.Tensor) -> Tree:
    """Return the tree of logits of shape (..., L, C)."""
    categorical_dim = logits.shape[-1]
    num_leaves = 1 << (categorical_dim - 1).bit_length()
    of_subtree = torch.nn.functional.pad(logits, (0, num_leaves - categorical_dim), value=-torch.inf)
    right, left = [of_subtree[..., :0]], [of_subtree[..., :0]]
    while of_subtree.shape[-1] > 1:
        # No torch.sigmoid, which rounds the last few of a tensor's numbers in another way.
        pairs = torch.stack((of_subtree[..., ::2], of_subtree[..., 1::2]), -1)
        is_closed = (pairs == -torch.inf).all(-1)
        shares = torch.softmax(pairs.masked_fill(is_closed.unsqueeze(-1), 0), -1)
        shares = shares.masked_fill(is_closed.unsqueeze(-1), 0)
        left.insert(0, shares[..., 0])
        right.insert(0, shares[..., 1])
        of_subtree = torch.logsumexp(pairs, -1)
    return Tree(categorical_dim, torch.cat(right, -1), torch.cat(left, -1))


def disarm_tree_gradient(tree: Tree, decisions: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Return the estimate, shape (..., L, C).

    Args:
        tree: The tree of the logits.
        decisions: b and b̃ of every pair, shape (2, N, ..., L, nodes).
        losses: f(z) and f(z̃), shape (2, N, ...).
    """
    draw, mirrored = decisions.to(tree.right.dtype)
    on_draw, on_mirrored = tree.on_path(decisions)
    both = (draw - mirrored) * torch.maximum(tree.right, tree.left)
    alone = torch.where(on_draw, draw - tree.right, tree.right - mirrored)
    weights = torch.where(on_draw & on_mirrored, both, alone.masked_fill(~(on_draw | on_mirrored), 0))
    difference = (losses[0] - losses[1])[..., None, None] / 2
    return tree.of_logits(mean_over_samples(difference * weights))
