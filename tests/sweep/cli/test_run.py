"""`catsweep run`: bad specs stop it before anything starts, and its exit status says how it ended."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from estimators import REGISTRY
from sweep.execution.training import Training, fetched_images
from sweep.home import Home
from sweep.runner import Outcome
from sweep.spec.file import load_spec, preset_names, read_spec_text
from sweep.store.store import Store
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, rows, spec_of
from trainables.allowance import usable_cores
from trainables.data import ImageDataset

Command = Callable[..., Answer]


def write(text: str) -> None:
    Path("grid.yaml").write_text(text)


def changed(old: str, new: str) -> str:
    assert SPEC_TEXT.count(old) == 1
    return SPEC_TEXT.replace(old, new)


BAD_SPECS = {
    "unknown estimator": (
        changed("estimator: st", "estimator: reinmaxrao"),
        f"line 5: estimator must be one of {', '.join(REGISTRY)}, got 'reinmaxrao'; nearest: reinmax_rao "
        "(grid block 1)",
    ),
    "latent": (
        changed("8x4", "8by4"),
        "line 6: latent must be categories x variables, such as 8x4, got '8by4' (grid block 1)",
    ),
    "temperature 0": (
        SPEC_TEXT + "    temperature: [1.0, 0]\n",
        "line 8: temperature must be > 0, got 0 (grid block 1)",
    ),
    "negative lr": (changed("0.0005", "-0.0005"), "line 7: lr must be > 0, got -0.0005 (grid block 1)"),
    "misspelt key": (
        SPEC_TEXT + "    temprature: 1.0\n",
        "line 8: unknown key 'temprature'; nearest: temperature (grid block 1)",
    ),
    "misspelt key of the spec": (
        changed("name: small\n", "name: small\nbatchsize: 10\n"),
        "line 2: unknown key 'batchsize'; nearest: batch_size",
    ),
    "duplicate seeds": (
        changed("seeds: 2", "seeds: [0, 1, 1]"),
        "line 3: seeds must differ, but 1 occurs twice, got [0, 1, 1]",
    ),
    "eta for an estimator without one": (
        SPEC_TEXT + "    eta: [1.0]\n",
        "line 8: eta must be left out: st takes only temperature, got [1.0] (grid block 1)",
    ),
    "empty grid": (SPEC_TEXT[: SPEC_TEXT.index("grid:")] + "grid: []\n", "line 4: grid must not be empty"),
    "empty list in a block": (changed("0.0005", "[]"), "line 7: lr must not be empty (grid block 1)"),
    "YAML syntax": (
        changed("8x4", "[8x4"),
        "line 7, column 7: YAML syntax error: expected ',' or ']', but got ':'",
    ),
    "repeated key": (SPEC_TEXT + "    lr: 0.001\n", "line 8: key 'lr' stands already on line 7"),
}


@pytest.mark.parametrize(("text", "expected"), BAD_SPECS.values(), ids=BAD_SPECS)
def test_a_bad_spec_stops_it_with_one_line_before_anything_starts(
    text: str, expected: str, catsweep: Command, own_folder: Path
) -> None:
    write(text)
    answer = catsweep("run", "grid.yaml")
    assert answer == Answer(2, "", f"error: grid.yaml, {expected}\n")
    assert [path.name for path in own_folder.iterdir()] == ["grid.yaml"]


@pytest.mark.parametrize("command", ["plan", "status", "tables", "run --dry-run"])
def test_the_other_commands_refuse_it_alike(command: str, catsweep: Command, own_folder: Path) -> None:
    text, expected = BAD_SPECS["temperature 0"]
    write(text)
    assert catsweep(*command.split(), "grid.yaml") == Answer(2, "", f"error: grid.yaml, {expected}\n")
    assert [path.name for path in own_folder.iterdir()] == ["grid.yaml"]


def test_the_spec_that_the_bad_ones_are_made_from_is_good(catsweep: Command) -> None:
    write(SPEC_TEXT)
    answer = catsweep("run", "grid.yaml", "--dry-run")
    assert (answer.status, answer.err) == (0, "")


def test_an_unknown_preset_is_answered_with_the_nearest(catsweep: Command, own_folder: Path) -> None:
    assert catsweep("run", "table2-8by4") == Answer(
        2, "", "error: spec must be a YAML file or a preset, got 'table2-8by4'; nearest: table2-8x4\n"
    )
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "run --dry-run", "plan", "status", "tables"])
def test_a_tracking_server_that_does_not_answer_stops_every_command_within_seconds(
    command: str, catsweep: Command, unused_port: int, own_folder: Path
) -> None:
    uri = f"http://127.0.0.1:{unused_port}"
    start = time.monotonic()
    answer = catsweep(*command.split(), "quickstart", "--tracking-uri", uri)
    assert time.monotonic() - start < 10
    assert answer == Answer(
        2,
        "",
        f"error: tracking server {uri} does not answer (ConnectionError); start it, or name another "
        "with --tracking-uri or MLFLOW_TRACKING_URI\n",
    )
    assert list(own_folder.iterdir()) == []


def test_the_server_of_the_environment_is_asked(
    catsweep: Command, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{unused_port}")
    answer = catsweep("run", "quickstart")
    assert answer.status == 2
    assert f"tracking server http://127.0.0.1:{unused_port} does not answer" in answer.err


def test_a_home_that_cannot_be_written_is_named_with_the_remedy(catsweep: Command, own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    assert catsweep("run", "quickstart", "--home", "file/home") == Answer(
        2,
        "",
        f"error: {own_folder}/file/home must be a folder that can be written (Not a directory); "
        "choose another home with --home or CATSWEEP_HOME\n",
    )
    assert [path.name for path in own_folder.iterdir()] == ["file"]


def test_a_data_folder_that_cannot_be_written_is_named_and_no_store_is_made(
    catsweep: Command, own_folder: Path
) -> None:
    (own_folder / "home").mkdir()
    (own_folder / "home" / "data").write_text("")
    answer = catsweep("run", "quickstart", "--home", "home")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        f"error: {own_folder}/home/data must be a folder that can be written (File exists); "
        "choose another home with --home or CATSWEEP_HOME\n"
    )
    assert not (own_folder / "home" / "mlflow.db").exists()


def test_a_second_driver_in_a_home_is_turned_away(catsweep: Command, home: Home) -> None:
    from sweep.runner import driver_lock

    with driver_lock(home):
        answer = catsweep("run", "quickstart", "--home", home.path)
    assert answer == Answer(
        2,
        "",
        f"error: another catsweep run is at work in {home.path}; wait for it, or choose another home with "
        "--home\n",
    )


def test_a_lock_that_cannot_be_locked_is_one_line(catsweep: Command, home: Home) -> None:
    home.lock.mkdir()
    answer = catsweep("run", "quickstart", "--home", home.path)
    assert answer == Answer(
        2,
        "",
        f"error: {home.lock} must be a file that this user can lock (Is a directory); remove it if it is of "
        f"another user, or choose another home with --home\n",
    )


def plant_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the sweep a few images of noise in place of a dataset that has to be fetched."""
    images = np.random.default_rng(0).integers(0, 256, (300, 784), dtype=np.uint8)
    labels = np.zeros(300, dtype=np.uint8)
    dataset = ImageDataset("mnist", images[:200], labels[:200], images[200:], labels[200:])
    monkeypatch.setattr("sweep.execution.training.fetch", lambda name, folder: folder)
    monkeypatch.setattr("sweep.execution.training.load", lambda name, folder: dataset)


