from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.trainables.members import images, member
from trainables.pack_size import Trial, choose_pack_size, measure_pack_size


def _device(overhead: float, per_member: float, memory: float) -> Callable[[int], Trial | None]:
    """Return a device whose step of P members takes overhead + P · per_member seconds."""

    def attempt(size: int) -> Trial | None:
        if size * memory > 1:
            return None
        return Trial(overhead / size + per_member, size * memory)

    return attempt


@pytest.mark.parametrize(
    ("overhead", "per_member", "memory", "most", "expected"),
    [
        pytest.param(0.0, 1.0, 0.01, 64, 1, id="nothing to gain"),
        pytest.param(1.0, 0.0, 0.01, 64, 64, id="all to gain"),
        pytest.param(1.0, 0.0, 0.01, 63, 32, id="no more members than there are"),
        pytest.param(1.0, 0.0, 0.2, 64, 4, id="memory for five"),
        pytest.param(1.0, 0.0, 0.6, 64, 1, id="memory for one"),
        pytest.param(1.0, 0.0, 1.5, 64, 1, id="memory for none"),
        # Gains of doubling near the end: 0.131 / 0.116 = 1.14 for 64, 0.116 / 0.108 = 1.07 for 128.
        pytest.param(1.0, 0.1, 0.001, 1024, 64, id="gains fade"),
    ],
)
def test_packs_grow_while_members_gain_and_memory_lasts(
    overhead: float, per_member: float, memory: float, most: int, expected: int
) -> None:
    assert choose_pack_size(_device(overhead, per_member, memory), most) == expected


def test_size_whose_double_cannot_fit_is_not_doubled() -> None:
    tried = []

    def attempt(size: int) -> Trial:
        tried.append(size)
        return Trial(1 / size, 0.3 * size)

    assert choose_pack_size(attempt, 64) == 2
    assert tried == [1, 2]


def test_pack_that_turns_out_not_to_fit_leaves_the_last_one_that_did() -> None:
    attempt = _device(1.0, 0.0, 0.01)
    assert choose_pack_size(lambda size: attempt(size) if size < 8 else None, 64) == 4


def test_on_a_cpu_a_pack_has_one_member() -> None:
    members = [member(seed) for seed in range(4)]
    assert measure_pack_size(members, images(200), images(100), torch.device("cpu"), 1.0) == 1
