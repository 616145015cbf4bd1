"""What a few samples add up to, and samples of a real process."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.processes import DRIVER, TRAINING, Sample, Sampler, Usage, machine_cpu_seconds, usage

_WORKER = "python /workers/default_worker.py"
_BUSY_CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; end = time.time() + 1.5\\nwhile time.time() < end: pass"])
"""


def test_usage_adds_up_processes_by_what_they_are() -> None:
    samples = [
        Sample(100.5, 1, "catsweep run", 0.4, 50, 40),
        Sample(101.0, 2, _WORKER, 0.1, 30, None),
        Sample(104.0, 3, _WORKER, 1.0, 30, None),
        Sample(105.0, 2, "ray::ResourceTrainable.train", 2.0, 200, 90),
        Sample(107.0, 2, "ray::IDLE", 4.0, 210, 80),
        Sample(109.0, 2, "ray::IDLE", 5.0, 220, None),
        Sample(109.0, 1, "catsweep run", 0.9, 60, None),
    ]
    assert usage(samples, driver=1, start=100, first_epoch=105, last_epoch=108) == {
        DRIVER: Usage(0.5, 0.9, 0.0, 60, 40),
        TRAINING: Usage(1.0, 5.0, 4.0 - 2.0, 220, 90),
        "other workers": Usage(4.0, 1.0, 0.0, 30, 0.0),
    }


def test_sampler_sees_a_process_and_its_child() -> None:
    before = machine_cpu_seconds()
    start = time.time()
    with subprocess.Popen([sys.executable, "-c", _BUSY_CHILD]) as process, Sampler(process.pid) as sampler:
        process.wait()
    used = usage(sampler.samples, process.pid, start, start, time.time())
    assert set(used) == {DRIVER, "other"}
    child = used["other"]
    assert 0.1 < child.cpu_seconds < 3
    assert child.cpu_seconds < machine_cpu_seconds() - before + 0.5
    assert 1 < child.own_mib <= child.peak_mib < 100
