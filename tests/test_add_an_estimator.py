"""docs/add-an-estimator.md, followed to the letter in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add-an-estimator.md").read_text()
NAME = "self_critical"
COPIED = ("estimators", "trainables", "sweep", "analysis", "tests", "docs")
CHOSEN = (
    f"{NAME} or test_registry or test_names or every_rule or readme_lists or readme_spec or of_the_readme"
)
"""The new estimator's tests, and those that look at the whole registry."""
LEFT_OUT = ("test_properties.py", "test_fused_gumbel.py")
"""The first takes long, the second has nothing to do with it and loads a compiler."""

TRAIN = """
from analysis.formats.rendering import render
from analysis.runs.frame import runs_frame
from analysis.tables.table import table
from tests.trainables.members import data
from trainables import schema
from trainables.task_registry import METRIC
from trainables.store.run_record import LastValue, RunRecord
from trainables.tasks.mnist_vae import DiscreteVaeTrainer


def records_of(pack, trainer):
    while not trainer.is_finished:
        record = trainer.run_epoch()
    for member, metrics in zip(pack.members, record.metrics, strict=True):
        tags = {schema.TAG_KIND: schema.KIND_MEMBER, schema.TAG_SCHEMA_VERSION: schema.SCHEMA_VERSION}
        values = {name: LastValue(value, record.epoch) for name, value in metrics.items()}
        yield RunRecord(member.hash, "own", "FINISHED", 0, 1, member.params, tags, values)
"""
USE = f"""{TRAIN}
import torch

from estimators import {NAME}
from sweep.home import Home
from sweep.planning.plan import make_plan
from sweep.spec.file import load_spec

target = torch.tensor([2, 0])
logits = torch.zeros(1000, 2, 4, requires_grad=True)
wrong = lambda x: (x.argmax(-1) != target).sum(-1).float()
{NAME}(logits, wrong, num_samples=3).surrogate.mean().backward()
assert torch.equal(logits.grad.sum(0).argmin(-1), target)

plan = make_plan(load_spec("own.yaml"), {{}}, Home.resolve("home"))
records = []
for pack in plan.packs:
    records += records_of(pack, DiscreteVaeTrainer(pack, data(60, 20)))
print(render(table(runs_frame(records, METRIC), plan.requests)))
"""

SPEC = f"""
name: own
epochs: 2
batch_size: 20
seeds: 2
grid:
  - {{estimator: [st, {NAME}], latent: 4x4, lr: 0.001}}
"""

OF_ITS_OWN = f"""
name: own
epochs: 1
batch_size: 20
seeds: 1
grid:
  - {{estimator: {NAME}, latent: 4x4, lr: 0.001, shrinkage: [0, 5e-1, 1]}}
"""
FOLLOWS = f"""{TRAIN}
from pathlib import Path

from analysis.figures.choice import choose
from analysis.tables.labels import row_labels
from sweep.search.space import SearchSpace
from sweep.spec.file import SpecError, load_spec
from trainables.pack import Pack, cost_key, shared_params
from trainables.schema import Cell, param_of


def said_of(old, new):
    Path("wrong.yaml").write_text(Path("own.yaml").read_text().replace(old, new))
    try:
        load_spec("wrong.yaml")
    except SpecError as error:
        return str(error)

assert said_of("[0, 5e-1, 1]", "[1, -1]") == (
    "wrong.yaml, line 7: shrinkage must be >= 0, got -1 (grid block 1)")
assert said_of("{NAME}", "rloo") == (
    "wrong.yaml, line 7: shrinkage must be left out: rloo takes only num_samples, got [0.0, 0.5, 1.0] "
    "(grid block 1)")
assert said_of("shrinkage", "shrinkag").endswith("unknown key 'shrinkag'; nearest: shrinkage (grid block 1)")

spec = load_spec("own.yaml")
cells = [request.cell for request in spec.requests()]
assert [cell.params["shrinkage"] for cell in cells] == ["0.0", "0.5", "1.0"]
without = {{name: value for name, value in cells[2].params.items() if name != "shrinkage"}}
assert Cell.from_params(without).hash == cells[2].hash
assert len({{cell.hash for cell in cells}}) == 3
assert row_labels(cells) == [f"{NAME} κ {{value}}" for value in ("0.0", "0.5", "1.0")]
assert (choose(cells)[0].against, param_of("shrinkage").axis) == (("shrinkage",), "shrinkage κ")
assert [axis.key for axis in SearchSpace(spec).blocks[0]] == ["shrinkage"]

pack = Pack(tuple(member for request in spec.requests() for member in request.members))
assert len({{shared_params(member) for member in pack.members}}) == 1
assert "shrinkage" not in cost_key(pack.members[0])
trainer = DiscreteVaeTrainer(pack, data(60, 20))
assert trainer._estimator.sampler(0).keywords["shrinkage"].flatten().tolist() == [0.0, 0.5, 1.0]
frame = table(runs_frame(records_of(pack, trainer), METRIC), spec.requests())
assert sorted(frame["shrinkage"]) == ["0.0", "0.5", "1.0"]
print(render(frame))
"""


