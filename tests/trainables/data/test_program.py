import os
import sys
import time
from pathlib import Path

import pytest

from trainables.data.errors import SourceError
from trainables.data.program import run_program


def run(code: str, folder: Path, seconds: float = 60) -> None:
    run_program([sys.executable, "-c", code], folder, seconds)


def test_a_program_runs_in_its_folder(tmp_path: Path) -> None:
    run("open('made', 'w')", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('first'); print('last'); exit(1)", "last"),
        (
            "import sys; print('out'); print('E: no\\nW: hm\\nE: host', file=sys.stderr); exit(1)",
            "E: no E: host",
        ),
        ("import sys; sys.exit('why')", "why"),
        ("exit(3)", f"{Path(sys.executable).name} ended with status 3"),
    ],
)
def test_a_program_that_fails_is_reported_in_its_own_words(code: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        run(code, tmp_path)
    assert str(caught.value) == reason


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"took longer than 0\.5 s"):
        run("import os, time; open('id', 'w').write(str(os.getpid())); time.sleep(60)", tmp_path, 0.5)
    assert time.monotonic() - began < 30
    if (tmp_path / "id").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "id").read_text()), 0)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no-such-program is not on this machine"):
        run_program(["no-such-program"], tmp_path, 1)
