from __future__ import annotations

from pathlib import Path

import pytest

from sweep.home import Home
from sweep.planning.cell_status import CellStatus, sweep_status
from sweep.planning.plan import make_plan
from sweep.store.store import StoredMember
from tests.sweep.samples import spec_of

COUNTS = ("num_done", "num_diverged", "num_running", "num_failed", "num_pruned", "num_missing")


def counts(status: CellStatus) -> tuple[int, ...]:
    return tuple(getattr(status, name) for name in COUNTS)


@pytest.fixture
def statuses(tmp_path: Path) -> list[CellStatus]:
    """Two cells of nine seeds: the first with a member in every state, the second untouched."""
    spec = spec_of({"lr": [0.001, 0.002]}, seeds=9)
    first, _ = spec.requests()
    states: list[tuple[str, dict[str, object]]] = [
        ("FINISHED", {}),
        ("FINISHED", {}),
        ("FINISHED", {"diverged": 3}),
        ("RUNNING", {}),
        ("SCHEDULED", {}),
        ("FAILED", {"error": "Traceback ...\n  in line 3\nRuntimeError: no memory\n"}),
        ("KILLED", {"error": " \n"}),
        ("KILLED", {"pruned": 1}),
    ]
    stored = {
        member.hash: StoredMember(member, "run", status, 2, {}, **more)  # type: ignore[arg-type]
        for member, (status, more) in zip(first.members, states, strict=False)
    }
    return sweep_status(make_plan(spec, stored, Home.resolve(tmp_path)))


def test_every_member_is_in_one_state(statuses: list[CellStatus]) -> None:
    assert [counts(status) for status in statuses] == [(2, 1, 2, 2, 1, 1), (0, 0, 0, 0, 0, 9)]
    assert [status.cell.params["lr"] for status in statuses] == ["0.001", "0.002"]


def test_an_error_is_its_last_line_with_the_seed(statuses: list[CellStatus]) -> None:
    assert [status.errors for status in statuses] == [("seed 5: RuntimeError: no memory",), ()]