def _blocks() -> list[str]:
    """Return the estimator's file, the registry's line, the test's file and the line of a hyperparameter."""
    return re.findall(r"```(?:python|text)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with what the page adds to it, and nothing else."""
    root = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "Makefile"):
        shutil.copy(ROOT / name, root)
    estimator, line, oracle, _ = _blocks()
    files = re.findall(rf"`((?:estimators|tests)/[\w/]*{NAME}\.py)`", PAGE)
    for file, text in zip(files, (estimator, oracle), strict=True):
        assert not (root / file).exists()
        (root / file).write_text(text)
    registry = root / "estimators" / "registry.py"
    text = registry.read_text()
    assert text.count("\n)\n\n_ENTRIES") == 1
    registry.write_text(text.replace("\n)\n\n_ENTRIES", f"\n{line})\n\n_ENTRIES"))
    return root


def _run(root: Path, *arguments: str) -> str:
    """Run Python in the copy, on the copy's packages; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=root, env=environment
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_file_is_short_and_the_registry_s_part_is_one_line() -> None:
    estimator, line, *_ = _blocks()
    assert len(estimator.splitlines()) < 60
    assert line.count("\n") == 1


def test_conformance_tests_and_its_own_oracle_take_it(copy: Path) -> None:
    ignored = [f"--ignore=tests/estimators/{name}" for name in LEFT_OUT]
    folders = ("tests/estimators", "tests/analysis/test_names.py", "tests/test_docs.py")
    printed = _run(copy, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-k", CHOSEN, *ignored, *folders)
    for test in (
        f"test_conformance.py::test_sample_is_exactly_one_hot[8-float32-{NAME}]",
        f"test_packs.py::test_pack_of_one_equals_no_pack[{NAME}]",
        f"test_unbiased.py::test_means_are_the_exact_gradient_and_the_expectation[{NAME}-one sample]",
        f"test_{NAME}.py::test_check_rejects_a_baseline_that_knows_the_draw",
        f"test_names.py::test_defaults_are_those_of_the_hyperparameters_that_the_estimator_takes[{NAME}]",
    ):
        assert re.search(rf"^PASSED \S*{re.escape(test)}$", printed, re.MULTILINE), f"{test}\n{printed}"


def test_it_trains_in_a_sweep_and_has_a_row(copy: Path) -> None:
    (copy / "own.yaml").write_text(SPEC)
    rows = _run(copy, "-c", USE).splitlines()
    assert any(re.match(rf"{NAME} +[\d.]+ ± [\d.]+ #[12]", row) for row in rows), rows
    assert any(re.match(r"ST +[\d.]+ ± [\d.]+ #[12]", row) for row in rows), rows


def test_a_hyperparameter_is_declared_in_one_place_and_all_else_follows(copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(copy, root)
    _, line, _, declaration = _blocks()
    assert declaration.count("\n") == 1
    with (root / "estimators" / "hyperparameter.py").open("a") as file:
        file.write(declaration)
    name, own = declaration.partition(" ")[0], f"estimators/score_function/{NAME}.py"
    for changed, old, new in (
        ("estimators/registry.py", line, line.replace("(NUM_SAMPLES,)", f"(NUM_SAMPLES, {name})")),
        ("estimators/registry.py", "    NUM_SAMPLES,\n", f"    NUM_SAMPLES,\n    {name},\n"),
        (own, "import NUM_SAMPLES\n", f"import NUM_SAMPLES, {name}\n"),
        (own, "num_samples: int = 2,\n", "num_samples: int = 2,\n    shrinkage: float = 1.0,\n"),
        (own, "{NUM_SAMPLES: num_samples}", f"{{NUM_SAMPLES: num_samples, {name}: shrinkage}}"),
        (own, "num_samples: int, generator", "num_samples: int, shrinkage: float, generator"),
        (own, "(losses[:-1]), gradient)", "(losses[:-1]), shrinkage * gradient)"),
    ):
        text = (root / changed).read_text()
        assert text.count(old) == 1, old
        (root / changed).write_text(text.replace(old, new))
    (root / "own.yaml").write_text(OF_ITS_OWN)
    row = _run(root, "-c", FOLLOWS).splitlines()
    assert [line for line in row if re.match(rf"{NAME} κ 0\.5 +[\d.]+ #[123]", line)], row
    folders = (
        "tests/trainables/test_schema.py",
        "tests/trainables/test_params.py",
        "tests/analysis/test_names.py",
    )
    conformance = ("tests/estimators/test_conformance.py", "tests/estimators/test_packs.py")
    chosen = f"{NAME} or shrinkage or declar"
    _run(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *folders, *conformance)
