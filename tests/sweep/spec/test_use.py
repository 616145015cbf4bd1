"""`use:` in a spec: a user's estimators from her file to a row of a table, without a fork."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis import load_runs, table
from estimators import REGISTRY
from estimators.registry import SHIPPED, registered, unregister
from sweep.home import Home
from sweep.planning.plan import make_plan
from sweep.search.space import SearchSpace
from sweep.spec.file import SpecError, load_spec
from sweep.spec.use import UseError, check_code, register_function, shipped_by_value
from sweep.store.store import Store
from tests.sweep.conftest import Answer
from tests.sweep.samples import Driver
from trainables.schema import Cell, Member

Command = Callable[..., Answer]

CODE = """
from estimators import Hyperparameter, estimator
from estimators.sampling import sample_one_hot

@estimator(label="Soft", hyperparameters=[Hyperparameter("kappa", default=1.0, minimum=0, symbol="κ")])
def my_soft(logits, *, temperature=1.0, kappa=1.0, generator=None):
    probs = (kappa * logits / temperature).softmax(-1)
    return sample_one_hot(logits, generator) - probs.detach() + probs
"""
SPEC = """name: mine
use: [my_estimators.py]
epochs: 2
seeds: 1
grid:
  - {estimator: [st, my_soft], latent: 8x4, lr: 0.0005}
  - {estimator: my_soft, latent: 8x4, lr: 0.0005, kappa: [0.5, 2]}
