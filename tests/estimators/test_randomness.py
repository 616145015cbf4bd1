"""Draws without a generator follow PyTorch's default one, wherever PyTorch keeps its state."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

from estimators import reinmax
from estimators.randomness import fill_uniform
from tests.estimators.oracles import normal
from tests.estimators.registry_table import every_pathwise, sample_of
from tests.estimators.rule_table import seeded


class Drawn(Dataset):
    """Samples that the workers of a loader draw."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return reinmax(torch.zeros(16, 5))


def drawn_by_workers(seed):
    reinmax(torch.zeros(1, 5))  # whatever the parent keeps, its forked children have
    loader = DataLoader(
        Drawn(), batch_size=2, num_workers=4, multiprocessing_context="fork", generator=seeded(seed)
    )
    return torch.cat(list(loader)).flatten(1)


def test_workers_draw_differently_and_as_the_loader_s_seed_says():
    first, again, other = (drawn_by_workers(seed) for seed in (1, 1, 2))
    assert len(first.unique(dim=0)) == len(first)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_pathwise
@pytest.mark.parametrize("use_reentrant", [False, True], ids=["hooks", "reentrant"])
def test_checkpoint_computes_the_same_sample_again(estimator, use_reentrant):
    weight = normal(12, 12, seed=2)

    def losses(logits):
        return torch.tanh(sample_of(estimator, logits, None).flatten(1) @ weight).sum()

    gradients = []
    for forward in (losses, lambda logits: checkpoint(losses, logits, use_reentrant=use_reentrant)):
        torch.manual_seed(1)
        leaf = normal(50, 3, 4, seed=1).requires_grad_()
        loss = forward(leaf)
        torch.manual_seed(2)
        loss.backward()
        gradients.append(leaf.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_generators_as_members_are_asked_for(count):
    with pytest.raises(ValueError, match="one for each index of the first axis"):
        fill_uniform(torch.empty(2, 5), [seeded(p) for p in range(count)])
