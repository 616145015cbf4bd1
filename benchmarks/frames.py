"""Time the way from a large store to a table and to the curves of one latent.

    python benchmarks/frames.py [--members 10000] [--epochs 160] [--folder DIR] [--json FILE]

The store (`benchmarks/large_store.py`) is made in a folder that is removed afterwards, or kept in the one
that is named and taken from there the next time; 10,000 members of 160 epochs are 2.5 GB. Every line is a
process of its own: `catsweep tables` from start to exit, and reading, of which the seconds are given without
imports, with the most memory that the process had. The yardstick is that of `benchmarks/scale.py`: how busy
the machine was.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import analysis` is the package, not this

from analysis.names import PAPER_LATENTS
from analysis.runs.frame import load_runs
from analysis.runs.history import load_history
from benchmarks.large_store import METRICS, LargeStore
from benchmarks.scale import run_command, yardstick
from sweep.home import Home
from sweep.quiet import quieten
from sweep.spec.file import load_spec
from trainables.schema import CellRequest

_METRIC = "test_neg_elbo"
LATENT = PAPER_LATENTS[0]


@dataclass(frozen=True)
class Reading:
    """What one step took.

    Args:
        name: What was done.
        wall_seconds: Inside the process, imports left out.
        cpu_seconds: The same of the processor.
        command_seconds: Wall seconds of the whole process.
        peak_mib: Most resident memory of the process, MiB.
        yardstick: Processor seconds of the yardstick just before.
    """

    name: str
    wall_seconds: float
    cpu_seconds: float
    command_seconds: float
    peak_mib: float
    yardstick: float


def table(store: LargeStore, requests: Sequence[CellRequest]) -> int:
    """Make the table of every cell, as `catsweep tables` does; return its number of rows."""
    from sweep.cli.table_text import table_text

    text = table_text([str(store.path.with_name("spec.yaml"))], Home(store.path.parent, store.uri))
    return min(len(requests), text.count("\n"))


def frame_of_runs(store: LargeStore, requests: Sequence[CellRequest]) -> int:  # noqa: ARG001
    """Read the last epoch of every member; return the number of rows."""
    return len(load_runs(store.uri, metrics=_METRIC))


def curves(store: LargeStore, requests: Sequence[CellRequest]) -> int:  # noqa: ARG001
    """Read every metric of one latent's members at every epoch; return the number of rows."""
    runs = load_runs(store.uri, metrics=_METRIC)
    return len(load_history(store.uri, METRICS, runs.loc[runs["latent"] == LATENT, "run_id"]))


def one_curve(store: LargeStore, requests: Sequence[CellRequest]) -> int:  # noqa: ARG001
    """Read one metric of them; return the number of rows."""
    runs = load_runs(store.uri, metrics=_METRIC)
    return len(load_history(store.uri, _METRIC, runs.loc[runs["latent"] == LATENT, "run_id"]))


def mean_curves(store: LargeStore, requests: Sequence[CellRequest]) -> int:
    """Average every metric of one latent over the seeds, as a figure does; return the number of points."""
    from analysis.figures.curves import mean_curves as averaged
    from analysis.figures.results import Results

    wanted = [request for request in requests if request.cell.latent == LATENT]
    runs = load_runs(store.uri, metrics=METRICS)
    history = load_history(store.uri, METRICS, runs.loc[runs["latent"] == LATENT, "run_id"])
    results = (Results.from_runs(runs, wanted, metric, "std") for metric in METRICS)
    return sum(len(averaged(history, one, "epoch")) for one in results)


STEPS = {
    "last epoch, table": table,
    "last epoch, frame of runs": frame_of_runs,
    "one metric of one latent": one_curve,
    "all metrics of one latent": curves,
    "the same, mean and spread over the seeds": mean_curves,
}


def do(name: str, store: LargeStore) -> dict[str, float]:
    """Do one step in this process; return its seconds and the size of what it gave."""
    requests = load_spec(store.path.with_name("spec.yaml")).requests()
    wall, cpu = time.perf_counter(), time.process_time()
    size = STEPS[name](store, requests)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "size": size}


def measure(store: LargeStore) -> Iterator[Reading]:
    """Do every step in a process of its own, and the command itself."""
    spec, home = store.path.with_name("spec.yaml"), store.path.parent
    answer = home / "answer.json"
    for name in STEPS:
        busy = yardstick()
        size = ("--members", str(store.members), "--epochs", str(store.epochs))
        used = run_command(
            sys.executable, __file__, "--do", name, "--folder", str(home), "--json", str(answer), *size
        )
        inside = json.loads(answer.read_text())
        yield Reading(name, inside["wall"], inside["cpu"], used.wall_seconds, used.peak_mib, busy)
    busy = yardstick()
    program = str(Path(sys.executable).with_name("catsweep"))
    used = run_command(program, "tables", str(spec), "--home", str(home))
    yield Reading("`catsweep tables`", float("nan"), used.cpu_seconds, used.wall_seconds, used.peak_mib, busy)


@contextmanager
def filled_store(members: int, epochs: int, folder: Path | None) -> Iterator[LargeStore]:
    """Give a filled store, of a folder that is kept or of one that is removed."""
    if folder is None:
        with (
            tempfile.TemporaryDirectory(prefix="catsweep-frames-") as made,
            filled_store(members, epochs, Path(made)) as store,
        ):
            yield store
        return
    folder.mkdir(parents=True, exist_ok=True)
    store = LargeStore(folder.absolute() / "mlflow.db", members, epochs)
    spec = store.path.with_name("spec.yaml")
    if not store.path.exists():
        spec.write_text(store.spec_text())
        store.fill(load_spec(spec).requests())
    elif not spec.exists() or spec.read_text() != store.spec_text():
        raise ValueError(
            f"{folder} must be empty or hold {members} members of {epochs} epochs made by this program"
        )
    yield store


def report(readings: Sequence[Reading]) -> Iterator[str]:
    """Yield the lines of the report, Markdown."""
    yield "| what | wall s | CPU s | process from start to exit, s | peak MiB | yardstick s |"
    yield "|---|---|---|---|---|---|"
    for one in readings:
        wall = "" if one.wall_seconds != one.wall_seconds else f"{one.wall_seconds:.2f}"
        yield (
            f"| {one.name} | {wall} | {one.cpu_seconds:.2f} | {one.command_seconds:.2f} | {one.peak_mib:.0f} "
            f"| {one.yardstick:.2f} |"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Make the store, measure, print the report, and keep the numbers if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=160)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--do", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    quieten()
    if arguments.do:
        store = LargeStore(arguments.folder / "mlflow.db", arguments.members, arguments.epochs)
        arguments.json.write_text(json.dumps(do(arguments.do, store)))
        return 0
    with filled_store(arguments.members, arguments.epochs, arguments.folder) as store:
        readings = list(measure(store))
    for line in report(readings):
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in readings], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
