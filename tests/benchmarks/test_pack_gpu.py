from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import pack_gpu, pack_timing
from benchmarks.pack_timing import Measurement
from benchmarks.paper_workloads import Setting
from benchmarks.timing_images import load_images
from trainables.pack import Pack
from trainables.training.epochs import EpochSeconds

ROOT = Path(pack_gpu.__file__).parent.parent
OPTIONS = ["--device", "cpu", "--estimators", "st", "--latents", "8x4", "--steps", "2", "--repeats", "1"]
HEAVY = ("ray", "mlflow", "pydantic", "pandas", "filelock", "requests", "rich", "yaml", "sweep", "analysis")


@pytest.fixture(autouse=True)
def _process_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_gpu, "prepare_process", lambda num_threads: None)


class FakeTrainer:
    """A pack of P takes 1 + P/10 s for two steps; one of four does not fit."""

    packs: list[Pack] = []  # noqa: RUF012

    def __init__(self, pack: Pack, *_: object) -> None:
        self.packs.append(pack)
        self._size = len(pack)

    def time_epoch(self) -> EpochSeconds:
        if self._size >= 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return EpochSeconds(1 + self._size / 10, 30.0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeTrainer]:
    monkeypatch.setattr(FakeTrainer, "packs", [])
    monkeypatch.setattr(pack_timing, "DiscreteVaeTrainer", FakeTrainer)
    return FakeTrainer


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def tables(output: str) -> list[list[list[str]]]:
    """Return the Markdown tables, each a list of rows without the line under its heads."""
    blocks = [block.splitlines() for block in output.split("\n\n")]
    return [
        [cells(line) for line in block if not line.startswith("|---")]
        for block in blocks
        if block[0].startswith("|")
    ]


def test_real_run_on_a_cpu_prints_rates_memory_and_projections(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "packs.json"
    argv = [*OPTIONS, "--sizes", "2", "1", "--images", "noise", "--json", str(file)]
    assert pack_gpu.main(argv) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[0] == (
        f"CPU, PyTorch {torch.__version__}, float32, averages by PyTorch, without Triton's kernel; "
        "images: noise (as asked for); 2 steps, 1 repeats"
    )
    rates, peaks, projections = tables(output)
    assert rates[0] == ["estimator", "latent", "P = 1", "P = 2", "best P"]
    assert rates[1][:2] == ["st", "8x4"]
    assert all(float(rate) > 0 for rate in rates[1][2:4])
    assert rates[1][4] in ("1", "2")
    assert peaks == [["estimator", "latent", "P = 1", "P = 2"], ["st", "8x4", "", ""]]
    assert [row[:4] for row in projections] == [
        ["workload", "cells", "members", "members measured"],
        ["table2, as published", "42", "420", "10"],
        ["full grid", "930", "9300", "10"],
    ]
    assert "Packs and hours are those of the members measured alone." in output
    kept = json.loads(file.read_text())
    assert kept["environment"]["triton"] is False
    measured = [Measurement(**one) for one in kept["measurements"]]
    assert [f"{one.rate:.3g}" for one in measured] == rates[1][2:4]


def test_rate_counts_600_steps_and_an_evaluation() -> None:
    one = Measurement("st", "8x4", size=8, step_seconds=0.01, evaluation_seconds=2.0, peak_mib=None)
    assert one.epoch_seconds == pytest.approx(8.0)
    assert one.rate == pytest.approx(1.0)


def test_row_ends_where_memory_does(capsys: pytest.CaptureFixture[str], fake: type[FakeTrainer]) -> None:
    assert pack_gpu.main([*OPTIONS, "--sizes", "1", "2", "4", "8", "--images", "noise"]) == 0
    rates, peaks, _ = tables(capsys.readouterr().out)
    # Seconds of an epoch: 300 · 1.1 + 30 and 300 · 1.2 + 30.
    expected = [f"{1 / 360:.3g}", f"{2 / 390:.3g}"]
    assert rates[1] == ["st", "8x4", *expected, "out of memory", "", "2"]
    assert peaks[1] == ["st", "8x4", "", "", "", ""]
    assert [len(pack) for pack in fake.packs] == [1, 2, 4]


@pytest.mark.parametrize("option", [[], ["--tf32"]])
def test_precision_is_a_param_of_the_members_only_where_asked_for(
    fake: type[FakeTrainer], option: list[str]
) -> None:
    assert pack_gpu.main([*OPTIONS, "--sizes", "2", "--images", "noise", *option]) == 0
    stated = [member.params.get("precision") for pack in fake.packs for member in pack.members]
    assert stated == ["tf32" if option else None] * 2


def test_mnist_that_is_absent_is_replaced_by_noise_and_named(
    capsys: pytest.CaptureFixture[str], fake: type[FakeTrainer], tmp_path: Path
) -> None:
    argv = [*OPTIONS, "--sizes", "1", "--home", str(tmp_path)]
    assert pack_gpu.main(argv) == 0
    assert f"images: noise (MNIST is not in {tmp_path / 'data'})" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        pack_gpu.main([*argv, "--images", "mnist"])
    assert caught.value.code == 2
    assert f"--images mnist: MNIST is not in {tmp_path / 'data'}" in capsys.readouterr().err


def test_earlier_measurements_join_the_projections_where_device_and_options_agree(
    capsys: pytest.CaptureFixture[str], fake: type[FakeTrainer], tmp_path: Path
) -> None:
    file = tmp_path / "st.json"
    argv = [*OPTIONS, "--sizes", "1", "--images", "noise"]
    pack_gpu.main([*argv, "--json", str(file)])
    capsys.readouterr()
    pack_gpu.main([*argv, "--estimators", "gst", "--join", str(file)])
    *_, projections = tables(capsys.readouterr().out)
    # 20 members, one after another, 160 epochs of 360 s.
    assert projections[1] == ["table2, as published", "42", "420", "20", "20", "320.00"]
    with pytest.raises(SystemExit):
        pack_gpu.main([*argv, "--tf32", "--join", str(file)])
    assert f"--join {file}: must be of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "601"], "--steps must be from 1 to 600, got 601"),
        (["--sizes", "0"], "--sizes and --repeats must be >= 1"),
        (["--latents", "8x5"], "invalid choice: '8x5'"),
    ],
)
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        pack_gpu.main([*OPTIONS, *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_setting_without_any_size_that_fits_has_no_best() -> None:
    row = pack_gpu.rate_row(Setting("st", "8x4"), [64, 128], [])
    assert row == "| st | 8x4 | out of memory |  |  |"


def test_noise_is_as_bright_as_mnist() -> None:
    images = load_images("noise", Path(), 200)
    assert [tuple(one.shape) for one in images[:2]] == [(200, 784), (10_000, 784)]
    # The mean byte of MNIST's training images is 33.32.
    assert images[1].float().mean().item() == pytest.approx(33.3, abs=0.5)


def test_script_needs_nothing_but_torch_and_numpy() -> None:
    code = f"import sys; import pack_gpu; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "benchmarks"
    )
    assert answer.stdout.strip() == "[]"
