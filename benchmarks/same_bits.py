"""Compare the bits of a short training of every estimator and task with those of another checkout.

    git archive REVISION | tar -x -C FOLDER
    python benchmarks/same_bits.py FOLDER [--tasks mnist_vae ...] [--estimators reinmax ...]

Both train packs of two members for 30 steps (or 30 draws) on the same noise, with real trainers, one after
the other in processes of one thread on this machine; bits of two machines are never compared. What must be
equal is the whole state that a training goes on from (parameters, optimiser, generators) under the names that
checkpoints have for it, every metric that is no time, and the pictures. What the other lacks is said.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

STEPS = 30
_EPOCHS = 2
_SEED = 3
_ANNEALED = {"temperature_decay": 0.3, "temperature_floor": 0.4}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "mnist_vae": {"categorical_dim": 4, "latent_dim": 4, "batch_size": 20, "optimizer": "radam"},
    "gradient_quality": {
        "categorical_dim": 3, "latent_dim": 2, "batch_size": 20, "optimizer": "adam",
        "trained_with": "reinmax", "measured_epochs": "1,2", "num_draws": 8,
    },
    "synthetic_gradient": {"categorical_dim": 3, "latent_dim": 4, "num_draws": STEPS, "epochs": 1},
    "synthetic_optimisation": {
        "categorical_dim": 2, "latent_dim": 16, "num_draws": 4, "iterations_per_epoch": STEPS // _EPOCHS,
        "optimizer": "rmsprop", "lr": 0.1, **_ANNEALED,
    },
    "bernoulli_vae": {"categorical_dim": 2, "latent_dim": 8, "batch_size": 20, "num_draws": 3, **_ANNEALED},
    "mnist_addition": {"categorical_dim": 10, "latent_dim": 2, "batch_size": 10, "num_samples": 5},
}  # fmt: skip
"""Of each task what is not as below; `categorical_dim` gives way where an estimator has but one."""
_SHARED = {"dataset": "mnist", "optimizer": "adam", "lr": 0.002, "epochs": _EPOCHS, "num_samples": 4}
_SHARED |= {"num_mc_samples": 5}
_FREE = {"temperature": (1.0, 0.7), "eta": (1.0, 0.5), "beta": (0.5, 0.8), "gap": (1.0, 0.6)}


def main() -> None:
    """Print what differs; exit 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("--tasks", nargs="*", default=list(SETTINGS))
    parser.add_argument("--estimators", nargs="*", default=[])
    asked = parser.parse_args()
    own, other = (
        digests_of(folder, asked.tasks, asked.estimators)
        for folder in (Path(__file__).parent.parent, asked.other)
    )
    lacking = sorted(own.keys() - other.keys())
    wrong = sorted(name for name, parts in other.items() if own.get(name) != parts)
    for name in wrong:
        parts = [part for part, digest in other[name].items() if own.get(name, {}).get(part) != digest]
        print(f"{name}: {', '.join(parts)} differ")
    if lacking:
        print(f"not in {asked.other}: {', '.join(lacking)}")
    print(f"{len(other) - len(wrong)} of {len(other)} trainings are equal bit for bit")
    sys.exit(1 if wrong or not other else 0)


