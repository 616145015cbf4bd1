"""Time everything but training for thousands of members, whose training is simulated.

    python benchmarks/scale.py [--members 1000 10000] [--members-per-pack 1] [--epochs 2] [--json FILE]

For each case the real Tune, the real tracking on SQLite and the real commands work on a home that is removed
afterwards; `benchmarks/simulated.py` stands in for the training alone. Wall and processor seconds are those
of the driver, in a process of its own; Ray's processes and the workers share the cores with it. "Last tenth /
first" compares what a member took, from one end to the next, in the last tenth of the run and in the first.

The yardstick, a loop of ten million additions timed now and then, says how busy the machine was: on a machine
that others use it takes up to thrice as long, processor time included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import sweep` is the package, not this

from benchmarks.processes import peak_memory_mib
from sweep.home import HOME_VARIABLE, TRACKING_VARIABLE, Home
from sweep.quiet import quieten

SEEDS = 10
COMMANDS = ("plan", "status", "tables")
_DEFAULT_CASES = ((1000, 1, 2), (1000, 10, 2), (10_000, 1, 2), (10_000, 10, 2), (50, 1, 160))
_SECONDS_BETWEEN_LOOKS = 0.02
_LATENT, _ESTIMATOR = "8x4", "reinmax"


@dataclass(frozen=True)
class Usage:
    """What a process took.

    Args:
        wall_seconds: From its start to its end.
        cpu_seconds: Processor seconds, user and system.
        peak_mib: Most resident memory, MiB; of a command, up to 20 ms before its end.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Case:
    """A sweep whose training is simulated.

    Args:
        members: How many members, ten seeds for each cell.
        members_per_pack: How many of them train together.
        epochs: How many epochs each reports.
    """

    members: int
    members_per_pack: int
    epochs: int

    def spec_text(self) -> str:
        """Return the spec: one estimator, and learning rates for as many cells as it takes."""
        rates = ", ".join(f"{1e-6 * (index + 1):g}" for index in range(self.members // SEEDS))
        block = f"{{estimator: {_ESTIMATOR}, latent: {_LATENT}, lr: [{rates}]}}"
        return (
            f"name: scale\nepochs: {self.epochs}\nseeds: {SEEDS}\ngrid:\n  - {block}\n"
            f"resources: {{members_per_pack: {self.members_per_pack}}}\n"
        )


@dataclass(frozen=True)
class Result:
    """What a case took.

    Args:
        case: The case.
        driver: What `run_sweep` took, imports left out.
        tenths: Seconds of the first and of the last tenth of the members.
        commands: What the commands took on the finished store, as processes; "plan before" is on none.
        in_process: Seconds that they took in a process that had imported everything.
        yardsticks: Processor seconds of the yardstick before, after the driver, and after the commands.
    """

    case: Case
    driver: Usage
    tenths: tuple[float, float]
    commands: dict[str, Usage]
    in_process: dict[str, float]
    yardsticks: tuple[float, ...]


def drive(spec: Path, home: Path) -> Usage:
    """Run the sweep in this process."""
    from benchmarks.simulated import run_simulated

    wall, cpu = time.perf_counter(), time.process_time()
    outcome = run_simulated(spec, home)
    if outcome.num_failed or outcome.is_interrupted:
        raise RuntimeError(f"every member must have finished, got {outcome}")
    return Usage(time.perf_counter() - wall, time.process_time() - cpu, peak_memory_mib(os.getpid()))


def run_command(*words: str) -> Usage:
    """Run a command from start to exit.

    Raises:
        RuntimeError: If it fails; the message is what it said.
    """
    own = {key: value for key, value in os.environ.items() if key not in (HOME_VARIABLE, TRACKING_VARIABLE)}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said, env=own)
        peak = _peak_until_end(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}:\n{said.read()}")
    return Usage(seconds, used.ru_utime + used.ru_stime, peak)


def _peak_until_end(pid: int) -> float:
    """Wait until a child has ended; return the most resident memory it was seen with, MiB."""
    peak = 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, peak_memory_mib(pid))
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return peak