"""


@pytest.fixture(autouse=True)
def only_what_ships() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def spec(own_folder: Path) -> Path:
    (own_folder / "my_estimators.py").write_text(CODE)
    (own_folder / "mine.yaml").write_text(SPEC)
    return own_folder / "mine.yaml"


def changed(spec: Path, old: str, new: str) -> Path:
    assert old in spec.read_text()
    spec.write_text(spec.read_text().replace(old, new))
    return spec


def test_a_file_s_estimators_are_estimators_of_the_spec(spec: Path) -> None:
    cells = [request.cell for request in load_spec(spec).requests()]
    assert [(cell.estimator, cell.params.get("kappa")) for cell in cells] == [
        ("st", None), ("my_soft", "1.0"), ("my_soft", "0.5"), ("my_soft", "2.0"),
    ]  # fmt: skip
    assert "estimator_version" not in cells[0].params
    assert cells[1].params["estimator_version"].startswith("sha256:")
    assert cells[1].params["hyperparameters"] == "kappa"
    assert Cell.from_params(cells[1].params).hash == cells[1].hash


def test_other_code_is_another_member_and_a_stated_version_stays_one(spec: Path) -> None:
    code = spec.parent / "my_estimators.py"
    before = [request.cell.hash for request in load_spec(spec).requests()]
    code.write_text(CODE + "\n# a comment\n")
    after = [request.cell.hash for request in load_spec(spec).requests()]
    assert (after[0] == before[0], after[1] != before[1]) == (True, True)
    code.write_text(CODE.replace('label="Soft"', 'label="Soft", version="2"'))
    stated = [request.cell.hash for request in load_spec(spec).requests()]
    code.write_text(CODE.replace('label="Soft"', 'label="Soft", version="2"') + "\n# a comment\n")
    assert [request.cell.hash for request in load_spec(spec).requests()] == stated


def test_what_a_file_imports_from_beside_it_counts_too(spec: Path) -> None:
    beside = spec.parent / "my_noise_for_this_test.py"
    beside.write_text("SCALE = 1.0\n")
    (spec.parent / "my_estimators.py").write_text("import my_noise_for_this_test\n" + CODE)
    before = load_spec(spec).requests()[1].cell.hash
    sys.modules.pop("my_noise_for_this_test")
    beside.write_text("SCALE = 2.0\n")
    assert load_spec(spec).requests()[1].cell.hash != before
    sys.modules.pop("my_noise_for_this_test")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kappa: [0.5, 2]", "kappa: -1", "line 7: kappa must be >= 0, got -1 (grid block 2)"),
        ("kappa: [0.5, 2]", "kapa: 1", "line 7: unknown key 'kapa'"),
        (
            "estimator: my_soft, ",
            "estimator: [my_soft, st], ",
            "line 7: kappa must be left out: st takes",
        ),
        (
            "kappa: [0.5, 2]",
            "hyperparameters: {kappa: [1]}",
            "line 7: unknown key 'hyperparameters'",
        ),
        ("my_estimators.py", "missing.py", "line 2: use: missing.py is not there: no file"),
        ("my_estimators.py", "no_such_module", "line 2: use: no_such_module is not there: neither a file"),
        ("my_estimators.py", "json", "line 2: use: json declares no estimator"),
        ("[my_estimators.py]", "[3]", "line 2: use must be files, relative to the spec, or modules, got [3]"),
    ],
)
def test_a_mistake_is_one_line(spec: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        load_spec(changed(spec, old, new))
    assert f"{spec}, {message}" in str(raised.value)


def test_an_error_in_the_file_names_file_and_line(spec: Path) -> None:
    code = spec.parent / "my_estimators.py"
    code.write_text("import torch\n\n1 / 0\n")
    with pytest.raises(SpecError, match=r"ZeroDivisionError: .* \(.*my_estimators.py, line 3\)"):
        load_spec(spec)
    code.write_text(CODE.replace("my_soft", "reinmax"))
    with pytest.raises(SpecError, match="estimator reinmax ships with catsweep"):
        load_spec(spec)


def test_what_breaks_is_found_before_anything_starts(spec: Path, catsweep: Command) -> None:
    code = spec.parent / "my_estimators.py"
    code.write_text(CODE.replace("probs.detach() + probs", "probs.detach()"))
    answer = catsweep("run", spec, "--home", "h")
    assert (answer.status, answer.out) == (2, "")
    assert "estimator my_soft: no gradient leads from its sample to the logits" in answer.err
    code.write_text(CODE.replace("    probs = (kappa", "    raise KeyError('mine')\n    probs = (kappa"))
    answer = catsweep("run", spec, "--home", "h")
    assert "my_estimators.py, line 7" in answer.err


def test_what_cannot_be_sent_to_workers_is_refused(own_folder: Path) -> None:
    import threading

    from estimators import estimator

    lock = threading.Lock()

    @estimator
    def mine(logits: Any, *, generator: Any = None) -> Any:
        with lock:
            return logits.softmax(-1)

    register_function(mine)
    cell = Cell.from_params({"estimator": "mine", "categorical_dim": 2, "latent_dim": 2})
    with pytest.raises(UseError, match="the code of mine cannot be sent to workers"):
        check_code([Member(cell, 0)])


def test_a_process_without_the_file_gets_the_code(spec: Path, tmp_path: Path) -> None:
    members = [one for request in load_spec(spec).requests() for one in request.members]
    (tmp_path / "shipped").write_bytes(shipped_by_value(members))
    shutil.move(spec.parent / "my_estimators.py", tmp_path / "gone.py")
    script = (
        "import pathlib, torch, estimators\n"
        "from trainables.own_estimators import take_over\n"
        f"take_over(pathlib.Path({str(tmp_path / 'shipped')!r}).read_bytes())\n"
        "entry = estimators.get('my_soft')\n"
        "draw = entry.draw(torch.zeros(1, 2, 3, 4), temperature=1.0, kappa=2.0, "
        "generator=[torch.Generator().manual_seed(0)])\n"
        "print(entry.label, draw.sample.sum().item())\n"
    )
    code = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=True,
    )
    assert code.stdout == "Soft 6.0\n"


def trained(spec: Path, home: Home) -> None:
    """Put finished members of the spec into the store, without training them."""
    driver = Driver(load_spec(spec), home)
    driver.train_all({0: 100.0})


def test_reading_needs_no_code(spec: Path, home: Home, catsweep: Command) -> None:
    trained(spec, home)
    with_code = catsweep("tables", spec, "--home", home.path)
    assert "Soft κ 0.5" in with_code.out
    (spec.parent / "my_estimators.py").unlink()
    for name in set(REGISTRY) - set(SHIPPED):
        unregister(name)
    assert catsweep("tables", spec, "--home", home.path).out == with_code.out
    answer = catsweep("status", spec, "--home", home.path)
    assert (answer.status, answer.out.splitlines()[-1][:5]) == (0, "disk:") or answer.status == 0
    assert catsweep("tables", spec, "--home", "elsewhere").status == 2


def test_members_of_earlier_code_stay_apart_and_the_table_says_so(
    spec: Path, home: Home, catsweep: Command
) -> None:
    trained(spec, home)
    said = "The store has 3 members of my_soft as other code had it: not in this table."
    assert said not in catsweep("tables", spec, "--home", home.path).out
    (spec.parent / "my_estimators.py").write_text(CODE.replace("kappa * logits", "logits * kappa"))
    answer = catsweep("tables", spec, "--home", home.path).out
    assert said in answer
    assert "Missing: Soft κ 1.0 8x4; Soft κ 0.5 8x4; Soft κ 2.0 8x4." in answer


def test_programs_get_the_user_s_hyperparameters_as_numbers(
    spec: Path, home: Home, catsweep: Command
) -> None:
    trained(spec, home)
    rows = json.loads(catsweep("tables", spec, "--home", home.path, "--format", "json").out)
    assert [row["kappa"] for row in rows] == [None, 1.0, 0.5, 2.0]


def test_without_the_code_nothing_new_is_trained(spec: Path, home: Home, catsweep: Command) -> None:
    trained(spec, home)
    (spec.parent / "my_estimators.py").unlink()
    for name in set(REGISTRY) - set(SHIPPED):
        unregister(name)
    answer = catsweep("run", changed(spec, "seeds: 1", "seeds: 2"), "--home", home.path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "error: the code of estimator my_soft is not here; name its file in use:\n"


def test_a_frame_has_the_user_s_hyperparameters(spec: Path, home: Home) -> None:
    trained(spec, home)
    runs = load_runs(home.tracking_uri)
    of_mine = runs[runs["estimator"] == "my_soft"]
    assert sorted(of_mine["kappa"]) == [0.5, 1.0, 2.0]
    assert runs[runs["estimator"] == "st"]["kappa"].isna().all()
    frame = table(runs, load_spec(spec).requests())
    assert sorted(frame["label"]) == ["ST", "Soft κ 0.5", "Soft κ 1.0", "Soft κ 2.0"]


def test_they_travel_to_another_store(spec: Path, home: Home, catsweep: Command) -> None:
    trained(spec, home)
    for name in ("mine.csv", "mine.parquet"):
        assert catsweep("export", spec, "--out", name, "--home", home.path).out.startswith("4 of 4 members")
        other = Home.resolve(f"home-of-{name}")
        assert "4 members brought in" in catsweep("import", name, "--home", other.path).out
        assert make_plan(load_spec(spec), Store(other).members(), other).packs == ()
        assert [one.name for one in Store(other).declared()] == ["my_soft"]


def test_a_search_goes_over_a_user_s_hyperparameter(spec: Path) -> None:
    spec = changed(spec, "grid:", "search: {kind: optuna, trials: 2}\ngrid:")
    space = SearchSpace(load_spec(spec))
    assert len(space) == 4
    chosen = {"block": "2", "kappa": "2.0"}
    cell, _ = space.choose(lambda name, _: chosen[name])
    assert space.requests[cell].cell.params["kappa"] == "2.0"


def test_a_function_of_a_notebook_is_one_too(own_folder: Path) -> None:
    def my_cell(logits: Any, *, temperature: float = 1.0, generator: Any = None) -> Any:
        return (logits / temperature).softmax(-1)

    assert register_function(my_cell) == "my_cell"
    (own_folder / "s.yaml").write_text(
        "name: s\nepochs: 1\nseeds: 1\ngrid: [{estimator: my_cell, latent: 8x4, lr: 1}]\n"
    )
    (request,) = load_spec(own_folder / "s.yaml").requests()
    assert request.cell.params["estimator_version"].startswith("sha256:")
