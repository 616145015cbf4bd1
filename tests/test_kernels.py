"""The short numerical tests once more under the kernels that other CPUs have."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

NUMERICAL = (
    "estimators/test_float32.py",
    "estimators/pathwise/test_heun.py",
    "estimators/score_function/test_exact.py",
    "estimators/score_function/test_indecater.py",
    "estimators/test_diagnostics.py",
    "estimators/test_narrow_dtypes.py",
    "estimators/test_sampling.py",
    "trainables/models/test_bernoulli_vae.py",
    "trainables/models/test_digit_network.py",
    "trainables/models/test_discrete_vae.py",
    "trainables/tasks/test_mnist_addition.py",
    "trainables/models/test_networks.py",
    "trainables/models/test_optimizers.py",
    "trainables/models/test_reconstruction.py",
    "trainables/models/test_synthetic_objectives.py",
    "trainables/training/test_pack_estimator.py",
)


def test_every_file_is_there() -> None:
    assert [name for name in NUMERICAL if not (REPOSITORY / "tests" / name).is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
        {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
        {"MKL_CBWR": "COMPATIBLE"},  # which MKL heeds on CPUs of any maker; the one above on Intel's alone
    ],
    ids=lambda variables: " ".join(f"{name}={value}" for name, value in variables.items()),
)
def test_numerical_tests_pass_under_other_kernels(variables: dict[str, str]) -> None:
    files = [f"tests/{name}" for name in NUMERICAL]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
