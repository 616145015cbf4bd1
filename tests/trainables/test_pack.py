from __future__ import annotations

import pytest

from tests.trainables.members import member
from trainables.pack import Pack


def test_members_may_differ_in_seed_and_temperature() -> None:
    pack = Pack((member(0, temperature=0.3), member(1, temperature=1.3)))
    assert len(pack) == 2
    assert Pack.from_params(pack.to_params()) == pack


@pytest.mark.parametrize("param", [{"lr": 0.001}, {"estimator": "st"}, {"epochs": 4}, {"latent_dim": 8}])
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
