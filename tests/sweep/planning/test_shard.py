from __future__ import annotations

from pathlib import Path

import pytest

from sweep.home import Home
from sweep.planning.plan import make_plan
from sweep.planning.shard import Shard
from sweep.spec.file import SpecError, load_spec
from tests.sweep.samples import spec_of
from tests.sweep.search.samples import search_of


@pytest.mark.parametrize("text", ["3", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4", "1/ 4", ""])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="--shard must be i/N with i from 1 to N, such as 3/16"):
        Shard.parse(text)


@pytest.mark.parametrize("preset", ["quickstart", "table2", "table2-8x4"])
@pytest.mark.parametrize("count", [1, 2, 7, 16, 1000])
def test_shards_have_every_member_once_and_about_as_many_each(preset: str, count: int) -> None:
    spec = load_spec(preset)
    everything = [member.hash for request in spec.requests() for member in request.members]
    shards = [
        [
            member.hash
            for part in Shard(index, count).requests(spec, spec.requests())
            for member in part.members
        ]
        for index in range(1, count + 1)
    ]
    assert sorted(key for shard in shards for key in shard) == sorted(everything)
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= max(1, len(everything) // count // 2)


def test_which_members_a_shard_has_depends_on_no_device_and_on_nothing_that_is_done(tmp_path: Path) -> None:
    home = Home.resolve(tmp_path)
    grid = {"lr": [0.001, 0.0005], "temperature": [0.5, 1.0]}
    found = [
        {member.hash for member in make_plan(one, {}, home, shard=Shard(1, 3)).members}
        for gpus in ("auto", 0, 0.5, [1, 0])
        for one in (spec_of(grid, seeds=4, resources={"gpus": gpus}),)
    ]
    assert all(one == found[0] for one in found)
    assert 0 < len(found[0]) < 16


def test_a_stated_pack_size_stays_whole() -> None:
    spec = spec_of({"temperature": [0.5, 1.0]}, seeds=8, resources={"members_per_pack": 8})
    parts = [Shard(index, 2).requests(spec, spec.requests()) for index in (1, 2)]
    assert [sum(len(part.seeds) for part in one) for one in parts] == [8, 8]


def test_a_search_is_not_divided(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"--shard must be left out where search\.kind is optuna"):
        make_plan(search_of(trials=2), {}, Home.resolve(tmp_path), shard=Shard(1, 2))