def digests_of(folder: Path, tasks: list[str], estimators: list[str]) -> dict[str, dict[str, str]]:
    """Train with the code of a checkout, and return the digests of each training's parts."""
    environment = {**os.environ, "PYTHONPATH": str(folder.resolve()), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(Path(__file__).resolve()), *tasks, "--", *estimators]
    answer = subprocess.run(
        words, env=environment | {_WORKER: "1"}, cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    return {name: parts for line in answer.stdout.splitlines() for name, parts in json.loads(line).items()}


# What follows runs with the code of either checkout, whose modules may lie elsewhere in the other.

_WORKER = "CATSWEEP_SAME_BITS"


def work(words: list[str]) -> None:
    """Train, and print a line for each task and estimator."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    registry, tasks = import_module("estimators.registry"), import_module("trainables.tasks")
    split = words.index("--")
    for task in (tasks.TASKS[name] for name in words[:split] if name in tasks.TASKS):
        for name in words[split + 1 :] or registry.REGISTRY:
            if name in registry.REGISTRY and (members := members_of(task, registry.get(name))):
                print(json.dumps({f"{task.name}/{name}": digests(members)}), flush=True)


def members_of(task: Any, estimator: Any) -> list[dict[str, object]]:
    """Return the params of two members, or of none where the task cannot be done with the estimator."""
    setting = {**_SHARED, **SETTINGS[task.name]}
    own_dim = getattr(estimator, "categorical_dim", None)
    if task.categorical_dim and own_dim not in (None, task.categorical_dim):
        return []
    setting["categorical_dim"] = own_dim or setting["categorical_dim"]
    takes = {one.name for one in task.hyperparameters_of(estimator.name)}
    if not task.can_train_with(estimator.name):
        return []
    unused = {*_FREE, "num_mc_samples", "num_samples"} - takes
    if "temperature" not in takes:
        unused |= set(_ANNEALED)
    of_data = {"dataset", "batch_size"} if not task.datasets else set()
    setting = {key: value for key, value in setting.items() if key not in unused | of_data}
    both = []
    for index in range(2):
        seed = _SEED if task.trains_one_model else _SEED + index
        values = {name: pair[index if name in task.free_params else 0] for name, pair in _FREE.items()}
        own = {name: value for name, value in values.items() if name in takes}
        both.append({"task": task.name, "estimator": estimator.name, **setting, **own, "seed": seed})
    return both if both[0] != both[1] else both[:1]


def digests(members: list[dict[str, object]]) -> dict[str, str]:
    """Train a pack, and return a digest of each part of its state, of its metrics and of its pictures."""
    pack = import_module("trainables.pack").Pack.from_params(members)
    trainer = _trainer(pack)
    metrics = []
    while not trainer.is_finished:
        record = trainer.run_epoch()
        metrics.append([_without_times(one) for one in record.metrics])
    state = {name: part for name, part in trainer.state_dict().items() if name != "history"}
    if isinstance(nested := state.get("trainer"), Mapping):
        state["trainer"] = {name: part for name, part in nested.items() if name != "history"}
    parts = {**state, "metrics": metrics, "pictures": _pictures(trainer)}
    return {
        name: hashlib.sha256(b"\0".join(_bytes_of(part))).hexdigest()[:16] for name, part in parts.items()
    }


def _without_times(metrics: Mapping[str, float] | None) -> dict[str, float]:
    return {name: value for name, value in (metrics or {}).items() if not name.endswith("_seconds")}


def _pictures(trainer: Any) -> list[bytes | None]:
    return list(trainer.pictures()) if hasattr(trainer, "pictures") else [None] * len(trainer.pack)


def _trainer(pack: Any) -> Any:
    import torch

    noise = torch.rand(1200, 784, generator=torch.Generator().manual_seed(0))
    images, labels = (noise**6 * 255).to(torch.uint8), torch.arange(1200).remainder(10).to(torch.uint8)
    num_train = STEPS // _EPOCHS * (pack.images_per_step if pack.task.datasets else 0)
    of_train, of_test = slice(num_train), slice(1000, None)
    make_data = _first("trainables.training.training_data", "trainables.training_data").TrainingData
    data = make_data(images[of_train], labels[of_train], images[of_test], labels[of_test])
    if hasattr(pack.task, "trainer"):
        return pack.task.trainer(pack, data, "cpu")
    return _first("trainables.tasks.trainers", "trainables.trainers").trainer_of(pack, data, "cpu")


def _first(*modules: str) -> Any:
    for module in modules:
        try:
            return import_module(module)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(f"no module {' or '.join(modules)}")


def _bytes_of(part: Any) -> Iterator[bytes]:
    """Yield a part of a state as bytes, in an order of its own."""
    if isinstance(part, Mapping):
        for name in sorted(part):
            yield name.encode()
            yield from _bytes_of(part[name])
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _bytes_of(item)
    elif hasattr(part, "numpy"):
        yield f"{part.dtype} {tuple(part.shape)}".encode()
        yield part.contiguous().numpy().tobytes()
    else:
        yield part if isinstance(part, bytes) else repr(part).encode()


if __name__ == "__main__":
    if os.environ.get(_WORKER):
        work(sys.argv[1:])
    else:
        main()
