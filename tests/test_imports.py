"""The layers: estimators ← trainables ← sweep, analysis beside them, joined by the command line alone."""

from __future__ import annotations

import ast
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("estimators", "trainables", "sweep", "analysis")
ALLOWED = {
    "estimators": {"estimators"},
    "trainables": {"estimators", "trainables"},
    "sweep": {"estimators", "trainables", "sweep"},
    "analysis": {
        "analysis",
        "estimators.registry",  # names and rules alone, without torch
        "trainables.schema",
        "trainables.store",
        "trainables.task",
        "trainables.task_registry",
        "trainables.tasks",
        "trainables.user_error",
    },
    "sweep/cli": {"estimators", "trainables", "sweep", "analysis"},
}


def _layer(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "sweep/cli" if parts[:2] == ("sweep", "cli") else parts[0]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _is_within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for module in _imports(path)
        if module.split(".")[0] in PACKAGES and not _is_within(module, ALLOWED[_layer(path)])
    ]
    assert wrong == []


def _room(path: Path, root: Path) -> str:
    """Return the folder of a package that a file is in; one that lies in the package itself is a room."""
    return "/".join(path.relative_to(root).with_suffix("").parts[:2]).removesuffix("/__init__")


def _file_of(module: str, root: Path) -> Path | None:
    """Return the file that a module, or a name in one, is in."""
    path = root.joinpath(*module.split("."))
    for place in (path, path.parent):
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _arrows(package: str, root: Path) -> dict[str, dict[str, str]]:
    """Return for each room of a package the rooms it imports from, each with one of the imports."""
    arrows: dict[str, dict[str, str]] = {}
    for path in sorted((root / package).rglob("*.py")):
        room = _room(path, root)
        for module in _imports(path):
            file = _file_of(module, root) if module.split(".")[0] == package else None
            if file is not None and _room(file, root) != room:
                arrow = f"{path.relative_to(root)} imports {module}"
                arrows.setdefault(room, {}).setdefault(_room(file, root), arrow)
    return arrows


def _circles(arrows: dict[str, dict[str, str]], root: Path) -> list[list[str]]:
    """Return the circles that a walk along the arrows meets, each as the imports that make it.

    Files that lie in a package itself may need each other: a circle has a folder in it.
    """
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(room: str, way: list[str]) -> None:
        if room in way:
            circle = [*way[way.index(room) :], room]
            if any((root / one).is_dir() for one in circle):
                found.append([arrows[a][b] for a, b in itertools.pairwise(circle)])
        elif room not in done:
            for following in arrows.get(room, {}):
                walk(following, [*way, room])
            done.add(room)

    for room in arrows:
        walk(room, [])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_of_a_package_have_no_circle(package: str) -> None:
    circles = _circles(_arrows(package, ROOT), ROOT)
    assert not circles, "\n\n".join("\n".join(circle) for circle in circles)


def test_a_circle_of_three_folders_would_be_found_and_printed(tmp_path: Path) -> None:
    imports = {
        "one/a": "house.two.b",
        "two/b": "house.three.c",
        "three/c": "house.one",
        "four/d": "house.one.a",
    }
    for name, module in imports.items():
        (tmp_path / "house" / name).parent.mkdir(parents=True)
        (tmp_path / "house" / name).with_name("__init__.py").write_text("")
        (tmp_path / "house" / f"{name}.py").write_text(f"from {module} import x\n")
    (circle,) = _circles(_arrows("house", tmp_path), tmp_path)
    assert sorted(circle) == [
        "house/one/a.py imports house.two.b",
        "house/three/c.py imports house.one",
        "house/two/b.py imports house.three.c",
    ]


def test_rule_would_catch_a_wrong_import() -> None:
    assert not _is_within("sweep.runner", ALLOWED["analysis"])
    assert not _is_within("trainables.training.vae_trainer", ALLOWED["analysis"])
    assert not _is_within("estimators", ALLOWED["analysis"])


def test_one_file_of_trainables_needs_ray_and_one_mlflow() -> None:
    importing = {
        (module.split(".")[0], path.name)
        for path in (ROOT / "trainables").rglob("*.py")
        for module in _imports(path)
        if module.split(".")[0] in ("ray", "mlflow")
    }
    assert importing == {("ray", "pack_trainable.py"), ("mlflow", "run_client.py")}


def test_estimators_need_torch_alone_and_one_file_triton_where_there_is_one() -> None:
    outside = {
        (path.name, module.split(".")[0])
        for path in (ROOT / "estimators").rglob("*.py")
        for module in _imports(path)
        if module.split(".")[0] not in {"estimators", *sys.stdlib_module_names}
    }
    assert {pair for pair in outside if pair[1] != "torch"} == {("fused_gumbel.py", "triton")}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("estimators", ("ray", "mlflow", "pandas")),
        ("trainables.training.vae_trainer", ("ray", "mlflow", "pandas")),
        ("trainables.tasks", ("torch", "numpy", "ray", "mlflow", "pandas")),
        ("analysis", ("torch", "ray")),
        ("sweep.cli", ("torch", "ray", "mlflow", "pandas")),
    ],
)
def test_importing_brings_in_nothing_heavy(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {forbidden!r} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == "[]"


_ANY_COMMAND = ("torch", "ray", "mlflow")


@pytest.mark.parametrize(
    ("command", "forbidden"),
    [("plan", (*_ANY_COMMAND, "pandas")), ("status", (*_ANY_COMMAND, "pandas")), ("tables", _ANY_COMMAND)],
)
def test_commands_that_look_at_a_file_bring_in_nothing_heavy(
    command: str, forbidden: tuple[str, ...], tmp_path: Path, empty_store_file: Path
) -> None:
    shutil.copy(empty_store_file, tmp_path / "mlflow.db")
    words = ["catsweep", command, "quickstart", "--home", str(tmp_path), "--tracking-uri"]
    words.append(f"sqlite:///{tmp_path / 'mlflow.db'}")
    tell = f"print('heavy:', [name for name in {forbidden!r} if name in sys.modules])"
    code = f"import sys; sys.argv = {words!r}\nfrom sweep.cli import main\ntry: main()\nfinally: {tell}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (answer.returncode, answer.stdout.splitlines()[-1]) == (0, "heavy: []"), answer.stderr


@pytest.mark.parametrize("code", ["from sweep import run", "from analysis import load_runs"])
def test_usage_reports_of_mlflow_are_off_in_a_notebook_too(code: str) -> None:
    own = {key: value for key, value in os.environ.items() if key != "MLFLOW_DISABLE_TELEMETRY"}
    ask = "from mlflow.telemetry.utils import is_telemetry_disabled; print(is_telemetry_disabled())"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}; {ask}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=own,
    )
    assert answer.stdout.strip() == "True"


@pytest.mark.parametrize("package", ["sweep", "analysis"])
def test_no_folder_hides_a_function_of_the_package_s_face(package: str) -> None:
    modules = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / package).rglob("*.py")]
    imported = sorted({".".join(module.parts).removesuffix(".__init__") for module in modules})
    code = f"""
import importlib
for name in {imported}:
    importlib.import_module(name)
face = importlib.import_module("{package}")
print([name for name in face.__all__ if type(getattr(face, name)).__name__ == "module"])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == "[]"
