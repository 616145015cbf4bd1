import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from trainables.data import DATASETS, DataError, load, verify
from trainables.data.check import failures
from trainables.data.errors import SourceError


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


def put(small, folder: Path) -> Path:
    target = folder / "mnist"
    target.mkdir()
    for name, content in small.content.items():
        (target / name).write_bytes(content)
    return target


def test_every_file_of_a_sound_dataset_is_checked(small, use_small, tmp_path: Path) -> None:
    use_small()
    put(small, tmp_path)
    checks = verify("mnist", tmp_path)
    assert failures(checks) == []
    assert [check.what for check in checks if "classes" in check.what] == [
        "train-labels-idx1-ubyte classes",
        "t10k-labels-idx1-ubyte classes",
    ]


def test_uneven_classes_are_caught(small, tmp_path: Path) -> None:
    dataset = type(small.dataset())("mnist", small.files, "MNIST", (), images_per_class=(30, 30))
    put(small, tmp_path)
    assert [check.what for check in failures(dataset.verify(tmp_path / "mnist"))] == [
        "t10k-labels-idx1-ubyte classes"
    ]


def test_absent_dataset_fails_every_check_and_load_names_the_command(use_small, tmp_path: Path) -> None:
    use_small()
    assert len(failures(verify("mnist", tmp_path))) == 4
    with pytest.raises(DataError, match=rf"not in {tmp_path}/mnist.*run `catsweep data fetch mnist`"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_a_file_that_never_ends_is_not_read(make, small, use_small, tmp_path: Path) -> None:
    use_small()
    path = put(small, tmp_path) / "t10k-images-idx3-ubyte"
    path.unlink()
    make(path)
    (failure,) = failures(verify("mnist", tmp_path))
    assert failure.detail == "cannot be read: it is no regular file"
    with pytest.raises(DataError, match=r"it is no regular file; run `catsweep data fetch mnist`"):
        load("mnist", tmp_path)


def test_truncated_file_is_caught_by_verify_and_load(small, use_small, tmp_path: Path) -> None:
    use_small()
    path = put(small, tmp_path) / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    assert [check.what for check in failures(verify("mnist", tmp_path))] == [
        "t10k-images-idx3-ubyte content",
        "t10k-images-idx3-ubyte shape",
    ]
    with pytest.raises(DataError, match=r"cannot be read.*run `catsweep data fetch mnist`"):
        load("mnist", tmp_path)


def test_damaged_gzip_file_is_refused(small, tmp_path: Path) -> None:
    packed = gzip.compress(small.content["t10k-labels-idx1-ubyte"])
    with pytest.raises(SourceError, match="labels: damaged gzip file"):
        small.files[3].install(tmp_path, packed[:-5], "labels")
    assert list(tmp_path.iterdir()) == []


def test_fashion_mnist_has_six_thousand_and_one_thousand_images_per_class() -> None:
    fashion = DATASETS["fashion_mnist"]
    assert fashion.images_per_class == (6_000, 1_000)


@pytest.mark.slow
def test_real_fashion_mnist_is_fetched_and_verified(mnist_folder: Path) -> None:
    from trainables.data import fetch

    fetch("fashion_mnist", mnist_folder)
    assert failures(verify("fashion_mnist", mnist_folder)) == []
    assert np.bincount(load("fashion_mnist", mnist_folder).test_labels).tolist() == [1000] * 10
