"""Public code, as plain functions of under 25 lines each, is what ships under another name."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from analysis import load_runs, table
from estimators import REGISTRY
from estimators.registry import registered
from estimators.sampling import pathwise_gradient
from sweep.home import Home
from sweep.spec.file import load_spec
from tests.estimators.statistical_checks import check_means_agree

FOLDER = Path(__file__).parent
PAIRS = {
    "st": "public_st",
    "stgs": "public_stgs",
    "reinmax": "public_reinmax",
    "gumbel_rao": "public_gumbel_rao",
    "rloo": "public_rloo",
}
DRAWS = 20_000
LOGITS = torch.tensor([[0.3, -1.0, 0.8], [1.5, 0.0, -0.5]], dtype=torch.float64)
VALUES: dict[str, dict[str, Any]] = {"gumbel_rao": {"num_mc_samples": 5}, "rloo": {"num_samples": 3}}
MOST_STANDARD_ERRORS = 3.0


@pytest.fixture(autouse=True)
def public() -> Iterator[None]:
    with registered():
        load_spec(FOLDER / "public.yaml")
        yield


def f(sample: torch.Tensor) -> torch.Tensor:
    weights = torch.arange(1.0, 4.0, dtype=sample.dtype)
    return (sample @ weights).prod(-1) + (sample @ weights).sum(-1).square()


def gradients(name: str, seed: int, **values: Any) -> torch.Tensor:
    """Return estimates of ∂E[f]/∂θ, shape (draws, L·C)."""
    entry, logits = REGISTRY[name], LOGITS.expand(DRAWS, *LOGITS.shape)
    defaults = {one.name: one.number(one.default) for one in entry.hyperparameters}
    if "temperature" in defaults:
        defaults["temperature"] = 0.7
    draw: Any = entry.draw(logits, generator=torch.Generator().manual_seed(seed), **{**defaults, **values})
    estimate = draw.rule(f, None).gradient if entry.needs_objective else pathwise_gradient(draw, f)
    return cast("torch.Tensor", estimate).detach().flatten(1)


@pytest.mark.parametrize("name", PAIRS)
def test_both_have_the_same_mean_gradient(name: str) -> None:
    values = VALUES.get(name, {})
    check_means_agree(gradients(name, 0, **values), gradients(PAIRS[name], 1, **values))


def test_another_scale_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_means_agree(gradients("reinmax", 0), 1.1 * gradients("public_reinmax", 1))


def test_none_has_25_lines() -> None:
    for name in PAIRS.values():
        source = inspect.getsource(inspect.unwrap(REGISTRY[name].called()))  # type: ignore[attr-defined]
        assert len(source.splitlines()) < 25


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_seeds_of_two_epochs_agree(tmp_path: Path, mnist_folder: Path) -> None:
    (tmp_path / "data").symlink_to(mnist_folder)
    for file in FOLDER.glob("public*"):
        shutil.copy(file, tmp_path)
    program = "from sweep.cli import console_script; console_script()"
    command = [sys.executable, "-c", program, "run", "public.yaml", "--home", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    runs, requests = load_runs(Home(tmp_path).tracking_uri), load_spec(FOLDER / "public.yaml").requests()
    for metric in ("train_neg_elbo", "test_neg_elbo"):
        rows = table(runs, requests, metric=metric, spread="sem").set_index("estimator")
        assert (rows["n"] == 10).all()
        for name, own in PAIRS.items():
            difference = rows["mean"][own] - rows["mean"][name]
            error = (rows["error"][own] ** 2 + rows["error"][name] ** 2) ** 0.5
            assert abs(difference) < MOST_STANDARD_ERRORS * error, f"{own}: {difference:.2f} ± {error:.2f}"
