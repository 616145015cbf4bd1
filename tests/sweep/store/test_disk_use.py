from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from sweep.store.disk_use import checkpoint_bytes, peak_checkpoint_bytes, store_bytes
from tests.sweep.samples import Driver, spec_of
from tests.trainables.members import data, member, trainer_of
from tests.trainables.tasks.test_gradient_quality import PACK as JUDGED
from trainables.pack import Pack
from trainables.task_registry import TASKS
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.checkpoint import NUM_KEPT, CheckpointFolder
from trainables.training.epochs import EpochRecord

TRAINING_METRICS = TASKS["mnist_vae"].metrics


def pack_of(latent: str, size: int, epochs: int) -> Pack:
    categorical_dim, latent_dim = latent.split("x")
    return Pack(
        tuple(
            member(seed, epochs=epochs, categorical_dim=categorical_dim, latent_dim=latent_dim)
            for seed in range(size)
        )
    )


@pytest.mark.parametrize(
    ("latent", "size", "epochs"), [("8x4", 1, 1), ("8x4", 1, 160), ("8x4", 3, 160), ("10x30", 2, 5)]
)
def test_a_real_checkpoint_is_as_large_as_reckoned(
    latent: str, size: int, epochs: int, tmp_path: Path
) -> None:
    pack = pack_of(latent, size, epochs)
    trainer = DiscreteVaeTrainer(pack, data(100, 100))
    record = trainer.run_epoch()
    trainer.history = [made_up(record, epoch) for epoch in range(1, epochs + 1)]
    CheckpointFolder(tmp_path).save(trainer.state_dict(), epochs)
    (file,) = tmp_path.iterdir()
    assert checkpoint_bytes(pack) == pytest.approx(file.stat().st_size, rel=0.001)
    # Were the second moment forgotten, it would be a third less.
    assert checkpoint_bytes(pack) * 2 / 3 != pytest.approx(file.stat().st_size, rel=0.1)


def made_up(record: EpochRecord, epoch: int) -> EpochRecord:
    metrics = [
        {name: value * (1 + 1e-7 * epoch) for name, value in one.items()} for one in record.metrics if one
    ]
    return dataclasses.replace(
        record, epoch=epoch, timestamp_ms=record.timestamp_ms + epoch, metrics=tuple(metrics)
    )


def test_at_the_peak_the_largest_packs_have_two_files_and_write_a_third() -> None:
    small, large = pack_of("8x4", 1, 2), pack_of("8x4", 3, 2)
    at_most = peak_checkpoint_bytes([small, large, small], 2)
    assert at_most == (NUM_KEPT + 1) * (checkpoint_bytes(large) + checkpoint_bytes(small))
    assert peak_checkpoint_bytes([small], 8) == (NUM_KEPT + 1) * checkpoint_bytes(small)
    assert peak_checkpoint_bytes([], 8) == 0


def test_a_real_folder_never_holds_more_than_the_peak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = pack_of("8x4", 1, 4)
    trainer = DiscreteVaeTrainer(pack, data(100, 100))
    folder, sizes = CheckpointFolder(tmp_path), []
    replace = Path.replace

    def measure(path: Path, target: Path) -> Path:
        sizes.append(sum(one.stat().st_size for one in tmp_path.iterdir()))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", measure)
    for _ in range(4):
        trainer.run_epoch()
        folder.save(trainer.state_dict(), trainer.epoch)
    assert max(sizes) == pytest.approx(peak_checkpoint_bytes([pack], 1), rel=0.001)


def test_a_real_store_grows_as_reckoned(home: Home, drive: Callable[..., Driver]) -> None:
    path, epochs, seeds = home.path / "mlflow.db", 80, 12
    driver = drive(spec_of(epochs=epochs, seeds=seeds))
    before = path.stat().st_size
    plan = driver.plan
    for pack in plan.packs:
        values = {name: 100.0 + index for index, name in enumerate(TRAINING_METRICS)}
        records = [
            EpochRecord(epoch, 1_700_000_000_000 + epoch, (values,), (None,))
            for epoch in range(1, epochs + 1)
        ]
        driver.train(pack, *records)
    driver.tracker.close(is_complete=True)
    grown = path.stat().st_size - before
    assert store_bytes(seeds, seeds * epochs, len(TRAINING_METRICS)) == pytest.approx(grown, rel=0.15)


def test_a_pack_that_judges_estimators_has_the_checkpoint_of_one_model(tmp_path: Path) -> None:
    trainer = trainer_of(JUDGED, data(600, 100))
    trainer.run_epoch()
    CheckpointFolder(tmp_path).save(trainer.state_dict(), 1)
    (file,) = tmp_path.iterdir()
    assert len(JUDGED) == 3
    assert checkpoint_bytes(JUDGED) == pytest.approx(file.stat().st_size, rel=0.005)