def test_more_cpus_than_a_machine_has_are_refused_and_the_store_stays_empty(
    catsweep: Command, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_noise(monkeypatch)
    write(SPEC_TEXT + "resources:\n  cpus: 4000\n")
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert (answer.status, answer.out) == (2, "")
    message = answer.err.splitlines()[-1]
    assert message.startswith("error: grid.yaml, line 9: cpus must be at most ")
    assert message.endswith(", what the largest node of the cluster has, got 4000")
    assert rows(home, "select count(*) from runs") == [(0,)]
    assert list(home.checkpoints.iterdir()) == []


@pytest.mark.parametrize("moment", ["step", "setup"])
def test_members_that_fail_are_in_the_store_and_in_the_exit_status(
    moment: str, catsweep: Command, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_noise(monkeypatch)
    monkeypatch.setattr("sweep.runner.RETRIES_OF_A_PACK", 0)
    # One pack at a time: a second process would have to import torch again.
    resources = f"resources: {{members_per_pack: 2, cpus: {usable_cores()}}}\n"
    write(changed("lr: 0.0005", "lr: [0.001, 0.002]") + resources)
    # Workers unpickle this class by value, so that the fault travels with it.
    training = Training(failing_trainable("0.002", moment), fetched_images)
    monkeypatch.setattr("sweep.runner.REAL", training)
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert answer.status == 1
    assert "failed: st 8x4 adam lr=0.002 τ=1.0 seed 0 (+1 more): RuntimeError: planted" in answer.err
    assert "2 members finished in" in answer.err
    assert f"2 members failed; to see why: catsweep status grid.yaml --home {home.path}" in answer.err
    assert sorted(rows(home, "select status, count(*) from runs group by status")) == [
        ("FAILED", 2),
        ("FINISHED", 5),
    ]

    again = catsweep("run", "grid.yaml", "--home", home.path)
    assert again.status == 1
    assert "0 members finished in" in again.err
    status = catsweep("status", "grid.yaml", "--home", home.path)
    assert "failed: st 8x4 adam lr=0.002 τ=1.0 seed 1: RuntimeError: planted" in status.out


def failing_trainable(lr: str, moment: str) -> type:
    from trainables.pack_trainable import PACK, PackTrainable

    class FailingTrainable(PackTrainable):
        def setup(self, config, dataset=None):  # type: ignore[no-untyped-def]
            self._fail_at("setup", config)
            super().setup(config, dataset)

        def reset_config(self, new_config):  # type: ignore[no-untyped-def]
            self._fail_at("setup", new_config)
            return super().reset_config(new_config)

        def step(self):  # type: ignore[no-untyped-def]
            self._fail_at("step", self.config)
            return super().step()

        def _fail_at(self, now, config):  # type: ignore[no-untyped-def]
            if now == moment and config[PACK]["members"][0]["lr"] == lr:
                raise RuntimeError("planted")

    return FailingTrainable


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome(2, 0, is_interrupted=False), 0),
        (Outcome(0, 0, is_interrupted=False), 0),
        (Outcome(1, 1, is_interrupted=False), 1),
        (Outcome(0, 1, is_interrupted=False), 1),
        (Outcome(1, 0, is_interrupted=True), 130),
        (Outcome(1, 1, is_interrupted=True), 130),
    ],
)
def test_the_exit_status_says_how_it_ended(
    outcome: Outcome, status: int, catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.api.execute", lambda *words, **options: outcome)
    Store(Home.resolve("a home")).client.search_experiments()  # a run leaves a store
    write(SPEC_TEXT)
    answer = catsweep("run", "grid.yaml", "--home", "a home")
    assert answer.status == status
    lines = answer.err.splitlines()
    options = shlex.join(["grid.yaml", "--home", "a home"])
    assert lines[1].startswith(f"{outcome.num_run} members finished in ")
    assert (f"interrupted; to go on: catsweep run {options}" in lines) == outcome.is_interrupted
    failures = f"{outcome.num_failed} members failed; to see why: catsweep status {options}"
    assert (failures in lines) == bool(outcome.num_failed)
    assert lines[-1].split("  ")[1] == "catsweep ui --home 'a home'"


def test_the_table_is_all_that_goes_to_stdout(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    write(SPEC_TEXT)
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    table = catsweep("tables", "grid.yaml", "--home", home.path)
    assert (answer.status, answer.out) == (0, table.out)
    assert "105.00" in answer.out
    assert answer.err.splitlines()[2] == f"store: {home.tracking_uri}"


@pytest.mark.parametrize("preset", {load_spec(name).task: name for name in preset_names()}.values())
def test_whatever_its_task_a_run_ends_with_its_table_and_with_hints_that_work(
    preset: str, catsweep: Command, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.api.execute", lambda *words, **options: Outcome(0, 0, is_interrupted=False))
    answer = catsweep("run", preset, "--home", home.path)
    assert (answer.status, answer.out.split()[0]) == (0, "estimator")
    hints = [line.split("  ")[1].split() for line in answer.err.partition("next:\n")[2].splitlines()]
    tables = [hint[1:] for hint in hints if hint[1] == "tables"]
    assert tables
    assert [catsweep(*words).status for words in tables] == [0] * len(tables)


@pytest.mark.parametrize(
    ("preset", "epochs", "expected"),
    [
        ("quickstart", 3, "The authors' runs: their training curves at 8x4, at the epoch of our last"),
        ("quickstart", 4, None),
        ("table2-8x4", 160, "Published: Beyond ReinMax as printed"),
        ("table2-8x4", 159, None),
    ],
)
def test_a_run_compares_only_what_was_trained_as_what_is_published(
    preset: str,
    epochs: int,
    expected: str | None,
    catsweep: Command,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, count = re.subn("(?m)^epochs: .*$", f"epochs: {epochs}", read_spec_text(preset)[0])
    assert count == 1
    write(text)
    monkeypatch.setattr("sweep.api.execute", lambda *words, **options: Outcome(0, 0, is_interrupted=False))
    answer = catsweep("run", "grid.yaml", "--home", home.path)
    assert answer.out.splitlines()[0].endswith(" z") == (expected is not None)
    assert expected is None or expected in answer.out
    assert ("--compare curves" in answer.err) == (preset == "table2-8x4" and epochs == 160)


def test_a_dry_run_says_what_would_run_and_does_nothing(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    driver = drive(spec_of(seeds=1))
    (pack,) = driver.plan.packs
    driver.tracker.start(pack)
    driver.tracker.fail(pack, "no memory")
    driver.settle()
    before = rows(home, "select * from runs order by run_uuid")
    write(SPEC_TEXT)
    words = ("run", "grid.yaml", "--home", home.path, "--dry-run")
    assert "2 members (0 done), 1 packs to train" in catsweep(*words).out
    assert "2 members (0 done), 2 packs to train" in catsweep(*words, "--retry-failed").out
    assert rows(home, "select * from runs order by run_uuid") == before
