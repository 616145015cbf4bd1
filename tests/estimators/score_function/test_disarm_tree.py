"""DisARM-Tree: exact in expectation, every node's pair of decisions enumerated."""

import itertools

import pytest
import torch

from estimators.score_function.disarm import disarm_gradient
from estimators.score_function.disarm_tree import disarm_tree_gradient, tree_of
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import exact_gradient, normal

LOGITS = [normal(1, 4, seed=1), normal(2, 4, seed=2), normal(2, 3, seed=3), normal(1, 5, seed=4, scale=2)]


def pairs_of(p):
    """The pairs (b, b̃) of one node with their probabilities."""
    rare = min(p, 1 - p)
    same = int(p > 0.5)
    return [((same, same), 1 - 2 * rare), ((1, 0), rare), ((0, 1), rare)]


def check_expectation(rule, f, logits):
    tree = tree_of(logits)
    nodes = [pairs_of(p) for p in tree.right.flatten().tolist()]
    cases = list(itertools.product(*nodes))
    weights = torch.tensor([[p for _, p in case] for case in cases], dtype=torch.float64).prod(-1)
    decisions = torch.tensor([[pair for pair, _ in case] for case in cases]).movedim(-1, 0)
    decisions = decisions.view(2, 1, len(cases), *tree.right.shape)
    categories = tree.leaves(decisions)
    possible = weights > 0  # a leaf of padding is no category
    decisions, categories, weights = decisions[:, :, possible], categories[:, :, possible], weights[possible]
    losses = f(torch.nn.functional.one_hot(categories, logits.shape[-1]).double())
    estimates = rule(tree_of(logits.expand(len(weights), *logits.shape)), decisions, losses)
    mean = (weights[:, None, None] * estimates).sum(0)
    torch.testing.assert_close(mean, exact_gradient(f, logits), rtol=0, atol=1e-10)


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_the_exact_gradient(f, logits):
    check_expectation(disarm_tree_gradient, f, logits)


def _nodes_off_the_path_of_z_left_out(tree, decisions, losses):
    """As if only z's path counted."""
    on_draw, on_mirrored = tree.on_path(decisions)
    draw, mirrored = decisions.double()
    both = (draw - mirrored) * torch.maximum(tree.right, tree.left)
    weights = torch.where(on_draw & on_mirrored, both, (draw - tree.right) * on_draw)
    return tree.of_logits(((losses[0] - losses[1])[..., None, None] / 2 * weights).mean(0))


def _twice(tree, decisions, losses):
    return 2 * disarm_tree_gradient(tree, decisions, losses)


@pytest.mark.parametrize("planted", [_nodes_off_the_path_of_z_left_out, _twice])
def test_check_rejects(planted):
    with pytest.raises(AssertionError, match="not close"):
        check_expectation(planted, mlp, LOGITS[1])


def test_two_categories_are_disarm():
    logits, losses = normal(3, 2, seed=5), normal(2, 6, seed=6)
    decisions = torch.tensor([[1, 0, 1], [0, 1, 1]]).view(2, 1, 3, 1).expand(2, 6, 3, 1)
    found = disarm_tree_gradient(tree_of(logits), decisions, losses)
    expected = disarm_gradient(logits, decisions[..., 0].flatten(0, 1), losses.flatten())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


def test_leaves_have_the_softmax_probabilities():
    logits = normal(2, 5, seed=7)
    tree, probs = tree_of(logits), torch.zeros(2, 5, dtype=torch.float64)
    for bits in itertools.product((0, 1), repeat=tree.num_nodes):
        decisions = torch.tensor(bits).expand(2, -1)
        weight = torch.where(decisions > 0, tree.right, tree.left)
        category = tree.leaves(decisions)
        weight = weight.where(tree.on_path(decisions), 1).prod(-1)
        others = 2.0 ** -(tree.num_nodes - tree.on_path(decisions).sum(-1))
        for variable in range(2):
            if category[variable] < 5:
                probs[variable, category[variable]] += weight[variable] * others[variable]
    torch.testing.assert_close(probs, logits.softmax(-1), rtol=0, atol=1e-12)
