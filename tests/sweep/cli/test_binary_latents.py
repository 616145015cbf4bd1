"""Binary latents from the command line, on Omniglot of one's own: fetched, interrupted, resumed and drawn."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.spec.file import load_spec
from tests.sweep.conftest import Answer
from tests.sweep.samples import rows
from tests.trainables.data.test_omniglot import SMALL, write_set
from trainables.allowance import usable_cores
from trainables.data import DATASETS, load
from trainables.data.omniglot import sets as sets_module
from trainables.pack import Pack
from trainables.tasks.bernoulli_vae import BernoulliVaeTrainer
from trainables.training.checkpoint import CheckpointFolder
from trainables.training.training_data import TrainingData

Command = Callable[..., Answer]

SPEC = """name: tiny
task: bernoulli_vae
dataset: omniglot
epochs: 3
batch_size: 20
seeds: 2
measure: {draws: 2}
grid:
  - {estimator: indecater, latent: 2x16, lr: 0.001, epochs: 2}
  - {estimator: stgs, latent: 2x16, lr: 0.001, num_samples: 3, temperature_decay: 0.1}
"""


@pytest.fixture(autouse=True)
def few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Omniglot's small set with three characters, and no place to download it from."""
    monkeypatch.setitem(sets_module.CHARACTERS, SMALL, {"A": 2, "BB": 1})
    monkeypatch.setitem(DATASETS, "omniglot", replace(DATASETS["omniglot"], remote=()))


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    """A zip of the small set, of made-up drawings."""
    folder = write_set(tmp_path / "drawn", SMALL)
    return Path(shutil.make_archive(str(tmp_path / SMALL), "zip", folder.parent, SMALL))


def test_without_omniglot_it_is_said_what_to_do(catsweep: Command, home: Home) -> None:
    Path("tiny.yaml").write_text(SPEC)
    answer = catsweep("run", "tiny.yaml", "--home", home.path)
    assert answer.status == 2
    said = " ".join(answer.err.split())
    assert "cannot fetch omniglot; every source failed" in said
    assert f"into {home.data / 'omniglot'}" in said
    assert "name a folder or zip that holds them: `catsweep data fetch omniglot --from PATH`" in said


def test_it_goes_on_where_it_was_and_ends_in_tables_and_a_figure(
    catsweep: Command, home: Home, zipped: Path
) -> None:
    # One pack at a time: a second process would have to import torch again.
    Path("tiny.yaml").write_text(f"{SPEC}resources: {{members_per_pack: 2, cpus: {usable_cores()}}}\n")
    options = ("tiny.yaml", "--home", home.path)
    assert catsweep("data", "fetch", "omniglot", "--from", zipped, "--home", home.path).status == 0
    _interrupt(home)
    time_of_checkpoint = int(time.time() * 1000)
    answer = catsweep("run", *options)
    assert answer.status == 0, answer.err
    assert "4 members finished" in answer.err
    began = "select count(distinct run_uuid) from metrics where step = 1 and timestamp <= "
    assert rows(home, began + str(time_of_checkpoint)) == [(2,)]  # the pack was not trained anew
    per_epoch = "select count(*) from metrics where key = 'estimate_variance' group by step"
    assert rows(home, per_epoch) == [(4,), (4,), (2,)]

    text = catsweep("tables", *options)
    assert text.status == 0, text.err
    assert "IndeCateR" in text.out
    assert "Gumbel" in text.out
    drawn = catsweep("figures", *options, "--out", "figures", "--format", "svg")
    assert drawn.status == 0, drawn.err
    assert [path.name for path in Path("figures").iterdir()] == [
        "tiny-train_neg_elbo-test_neg_elbo-estimate_variance-seconds.svg"
    ]


def _interrupt(home: Home) -> None:
    """Leave what a driver leaves that is killed after the first epoch of the first pack."""
    request = load_spec("tiny.yaml").requests()[0]
    data = TrainingData.of(load("omniglot", home.data))
    trainer = BernoulliVaeTrainer(Pack(request.members), data)
    trainer.run_epoch()
    folder = CheckpointFolder(write_manifest(home.checkpoints, trainer.pack))
    folder.save(trainer.state_dict(), trainer.epoch)
