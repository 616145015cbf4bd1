from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sweep.home import Home
from sweep.planning.namesake import note_of_others
from sweep.planning.plan import Plan, make_plan
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoredMember
from tests.chaos.servers import MlflowServer
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of

Command = Callable[..., Answer]


def plan_of(spec: Spec, held: Spec, home: Path, experiment: str = "small") -> Plan:
    """Return a plan where an experiment holds all members of another spec."""
    stored = {
        member.hash: StoredMember(member, "run", "FINISHED", 2, {}, experiment=experiment)
        for request in held.requests()
        for member in request.members
    }
    return make_plan(spec, stored, Home.resolve(home))


def test_what_another_sweep_of_the_name_holds_is_told_by_what_differs(tmp_path: Path) -> None:
    held = spec_of({"lr": [0.1, 0.2, 0.3, 0.4]}, epochs=3)
    assert note_of_others(plan_of(spec_of(), held, tmp_path)) == (
        "note: sweep small in this store also holds 8 members that this spec does not ask for (lr 0.1, 0.2, "
        "0.3, ...; epochs 3); they stay, and another name would keep them apart"
    )


def test_fewer_seeds_and_other_combinations_are_told(tmp_path: Path) -> None:
    assert "holds 1 members that this spec does not ask for (seed 2);" in str(
        note_of_others(plan_of(spec_of(), spec_of(seeds=3), tmp_path))
    )
    crossed = spec_of({"lr": 0.1, "temperature": 2}, {"lr": 0.2, "temperature": 1})
    straight = spec_of({"lr": 0.1, "temperature": 1}, {"lr": 0.2, "temperature": 2})
    assert "(values that this spec has in other combinations)" in str(
        note_of_others(plan_of(straight, crossed, tmp_path))
    )


def test_a_wider_spec_and_a_sweep_of_another_name_are_nothing_to_tell(tmp_path: Path) -> None:
    wider = spec_of({"lr": [0.0005, 0.1]}, seeds=3)
    assert note_of_others(plan_of(wider, spec_of(), tmp_path)) is None
    assert note_of_others(plan_of(spec_of(), spec_of(epochs=3), tmp_path, "other")) is None


def test_plan_and_run_tell_it_on_stderr(catsweep: Command, home: Home, drive: Callable[..., Driver]) -> None:
    drive(spec_of(epochs=2)).train_all({0: 100.0, 1: 104.0})
    drive(spec_of({"lr": 0.1}, epochs=2)).train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)
    note = (
        "note: sweep small in this store also holds 2 members that this spec does not ask for (lr 0.1); they "
        "stay, and another name would keep them apart\n"
    )
    for words in (("plan",), ("plan", "--json"), ("run", "--dry-run")):
        answer = catsweep(*words, "grid.yaml", "--home", home.path)
        assert (answer.status, answer.err) == (0, note)
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert answer.status == 0
    assert answer.err.startswith(note)


def test_a_search_asks_for_all_of_its_space(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of({"lr": [0.1, 0.2]})).train_all({0: 100.0, 1: 104.0})
    search = "search: {kind: optuna, trials: 1}\n"
    Path("grid.yaml").write_text(SPEC_TEXT.replace("0.0005", "[0.1, 0.2]") + search)
    assert catsweep("plan", "grid.yaml", "--home", home.path).err == ""
    Path("grid.yaml").write_text(SPEC_TEXT.replace("0.0005", "[0.1, 0.3]") + search)
    assert "(lr 0.2)" in catsweep("plan", "grid.yaml", "--home", home.path).err


def test_a_server_tells_the_same(tmp_path: Path, catsweep: Command) -> None:
    server = MlflowServer(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}")
    try:
        server.start()
        home = Home.resolve(tmp_path / "home", f"http://127.0.0.1:{server.port}")
        Driver(spec_of({"lr": 0.1}), home).train_all({0: 100.0, 1: 104.0})
        Path("grid.yaml").write_text(SPEC_TEXT)
        answer = catsweep("plan", "grid.yaml", "--home", home.path, "--tracking-uri", home.tracking_uri)
    finally:
        server.kill()
    assert "holds 2 members that this spec does not ask for (lr 0.1)" in answer.err
