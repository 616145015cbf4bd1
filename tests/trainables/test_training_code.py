"""A hash says which code trains, and a process with other code than its driver's is refused."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from trainables.training_code import OtherCodeError, code_hash, own_code, require_code


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with copies of the packages that train, in which a new process would find them."""
    for package in ("estimators", "trainables"):
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    loaded = {name: module for name, module in sys.modules.items() if name in ("estimators", "trainables")}
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path


def test_a_copy_has_the_same_hash_until_a_file_changes_in_content_or_name(copied: Path) -> None:
    assert code_hash() == own_code()
    file = copied / "estimators" / "pathwise" / "st.py"
    text = file.read_text()
    file.write_text(text + "\n")
    changed = code_hash()
    file.write_text(text)
    assert code_hash() == own_code()
    file.rename(copied / "estimators" / "su.py")
    assert len({own_code(), changed, code_hash()}) == 3


def test_a_package_that_is_not_there_is_missing(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert code_hash() == "missing"


def test_other_code_than_the_driver_s_is_refused_in_one_line() -> None:
    require_code(own_code())
    with pytest.raises(OtherCodeError) as caught:
        require_code("0123456789ab")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("code of estimators and trainables must be 0123456789ab in every process")
    assert f"got {own_code()} from {REPOSITORY} on " in message


def test_what_changes_on_the_disk_after_the_start_is_not_what_this_process_runs(copied: Path) -> None:
    before = own_code()
    (copied / "estimators" / "pathwise" / "st.py").write_text("")
    assert own_code() == before
