"""Packs that ended while the store was away: the next run reports them, and trains nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from sweep.execution.kept_packs import kept_pack
from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.store.store import Store, StoreError
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, metrics_of, record, rows, spec_of
from trainables.pack import Pack
from trainables.pack_trainable import OUTCOME
from trainables.training.checkpoint import CheckpointFolder
from trainables.training.epochs import STATE_FORMAT

Drive = Callable[..., Driver]
Command = Callable[..., Answer]

RECORDS = (record(1, 110.0, 210.0), record(2, 100.0, 200.0))
MADE_BY = {
    "place": {"catsweep.device": "an old laptop"},
    "dataset_content": "mnist, all of it",
    "code": "of yesterday",
}
PICTURE = bytes(range(256))
LATER = "once it answers, give the same command again"


def away(*words: Any, **more: Any) -> None:
    raise MlflowException("away")


def checkpoint(home: Home, pack: Pack, **changes: Any) -> Path:
    """Leave the last checkpoint of a pack that was trained to its end, and return the file."""
    state = {
        "format": STATE_FORMAT,
        "members": [member.hash for member in pack.members],
        "history": [one.to_state() for one in RECORDS],
        OUTCOME: {"pictures": [PICTURE, None], **MADE_BY},
        **changes,
    }
    CheckpointFolder(home.checkpoints / pack.hash).save(state, 2)
    return home.checkpoints / pack.hash / "epoch-000002.pt"


@pytest.fixture
def pack(drive: Drive, monkeypatch: pytest.MonkeyPatch, home: Home, own_folder: Path) -> Pack:
    """A pack of two members whose store went away after an epoch, and stayed away until the driver ended."""
    driver = drive(spec_of(resources={"members_per_pack": 2}), patience=0.1, code=MADE_BY["code"])
    (pack,) = driver.plan.packs
    driver.tracker.start(pack)
    driver.tracker.log(pack, RECORDS[:1])
    driver.tracker.flush()
    driver.settle()
    with monkeypatch.context() as broken:
        for name in ("create_run", "log_batch", "set_terminated", "update_run", "log_artifact"):
            broken.setattr(driver.store.client, name, away)
        driver.tracker.log(pack, RECORDS[1:])
        driver.tracker.finish(pack, RECORDS[-1])
        with pytest.raises(StoreError, match=LATER):
            driver.tracker.close(is_complete=True)
    (own_folder / "grid.yaml").write_text(SPEC_TEXT)
    return pack


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a cluster in this file does what must not be done."""

    def cluster(*words: object) -> None:
        pytest.fail("Ray is started")

    monkeypatch.setattr("sweep.runner.cluster", cluster)


def metric_rows(home: Home) -> list[tuple[Any, ...]]:
    """Return every metric of every member as the database has it."""
    query = (
        "select t.value, m.key, m.value, m.timestamp, m.step from metrics m join tags t using (run_uuid) "
        "where t.key = 'catsweep.member'"
    )
    return sorted(rows(home, query))


def expected_rows(pack: Pack) -> list[tuple[Any, ...]]:
    """Return every metric of every member as its records have it."""
    return sorted(
        (member.hash, key, value, one.timestamp_ms, one.epoch)
        for one in RECORDS
        for member, metrics in zip(pack.members, one.metrics, strict=True)
        for key, value in (metrics or {}).items()
    )


def test_the_next_run_reports_what_the_store_lacks_and_trains_nothing(
    pack: Pack, home: Home, catsweep: Command
) -> None:
    checkpoint(home, pack)
    assert len(metric_rows(home)) == len(expected_rows(pack)) / 2
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert answer.status == 0, answer.err
    assert "2 members are reported from checkpoints, without training them again\n" in answer.err
    assert "2 members finished in " in answer.err
    assert metric_rows(home) == expected_rows(pack)
    stored = Store(home).members()
    assert [stored[member.hash].result for member in pack.members] == [metrics_of(100.0), metrics_of(200.0)]
    assert all(stored[member.hash].is_finished for member in pack.members)
    assert rows(home, "select status from runs where name = 'sweep'") == [("FINISHED",)]
    client = Store(home).client
    tags = client.get_run(stored[pack.members[0].hash].run_id).data.tags
    assert (tags["catsweep.code"], tags["catsweep.device"]) == (MADE_BY["code"], "an old laptop")
    picture = client.download_artifacts(stored[pack.members[0].hash].run_id, "pictures.png")
    assert Path(picture).read_bytes() == PICTURE
    assert list(home.checkpoints.iterdir()) == []
    again = catsweep("run", "grid.yaml", "--home", home.path)
    assert (again.status, "reported" in again.err, "0 members finished in " in again.err) == (0, False, True)


