"""Documentation says what the code does: the command line reference, and the README's examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_command_line_reference_is_what_the_help_says() -> None:
    command = [sys.executable, "-m", "typer", "sweep.cli.main", "utils", "docs"]
    options = ["--name", "catsweep", "--title", "Command line"]
    answer = subprocess.run([*command, *options], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (ROOT / "docs" / "cli.md").read_text().strip() == answer.stdout.strip(), "run `make docs`"


def test_readme_names_every_preset() -> None:
    from sweep.spec.file import preset_names

    named = set(re.findall(r"`([a-z0-9-]+)`", README))
    assert {name for name in preset_names() if not name.endswith("-smoke")} <= named


def test_links_between_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_python_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], check=True, cwd=ROOT)


def test_readme_spec_is_valid_and_its_error_is_the_real_one(tmp_path: Path) -> None:
    from sweep.spec.file import SpecError, load_spec

    (spec_text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    spec = tmp_path / "rao.yaml"
    spec.write_text(spec_text)
    members = sum(len(request.seeds) for request in load_spec(spec).requests())
    assert f"trains its {members} members" in README
    spec.write_text(spec_text.replace("reinmax_rao", "reinmax_roa"))
    with pytest.raises(SpecError) as caught:
        load_spec(spec)
    # An estimator of one's own is one more name in this list, and not in the README's.
    shown = re.search(r"^error: rao.yaml, (.*)$", README, re.MULTILINE)
    assert shown
    listed = r"one of (.*?), got"
    said = str(caught.value).removeprefix(f"{spec}, ")
    assert re.sub(listed, "", said) == re.sub(listed, "", shown[1])
    names = [set(re.search(listed, text)[1].split(", ")) for text in (shown[1], said)]  # type: ignore[index]
    assert names[0] <= names[1]


def test_readme_commands_exist() -> None:
    from typer.main import get_command

    from sweep.cli.main import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"^\$ catsweep (\w+)", README, re.MULTILINE))
    assert used
    assert used <= known
    targets = set(re.findall(r"^\$ make (\w+)", README, re.MULTILINE))
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_readme_lists_estimators_with_their_hyperparameters() -> None:
    from estimators import REGISTRY

    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", README, re.MULTILINE))
    assert rows == {
        name: ", ".join(own.name for own in REGISTRY[name].hyperparameters) or "none" for name in rows
    }


def test_every_estimator_of_the_readme_is_in_the_overview() -> None:
    in_readme = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    overview = (ROOT / "docs" / "estimators.md").read_text()
    linked = re.findall(
        r"^\| \[`(\w+)`\]\(\.\./estimators/(?:pathwise|score_function)/\1\.py\)", overview, re.MULTILINE
    )
    assert len(in_readme) >= 18
    assert sorted(linked) == sorted(in_readme)
