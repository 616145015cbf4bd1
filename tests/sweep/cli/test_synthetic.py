"""A task without a data set from the command line: trained, interrupted and resumed, tabled and drawn."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.spec.file import load_spec
from tests.sweep.conftest import Answer
from tests.sweep.samples import rows
from trainables.allowance import usable_cores
from trainables.pack import Pack
from trainables.tasks.synthetic_optimisation import SyntheticOptimisationTrainer
from trainables.training.checkpoint import CheckpointFolder

Command = Callable[..., Answer]

SPEC = """name: tiny
task: synthetic_optimisation
epochs: 2
iterations_per_epoch: 3
seeds: 2
measure: {draws: 3}
grid:
  - {estimator: indecater, latent: 2x16, lr: 5, num_samples: 1}
  - {estimator: stgs, latent: 2x16, lr: 0.1, num_samples: 4, temperature: 0.5, temperature_decay: 0.1}
"""


@pytest.fixture
def interrupted(home: Home) -> Home:
    """A home in which a driver was killed after the first epoch of the first pack."""
    # One pack at a time: a second process would have to import torch again.
    resources = f"resources: {{members_per_pack: 2, cpus: {usable_cores()}}}\n"
    Path("tiny.yaml").write_text(SPEC + resources)
    request = load_spec("tiny.yaml").requests()[0]
    trainer = SyntheticOptimisationTrainer(Pack(request.members))
    trainer.run_epoch()
    folder = CheckpointFolder(write_manifest(home.checkpoints, trainer.pack))
    folder.save(trainer.state_dict(), trainer.epoch)
    return home


def test_a_sweep_without_data_goes_on_where_it_was_and_ends_in_tables_and_figures(
    catsweep: Command, interrupted: Home
) -> None:
    options = ("tiny.yaml", "--home", interrupted.path)
    time_of_checkpoint = int(time.time() * 1000)
    answer = catsweep("run", *options)
    assert answer.status == 0, answer.err
    assert "4 members finished" in answer.err
    assert not list(interrupted.data.iterdir())
    per_epoch = "select count(*) from metrics where key = 'expected_value' group by step"
    assert rows(interrupted, per_epoch) == [(4,), (4,)]
    began = "select count(distinct run_uuid) from metrics where step = 1 and timestamp <= "
    assert rows(interrupted, began + str(time_of_checkpoint)) == [(2,)]  # the pack was not trained anew

    both = ("--metric", "expected_value,epoch_seconds")
    text = catsweep("tables", *options, *both)
    assert text.status == 0
    assert "IndeCateR N 1   0." in text.out
    assert "Gumbel N 4" in text.out
    assert [line for line in text.out.splitlines() if "after 2 epochs" in line] == [
        "Expected value (expected_value), after 2 epochs.",
        "Time per epoch (epoch_seconds), in seconds, after 2 epochs.",
    ]
    lines = list(csv.DictReader(io.StringIO(catsweep("tables", *options, *both, "--format", "csv").out)))
    assert [line["metric"] for line in lines] == ["expected_value"] * 2 + ["epoch_seconds"] * 2
    undisturbed = SyntheticOptimisationTrainer(Pack(load_spec("tiny.yaml").requests()[0].members))
    undisturbed.run_epoch()
    values = [metrics["expected_value"] for metrics in undisturbed.run_epoch().metrics if metrics]
    assert float(lines[0]["mean"]) == pytest.approx(sum(values) / 2, rel=1e-12)
    as_json = json.loads(catsweep("tables", *options, *both, "--format", "json").out)
    assert [str(row["n"]) for row in as_json] == [line["n"] for line in lines] == ["2"] * 4

    drawn = catsweep("figures", *options, "--out", "figures", "--format", "svg")
    assert drawn.status == 0
    assert sorted(path.name for path in Path("figures").iterdir()) == [
        "tiny-estimate_variance-iteration.svg",
        "tiny-expected_value-iteration.svg",
        "tiny-expected_value-seconds.svg",
    ]


def test_a_plan_of_it_is_calibrated_without_data(catsweep: Command, home: Home) -> None:
    Path("tiny.yaml").write_text(SPEC)
    answer = catsweep("plan", "tiny.yaml", "--home", home.path, "--calibrate")
    assert answer.status == 0, answer.err
    assert not list(home.data.iterdir())
    assert len(json.loads(home.calibration.read_text())) == 2  # kinds of packs
