import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from trainables.data.omniglot.numpy_pickle import load_arrays


class Touch:
    """Unpickled by an ordinary reader, this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_in_plain_containers_are_read(protocol: int) -> None:
    arrays = (np.arange(6, dtype=np.float32).reshape(2, 3), [np.array([1, 2])], {"key": None})
    loaded = load_arrays(io.BytesIO(pickle.dumps(arrays, protocol)))
    assert np.array_equal(loaded[0], arrays[0])
    assert loaded[0].dtype == np.float32
    assert np.array_equal(loaded[1][0], arrays[1][0])
    assert loaded[2] == arrays[2]


def test_pickle_that_python_2_wrote_is_read() -> None:
    python_2 = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89U\x02\x07\xfetb."
    )
    assert load_arrays(io.BytesIO(python_2)).tolist() == [7, 254]


def test_malicious_pickle_is_refused_and_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "touched"
    content = pickle.dumps([np.arange(3), Touch(path)], protocol=4)
    with pytest.raises(pickle.UnpicklingError, match=r"touch is not admitted: numpy arrays only"):
        load_arrays(io.BytesIO(content))
    assert not path.exists()
    pickle.loads(content)
    assert path.exists(), "the planted pickle must be harmful to an ordinary reader"


@pytest.mark.parametrize("name", ["builtins\neval", "os\nsystem", "numpy\nload", "numpy\nndarray.tofile"])
def test_every_other_name_is_refused(name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match="not admitted"):
        load_arrays(io.BytesIO(b"\x80\x02c" + name.encode() + b"\n."))
