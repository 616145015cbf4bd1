from __future__ import annotations

import pytest

from tests.trainables.members import member
from trainables.pack import Pack, shared_params


def test_members_may_differ_in_seed_and_temperature() -> None:
    pack = Pack((member(0, temperature=0.3), member(1, temperature=1.3)))
    assert len(pack) == 2
    assert Pack.from_params(pack.to_params()) == pack


@pytest.mark.parametrize(
    "param", [{"optimizer": "radam"}, {"estimator": "st"}, {"epochs": 4}, {"latent_dim": 8}]
)
def test_members_share_everything_else(param: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="may differ only in"):
        Pack((member(0), member(1, **param)))


def test_empty_pack_and_twins_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Pack(())
    with pytest.raises(ValueError, match="must differ"):
        Pack((member(0), member(0)))


def test_hash_depends_on_the_order_of_members() -> None:
    assert Pack((member(0), member(1))).hash != Pack((member(1), member(0))).hash


def test_learning_rates_may_differ_where_packs_are_formed_for_a_gpu() -> None:
    slow, fast = member(0), member(0, lr=0.001)
    assert len(Pack((slow, fast))) == 2
    assert "lr" not in Pack((slow, fast)).shared
    assert shared_params(slow) != shared_params(fast)
    assert shared_params(slow, is_on_gpu=True) == shared_params(fast, is_on_gpu=True)
