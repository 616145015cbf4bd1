"""Is the training around an estimator right? Train it in the plainest PyTorch loop, and compare.

    python benchmarks/plain_loop.py [reinmax_cv ...] [--seeds 5] [--epochs 160] [--processes 2] [--home HOME]

The plain loop shares nothing with `trainables` but the bytes of the images: `torch.nn.Linear` layers,
autograd, `torch.optim.Adam`, a shuffled `DataLoader`, denormal numbers left as they are, and the estimator's
public function in place of its draw. A seed gives it the same initial parameters as a member of a sweep, but
other noise and another order of the data, so that single runs differ as those of two seeds do; their means
must not. (That single steps are equal is tested: tests/trainables/test_plain_training.py.)

Each run is kept in HOME/plain_loop, a line an epoch, and goes on after an interruption. Beside them the table
shows the members of the same setting that the home's store holds (`catsweep run table2-8x4`, or any sweep
that has them), and what was published: mean ± sample standard deviation (runs), in nats per image, and
Welch's t with its two-sided p-value at every shown epoch.
"""

from __future__ import annotations

import argparse
import csv
import math
import multiprocessing
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import benchmarks` is the folder

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import estimators
from benchmarks.paper_workloads import Setting, make_cell
from benchmarks.timing_images import mnist

LATENT = "8x4"
SHOWN_EPOCHS = (1, 2, 3, 5, 10, 20, 50, 100, 160)
METRICS = ("train_neg_elbo", "test_neg_elbo")
_EVALUATION_BATCH_SIZE = 1000


@dataclass(frozen=True)
class Run:
    """One run of the plain loop.

    Args:
        estimator: Id of the estimator.
        seed: Of the initial parameters, the data's order and the noise.
        epochs: How many to train.
        home: Where the data and the runs are.
    """

    estimator: str
    seed: int
    epochs: int
    home: Path

    @property
    def file(self) -> Path:
        """Where its epochs are kept."""
        return self.home / "plain_loop" / f"{self.estimator}-{LATENT}-seed{self.seed}.csv"


class PlainVae(nn.Module):
    """The discrete VAE of Beyond ReinMax, Section 4, written as anyone would write it."""

    def __init__(self, categorical_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.shape = latent_dim, categorical_dim
        width = latent_dim * categorical_dim
        self.encoder = nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, width)
        )
        self.decoder = nn.Sequential(
            nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 784)
        )

    def neg_elbo(self, images: torch.Tensor, sampler: Any) -> torch.Tensor:
        """Return the negative ELBO of images in [0, 1], shape (B, 784), with one sample each: (B,), nats."""
        logits = self.encoder(images).unflatten(-1, self.shape)
        pixel_logits = self.decoder(sampler(logits).flatten(-2))
        recon = functional.binary_cross_entropy_with_logits(pixel_logits, images, reduction="none").sum(-1)
        log_probs = logits.log_softmax(-1)
        kl = (log_probs.exp() * (log_probs + math.log(self.shape[1]))).sum((-1, -2))
        return recon + kl


def train(run: Run) -> Run:
    """Train a run to its end, from where an interruption left it."""
    torch.set_num_threads(1)
    params = make_cell(Setting(run.estimator, LATENT)).params
    train_images, test_images = (images.float() / 255 for images in mnist(run.home / "data"))
    torch.manual_seed(run.seed)
    model = PlainVae(*map(int, LATENT.split("x")))
    optimizer = {"adam": torch.optim.Adam, "radam": torch.optim.RAdam}[params["optimizer"]](
        model.parameters(), lr=float(params["lr"])
    )
    noise = torch.Generator().manual_seed(run.seed + 1_000_000)
    loader = DataLoader(TensorDataset(train_images), batch_size=int(params["batch_size"]), shuffle=True)
    estimator = estimators.get(run.estimator)
    arguments = {
        one.name: one.number(float(params[one.name]))
        for one in estimator.hyperparameters
        if one.name in params
    }

    def sampler(logits: torch.Tensor) -> torch.Tensor:
        return estimator.function(logits, **arguments, generator=noise)

    for epoch in range(_resume(run, model, optimizer, noise) + 1, run.epochs + 1):
        total = 0.0
        for (images,) in loader:
            losses = model.neg_elbo(images, sampler)
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            total += losses.detach().double().sum().item()
        with torch.no_grad():
            test = sum(
                model.neg_elbo(images, sampler).double().sum().item()
                for images in test_images.split(_EVALUATION_BATCH_SIZE)
            )
        line = epoch, total / len(train_images), test / len(test_images)
        _keep(run, [*_read(run)[: epoch - 1], line], model, optimizer, noise)
    return run


def _keep(
    run: Run,
    lines: Sequence[tuple[int, float, float]],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    noise: torch.Generator,
) -> None:
    """Write down the epochs, and all that the next one needs."""
    run.file.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "epoch": len(lines),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "noise": noise.get_state(),
        "order": torch.get_rng_state(),
    }
    part = run.file.with_suffix(".part")
    torch.save(state, part)
    with run.file.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("epoch", *METRICS))
        writer.writerows(lines)
    part.replace(run.file.with_suffix(".pt"))


def _read(run: Run) -> list[tuple[int, float, float]]:
    """Return the epochs that are done, with both metrics."""
    if not run.file.exists():
        return []
    with run.file.open(newline="", encoding="utf-8") as file:
        return [(int(epoch), float(train), float(test)) for epoch, train, test in list(csv.reader(file))[1:]]


def _resume(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, noise: torch.Generator) -> int:
    """Go on from what `_keep` wrote; return the number of epochs done."""
    kept = run.file.with_suffix(".pt")
    if not kept.exists():
        return 0
    state = torch.load(kept, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    noise.set_state(state["noise"])
    torch.set_rng_state(state["order"])
    return int(state["epoch"])


def of_sweeps(estimator: str, epochs: int, home: Path) -> dict[int, dict[str, dict[int, float]]]:
    """Return what the home's store holds of the same setting: by seed, metric and epoch."""
    from analysis import load_history, load_runs  # needs packages that the plain loop does not

    store = f"sqlite:///{(home / 'mlflow.db').absolute()}"
    runs = load_runs(store, metrics=METRICS)
    runs = runs[runs["cell"] == make_cell(Setting(estimator, LATENT), epochs=epochs).hash]
    seed_of = dict(zip(runs["run_id"], runs["seed"], strict=True))
    found: dict[int, dict[str, dict[int, float]]] = {}
    for line in load_history(store, METRICS, list(seed_of)).itertuples(index=False):
        by_epoch = found.setdefault(int(seed_of[line.run_id]), {}).setdefault(str(line.metric), {})
        by_epoch[int(line.step)] = float(line.value)
    return found


def published(estimator: str, epoch: int, metric: str) -> tuple[float, float, int] | None:
    """Return the authors' mean, sample standard deviation and number of runs; none if not published."""
    from analysis.published.printed import results_of, training_curves

    for point in training_curves():
        if (point.estimator, point.epoch) == (estimator, epoch):
            return point.mean[metric], point.std[metric], point.num_seeds
    for result in results_of(metric):
        if (result.estimator, result.latent, result.epochs) == (estimator, LATENT, epoch):
            return result.value, result.sample_sem * math.sqrt(result.num_seeds), result.num_seeds
    return None


def rows(estimator: str, plain: Sequence[Run], epochs: int, home: Path) -> Iterator[str]:
    """Yield a Markdown row for every shown epoch and metric that both sides have reached."""
    lines = {run.seed: {line[0]: line[1:] for line in _read(run)} for run in plain}
    ours = of_sweeps(estimator, epochs, home)
    for epoch in (one for one in SHOWN_EPOCHS if one <= epochs):
        for index, metric in enumerate(METRICS):
            sides = (
                [by_epoch[epoch][index] for by_epoch in lines.values() if epoch in by_epoch],
                [metrics[metric][epoch] for metrics in ours.values() if epoch in metrics[metric]],
            )
            theirs = published(estimator, epoch, metric)
            cells = [_mean_std(side) for side in sides]
            cells.append("--" if theirs is None else f"{theirs[0]:.2f} ± {theirs[1]:.2f} ({theirs[2]})")
            tests = [_welch(*sides), *(_welch_against(side, theirs) for side in sides)]
            yield f"| {estimator} | {epoch} | {metric} | {' | '.join(cells + tests)} |"


def _mean_std(values: Sequence[float]) -> str:
    if len(values) < 2:
        return " ".join(f"{value:.2f} (1)" for value in values) or "--"
    return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)})"


def _welch(a: Sequence[float], b: Sequence[float]) -> str:
    """Return Welch's t of two means and its two-sided p-value."""
    if len(b) < 2:
        return "--"
    return _welch_against(a, (statistics.fmean(b), statistics.stdev(b), len(b)))


def _welch_against(a: Sequence[float], b: tuple[float, float, int] | None) -> str:
    """Return the same where of one side only mean, sample standard deviation and number are known."""
    if len(a) < 2 or b is None:
        return "--"
    from scipy.stats import ttest_ind_from_stats

    mean, std, num = statistics.fmean(a), statistics.stdev(a), len(a)
    test = ttest_ind_from_stats(mean, std, num, *b, equal_var=False)
    return f"{test.statistic:+.2f} (p {test.pvalue:.2g})"


def main() -> None:
    """Train what is missing, then print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("estimators", nargs="*", default=["reinmax_cv"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=160)
    parser.add_argument(
        "--processes", type=int, default=2, help="0 trains nothing, and compares what is there"
    )
    parser.add_argument("--home", type=Path, default=Path(".catsweep"))
    arguments = parser.parse_args()
    runs = {
        estimator: [Run(estimator, seed, arguments.epochs, arguments.home) for seed in range(arguments.seeds)]
        for estimator in arguments.estimators
    }
    if arguments.processes:
        mnist(arguments.home / "data")
        with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
            for run in pool.imap(train, [run for group in runs.values() for run in group], chunksize=1):
                print(f"{run.estimator} seed {run.seed}: {run.file}", file=sys.stderr)
    print(
        "| estimator | epoch | metric | plain loop | catsweep | published | plain - catsweep "
        "| plain - published | catsweep - published |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for estimator, plain in runs.items():
        for row in rows(estimator, plain, arguments.epochs, arguments.home):
            print(row)


if __name__ == "__main__":
    main()
