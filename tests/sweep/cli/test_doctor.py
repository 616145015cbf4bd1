from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.cluster.environment import PACKAGES
from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import Driver, spec_of

Command = Callable[..., Answer]


def findings(answer: Answer) -> dict[str, tuple[str, str]]:
    """Return for each thing looked at whether it is as it should be, and what was found."""
    lines = [line.split(" ", 1) for line in answer.out.splitlines()]
    return {rest.strip().split(": ", 1)[0]: (sign, rest.split(": ", 1)[1]) for sign, rest in lines}


def test_where_all_is_well_every_line_says_so(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    answer = catsweep("doctor", "--home", home.path)
    found = findings(answer)
    assert (answer.status, answer.err) == (0, "")
    assert {sign for sign, _ in found.values()} == {"ok"}
    assert set(PACKAGES) <= set(found)
    assert found["home"] == ("ok", str(home.path))
    assert found["store"] == ("ok", f"{home.tracking_uri}, 2 members")
    assert found["mnist"] == ("ok", "not fetched; catsweep data fetch mnist")


def test_what_is_wrong_is_in_the_exit_status_and_the_rest_is_looked_at_all_the_same(
    catsweep: Command, own_folder: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.cluster.environment.PACKAGES", ("torch", "no-such-package-of-ours"))
    (own_folder / "file").write_text("")
    uri = f"http://127.0.0.1:{unused_port}"
    answer = catsweep("doctor", "--home", "file/home", "--tracking-uri", uri)
    found = findings(answer)
    assert answer.status == 1
    wrong = {what for what, (sign, _) in found.items() if sign == "WRONG"}
    assert wrong == {"no-such-package-of-ours", "home", "store"}
    assert found["store"][1].startswith(f"tracking server {uri} does not answer")
    assert "mnist" in found


def test_damaged_data_are_wrong(catsweep: Command, home: Home) -> None:
    (home.data / "mnist").mkdir()
    answer = catsweep("doctor", "--home", home.path)
    assert answer.status == 1
    assert findings(answer)["mnist"][0] == "WRONG"


def test_a_store_on_a_file_system_of_another_machine_is_told(
    catsweep: Command, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.store.file_system.remote_kind", lambda path: "nfs4")
    sign, detail = findings(catsweep("doctor", "--home", home.path))["store"]
    assert sign == "ok"
    assert detail.endswith(
        "an SQLite file on nfs4 is for one driver at a time, for more let a server keep it"
    )


def test_cores_and_memory_are_those_that_the_process_may_use(
    catsweep: Command, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.allowance.usable_cores", lambda: 3)
    monkeypatch.setattr("trainables.allowance.usable_memory", lambda: 5 * 2**30)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    found = findings(catsweep("doctor", "--home", home.path))["processors"][1]
    assert found.startswith("3 cores of 8, all that this process may use; 5.0 GiB of memory; GPUs: ")
