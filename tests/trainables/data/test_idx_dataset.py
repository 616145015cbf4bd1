import shutil
from pathlib import Path

import numpy as np
import pytest

from trainables.data import DataError, fetch, load, verify
from trainables.data.check import failures


def test_real_mnist_is_verified_and_loaded(mnist_folder: Path) -> None:
    assert failures(verify("mnist", mnist_folder)) == []
    dataset = load("mnist", mnist_folder)
    assert dataset.train_images.shape == (60_000, 784)
    assert dataset.test_images.shape == (10_000, 784)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.train_labels).tolist() == counts
    assert dataset.train_images.mean() == pytest.approx(33.318, abs=0.001)
    assert dataset.train_images.flags.writeable


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_one_changed_bit_of_real_mnist_is_caught(mnist_folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(mnist_folder / "mnist", tmp_path / "mnist")
    with (tmp_path / "mnist" / name).open("r+b") as file:
        file.seek(5000)
        (value,) = file.read(1)
        file.seek(5000)
        file.write(bytes([value ^ 1]))
    assert [check.what for check in failures(verify("mnist", tmp_path))] == [f"{name} content"]
    with pytest.raises(DataError, match=rf"{name} has MD5 .* expected .*; run `catsweep data fetch mnist`"):
        load("mnist", tmp_path)


def test_absent_dataset_fails_every_check_and_load_names_the_command(use_small, tmp_path: Path) -> None:
    use_small()
    assert len(failures(verify("mnist", tmp_path))) == 4
    with pytest.raises(DataError, match=rf"not in {tmp_path}/mnist.*run `catsweep data fetch mnist`"):
        load("mnist", tmp_path)


@pytest.mark.slow
def test_real_fashion_mnist_is_fetched_and_verified(mnist_folder: Path) -> None:
    fetch("fashion_mnist", mnist_folder)
    assert failures(verify("fashion_mnist", mnist_folder)) == []
    dataset = load("fashion_mnist", mnist_folder)
    assert np.bincount(dataset.train_labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
