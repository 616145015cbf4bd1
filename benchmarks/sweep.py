"""Time the real command on all cores of this machine, and say where the time goes that is not training.

    python benchmarks/sweep.py [--preset table2-8x4] [--estimators reinmax ...] [--seeds 2] [--epochs 5]
                               [--home .catsweep] [--json FILE]

Runs `catsweep run` on a spec made from the preset, in a home of its own that is removed afterwards; only the
data is linked. The loss is 1 - Σ epoch_seconds / (cores x wall seconds), from what a user has: the store, and
the clock from start to exit. The epochs' time stamps say when which core was idle. What Ray and the driver
slow an epoch down by counts as training, so their processor time is beside it.

Linux only. Sampling takes processor time too; the table says how much.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import sweep` is the package, not this

from benchmarks.processes import Sample, Sampler, Usage, machine_cpu_seconds, usage
from benchmarks.timeline import CoreSeconds, Epoch, account
from sweep.cluster.environment import environment
from sweep.home import HOME_VARIABLE, TRACKING_VARIABLE, Home
from sweep.quiet import quieten
from sweep.spec.file import read_spec_text
from trainables.allowance import usable_cores
from trainables.data import fetch, load
from trainables.schema import EPOCH_SECONDS

_CAUSES = {
    "training": "inside epochs",
    "start": "start, until each core's first epoch",
    "between_epochs": "between epochs of a pack",
    "between_packs": "between packs on a core",
    "tail": "tail, no packs left for a core",
    "end": "end, from the last epoch to exit",
}


@dataclass(frozen=True)
class Run:
    """A finished run of the command.

    Args:
        start: When it started, seconds since 1970.
        end: When it had exited.
        pid: Its process.
        samples: What it and its descendants used.
        machine_seconds: Processor seconds of the whole machine meanwhile.
        sampling_seconds: Processor seconds of this benchmark meanwhile.
    """

    start: float
    end: float
    pid: int
    samples: list[Sample]
    machine_seconds: float
    sampling_seconds: float


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Args:
        num_members: Members that finished.
        num_epochs: Epochs, over all members.
        num_cores: Cores of this machine.
        wall_seconds: From start to exit.
        first_epoch_seconds: From the start to the begin of the first epoch of all.
        core_seconds: Where the seconds of the cores went.
        usage: What the processes of each role used.
        data_mib: Size of the images, which all workers share.
        sampling_seconds: Processor seconds of this benchmark meanwhile.
        other_seconds: Processor seconds of everything else on the machine meanwhile.
    """

    num_members: int
    num_epochs: int
    num_cores: int
    wall_seconds: float
    first_epoch_seconds: float
    core_seconds: CoreSeconds
    usage: dict[str, Usage]
    data_mib: float
    sampling_seconds: float
    other_seconds: float

    @property
    def members_per_hour(self) -> float:
        """Members that finish in an hour at this pace."""
        return self.num_members / self.wall_seconds * 3600


def spec_text(preset: str, estimators: Sequence[str], seeds: int, epochs: int) -> str:
    """Return a preset's spec with other seeds and epochs, and with these estimators or, given none, all."""
    spec = yaml.safe_load(read_spec_text(preset)[0])
    blocks = [block for block in spec["grid"] if not estimators or block["estimator"] in estimators]
    return yaml.safe_dump({**spec, "name": "end-to-end", "seeds": seeds, "epochs": epochs, "grid": blocks})


def run_command(spec: Path, home: Home) -> Run:
    """Run the command from start to exit.

    Raises:
        RuntimeError: If it fails; the message is what it said.
    """
    words = [str(Path(sys.executable).with_name("catsweep")), "run", str(spec), "--home", str(home.path)]
    own = {key: value for key, value in os.environ.items() if key not in (HOME_VARIABLE, TRACKING_VARIABLE)}
    cpu, machine, start = time.process_time(), machine_cpu_seconds(), time.time()
    log = spec.with_suffix(".log")  # no pipe: what outlives the command would hold it open
    with (
        log.open("w") as file,
        subprocess.Popen(words, env=own, stdout=file, stderr=subprocess.STDOUT) as process,
        Sampler(process.pid) as sampler,
    ):
        process.wait()
        end = time.time()
    if process.returncode != 0:
        raise RuntimeError(f"catsweep run ended with {process.returncode}:\n{log.read_text()}")
    machine, cpu = machine_cpu_seconds() - machine, time.process_time() - cpu
    return Run(start, end, process.pid, sampler.samples, machine, cpu)


