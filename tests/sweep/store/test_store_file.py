from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from sweep.execution.outbox import Outbox
from sweep.execution.tracking import open_experiment
from sweep.home import Home
from sweep.planning.plan import make_plan
from sweep.runner import _tracker
from sweep.store.lease import Lease
from sweep.store.store import Store, StoreError
from sweep.store.store_file import StoreFile
from tests.sweep.samples import SPEC_TEXT, spec_of


def test_a_file_that_is_removed_or_replaced_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("of before")
    file = StoreFile(path)
    file.check()
    path.write_text("written to")
    file.check()
    kept = path.rename(tmp_path / "kept")
    with pytest.raises(OSError, match=f"its file {path} is gone or another one"):
        file.check()
    path.write_text("another")
    with pytest.raises(OSError, match="is gone or another one"):
        file.check()
    kept.replace(path)
    file.check()


def test_a_store_that_is_no_file_cannot_lose_it() -> None:
    assert StoreFile(None).check() is None


def test_a_driver_whose_store_is_removed_writes_nothing_into_thin_air_and_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.runner.Outbox", partial(Outbox, pauses=(0.02,), patience=0.1))
    store, spec = Store(home), spec_of(seeds=1)
    assert home.sqlite_path is not None
    with Lease(store.client, open_experiment(store.client, spec.name, home), print) as lease:
        plan = make_plan(spec, store.members(), home)
        tracker = _tracker(plan, store, lease, SPEC_TEXT)
        home.sqlite_path.unlink()
        tracker.start(plan.packs[0])
        with pytest.raises(StoreError, match=r"mlflow.db is gone or .* taken before\); once it answers"):
            tracker.close(is_complete=True)