def yardstick() -> float:
    """Return the processor seconds of ten million additions."""
    start, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - start


def tenths(home: Home) -> tuple[float, float]:
    """Return the seconds in which the first and the last tenth of the members ended."""
    from trainables.store.run_reader import read_records

    ends = sorted(record.end_time or 0 for record in read_records(home.tracking_uri, ()))
    tenth = len(ends) // 10
    return (ends[tenth] - ends[0]) / 1000, (ends[-1] - ends[-1 - tenth]) / 1000


def in_process(spec: str, home: Home) -> dict[str, float]:
    """Return the seconds of what the commands do, imports and printing left out."""
    from sweep import api
    from sweep.cli.table_text import table_text
    from sweep.planning.cell_status import sweep_status

    actions: dict[str, Callable[[], object]] = {
        "plan": lambda: api.current_plan(spec, home),
        "status": lambda: sweep_status(api.current_plan(spec, home)),
        "tables": lambda: table_text([spec], home),
    }
    seconds = {}
    for name, action in actions.items():
        action()
        start = time.perf_counter()
        action()
        seconds[name] = time.perf_counter() - start
    return seconds


def measure(case: Case) -> Result:
    """Run a case and the commands on what it leaves behind."""
    from benchmarks.simulated import simulated_home

    with tempfile.TemporaryDirectory(prefix="catsweep-scale-") as folder:
        spec, home = Path(folder, "spec.yaml"), simulated_home(Path(folder, "home"))
        spec.write_text(case.spec_text())
        answer = Path(folder, "driver.json")
        words = [str(Path(sys.executable).with_name("catsweep")), "--home", str(home.path)]

        def command(name: str) -> Usage:
            return run_command(words[0], name, str(spec), *words[1:])

        yardsticks = [yardstick()]
        commands = {"plan before": command("plan")}
        run_command(sys.executable, __file__, "--drive", str(spec), str(home.path), str(answer))
        yardsticks.append(yardstick())
        commands |= {name: command(name) for name in COMMANDS}
        seconds = in_process(str(spec), home)
        yardsticks.append(yardstick())
        return Result(
            case=case,
            driver=Usage(**json.loads(answer.read_text())),
            tenths=tenths(home),
            commands=commands,
            in_process=seconds,
            yardsticks=tuple(yardsticks),
        )


def report(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of the report, Markdown."""
    yield "| members | a pack | epochs | wall s | wall ms a member | CPU ms a member | last tenth / first "
    yield "| driver peak MiB | yardstick s |\n|---|---|---|---|---|---|---|---|---|"
    for one in results:
        case, driver = one.case, one.driver
        yield (
            f"| {case.members} | {case.members_per_pack} | {case.epochs} | {driver.wall_seconds:.1f} "
            f"| {1000 * driver.wall_seconds / case.members:.1f} "
            f"| {1000 * driver.cpu_seconds / case.members:.1f} | {one.tenths[1] / one.tenths[0]:.2f} "
            f"| {driver.peak_mib:.0f} | {statistics.fmean(one.yardsticks[:2]):.2f} |"
        )
    yield "\n| members | command | wall s | CPU s | in a process that has imported all, s | peak MiB |"
    yield "|---|---|---|---|---|---|"
    for one in results:
        for name, used in one.commands.items():
            inside = f"{one.in_process[name]:.2f}" if name in one.in_process else ""
            yield (
                f"| {one.case.members} | {name} | {used.wall_seconds:.2f} | {used.cpu_seconds:.2f} "
                f"| {inside} | {used.peak_mib:.0f} |"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the report, and keep the numbers if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--members", nargs="+", type=int)
    parser.add_argument("--members-per-pack", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--drive", nargs=3, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    quieten()
    if arguments.drive:
        spec, home, answer = arguments.drive
        answer.write_text(json.dumps(asdict(drive(spec, home))))
        return 0
    cases = [Case(*numbers) for numbers in _DEFAULT_CASES]
    if arguments.members:
        cases = [Case(count, arguments.members_per_pack, arguments.epochs) for count in arguments.members]
    results = [measure(case) for case in cases]
    for line in report(results):
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in results], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