def stored_epochs(home: Home) -> Iterator[Epoch]:
    """Yield every epoch of every member in the store; packs are of one member."""
    from sweep.store.store import Store

    store = Store(home)
    for key, member in store.members().items():
        for metric in store.client.get_metric_history(member.run_id, EPOCH_SECONDS):
            end = metric.timestamp / 1000
            yield Epoch(key, end - metric.value, end)


def summarise(run: Run, epochs: Sequence[Epoch], num_cores: int, data_mib: float) -> Result:
    """Put together what the clock, the store and the samples say."""
    first, last = min(one.start for one in epochs), max(one.end for one in epochs)
    used = usage(run.samples, run.pid, run.start, first, last)
    known_seconds = sum(one.cpu_seconds for one in used.values()) + run.sampling_seconds
    return Result(
        num_members=len({one.pack for one in epochs}),
        num_epochs=len(epochs),
        num_cores=num_cores,
        wall_seconds=run.end - run.start,
        first_epoch_seconds=first - run.start,
        core_seconds=account(epochs, num_cores, run.start, run.end),
        usage=used,
        data_mib=data_mib,
        sampling_seconds=run.sampling_seconds,
        other_seconds=run.machine_seconds - known_seconds,
    )


def report(result: Result) -> Iterator[str]:
    """Yield the lines of the report, Markdown."""
    seconds = result.core_seconds
    yield f"{result.num_members} members, {result.num_epochs} epochs, {result.num_cores} cores\n"
    yield "| wall s | members per hour | Σ epoch s | loss | first epoch began after s |"
    yield "|---|---|---|---|---|"
    yield (
        f"| {result.wall_seconds:.1f} | {result.members_per_hour:.1f} | {seconds.training:.1f} "
        f"| {100 * seconds.loss:.1f} % | {result.first_epoch_seconds:.1f} |\n"
    )
    yield "| where the cores' seconds go | core s | share |\n|---|---|---|"
    for name, value in asdict(seconds).items():
        yield f"| {_CAUSES[name]} | {value:.2f} | {100 * value / seconds.total:.2f} % |"
    yield "\n| processes | first seen after s | CPU s | of that during training | RSS MiB | USS MiB |"
    yield "|---|---|---|---|---|---|"
    for role, one in result.usage.items():
        yield (
            f"| {role} | {one.first_seen_seconds:.1f} | {one.cpu_seconds:.1f} "
            f"| {one.training_cpu_seconds:.1f} | {one.peak_mib:.0f} | {one.own_mib:.0f} |"
        )
    yield f"| this benchmark | | {result.sampling_seconds:.1f} | | | |"
    yield f"| everyone else's | | {result.other_seconds:.1f} | | | |\n"
    yield "RSS and USS are the largest of one process. RSS counts what is shared: the images, for one, are"
    yield f"{result.data_mib:.0f} MiB that all workers share."


def measure(arguments: argparse.Namespace) -> Result:
    """Run the command in a home of its own and summarise the run."""
    text = spec_text(arguments.preset, arguments.estimators, arguments.seeds, arguments.epochs)
    dataset_name = yaml.safe_load(text).get("dataset", "mnist")
    data = arguments.home.absolute() / "data"
    fetch(dataset_name, data)
    dataset = load(dataset_name, data)
    data_mib = (dataset.train_images.nbytes + dataset.test_images.nbytes) / 2**20
    with tempfile.TemporaryDirectory(prefix="catsweep-end-to-end-") as folder:
        home = Home(Path(folder, "home"), f"sqlite:///{folder}/home/mlflow.db")
        home.data.mkdir(parents=True)
        (home.data / dataset_name).symlink_to(data / dataset_name)
        spec = Path(folder, "spec.yaml")
        spec.write_text(text)
        run = run_command(spec, home)
        return summarise(run, list(stored_epochs(home)), usable_cores(), data_mib)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the report, and keep the numbers if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preset", default="table2-8x4")
    parser.add_argument("--estimators", nargs="+", default=[])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--home", type=Path, default=Path(".catsweep"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    quieten()
    result = measure(arguments)
    for line in report(result):
        print(line)
    if arguments.json:
        numbers = {**asdict(result), "members_per_hour": result.members_per_hour}
        record = {"environment": environment(), "loss": result.core_seconds.loss, **numbers}
        arguments.json.write_text(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