def test_a_store_that_goes_away_again_changes_nothing_about_it(
    pack: Pack, home: Home, catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = checkpoint(home, pack)
    before = file.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr("mlflow.MlflowClient.log_batch", away)
        broken.setattr("sweep.runner.Outbox", impatient)
        answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert (answer.status, answer.err.splitlines()[-1].endswith("not trained again")) == (2, True)
    assert file.read_bytes() == before
    assert catsweep("run", "grid.yaml", "--home", home.path).status == 0
    assert metric_rows(home) == expected_rows(pack)


def impatient(*words: Any) -> Any:
    from sweep.execution.outbox import Outbox

    return Outbox(*words, pauses=(0.02,), patience=0.1)


def test_each_of_two_stores_gets_the_results_before_the_checkpoint_goes(
    pack: Pack, home: Home, catsweep: Command, empty_store_file: Path
) -> None:
    """The first was away, and the user went on with another one."""
    checkpoint(home, pack)
    other = Home.resolve(home.path, f"sqlite:///{home.path.parent / 'other.db'}")
    shutil.copy(empty_store_file, home.path.parent / "other.db")
    options = ("run", "grid.yaml", "--home", home.path)
    answer = catsweep(*options, "--tracking-uri", other.tracking_uri)
    assert answer.status == 0, answer.err
    lacks = "checkpoints of 1 packs are kept for tracking store the home's own, which lacks their results\n"
    assert lacks in answer.err
    assert (metric_rows(other), len(metric_rows(home))) == (expected_rows(pack), len(expected_rows(pack)) / 2)
    assert catsweep(*options).status == 0
    assert metric_rows(home) == expected_rows(pack)
    assert list(home.checkpoints.iterdir()) == []


def test_no_flipped_bit_becomes_a_number(pack: Pack, home: Home) -> None:
    file = checkpoint(home, pack)
    whole = file.read_bytes()
    assert kept_pack(pack, home.checkpoints).records == list(RECORDS)
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        kept = kept_pack(pack, home.checkpoints)
        assert (kept.records, kept.is_trained) == ((), False)


@pytest.mark.parametrize(
    "changes",
    [{OUTCOME: None}, {OUTCOME: {"odd": 1}}, {OUTCOME: 5}, {"members": ["others"]}, {"history": [{}]}],
)
def test_what_does_not_say_that_a_pack_was_trained_to_its_end_is_left_to_training(
    changes: dict[str, Any], pack: Pack, home: Home
) -> None:
    """One without an outcome is of an older version, or in the middle of training."""
    checkpoint(home, pack, **changes)
    assert not kept_pack(pack, home.checkpoints).is_trained


def test_a_spool_of_an_older_version_is_named_with_what_to_do(
    pack: Pack, home: Home, catsweep: Command
) -> None:
    checkpoint(home, pack)
    home.old_spool.mkdir()
    (home.old_spool / "small-1-2.jsonl").write_text("odd")
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert answer.status == 0
    assert f"{home.old_spool} is of an older version and is not read: each sweep's next run" in answer.err


def test_a_manifest_of_an_older_version_names_no_store(pack: Pack, home: Home, catsweep: Command) -> None:
    folder = write_manifest(home.checkpoints, pack)
    (folder / "pack.json").write_text(json.dumps(pack.to_params()))
    checkpoint(home, pack)
    assert catsweep("run", "grid.yaml", "--home", home.path).status == 0
    assert not folder.exists()


def test_a_home_that_was_moved_meanwhile_reports_to_its_own_store(
    pack: Pack, home: Home, tmp_path: Path, catsweep: Command
) -> None:
    checkpoint(home, pack)
    moved = Home.resolve(shutil.move(home.path, tmp_path / "elsewhere"))
    answer = catsweep("run", "grid.yaml", "--home", moved.path)
    assert (answer.status, "2 members are reported from checkpoints" in answer.err) == (0, True), answer.err
    assert metric_rows(moved) == expected_rows(pack)
    assert not any(moved.checkpoints.iterdir())
