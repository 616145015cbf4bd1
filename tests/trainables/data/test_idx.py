import numpy as np
import pytest

from trainables.data.idx import decode_idx, encode_idx, read_idx


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28), (0,), (2, 3, 4, 5)])
def test_array_survives_the_round_trip(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    decoded = decode_idx(encode_idx(array))
    assert decoded.shape == shape
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, array)


def test_header_is_big_endian_as_published() -> None:
    content = encode_idx(np.zeros((300, 28, 28), dtype=np.uint8))
    assert content[:16] == bytes([0, 0, 8, 3, 0, 0, 1, 44, 0, 0, 0, 28, 0, 0, 0, 28])


def test_decoded_array_can_be_written() -> None:
    decoded = decode_idx(encode_idx(np.zeros(3, dtype=np.uint8)))
    decoded[0] = 1
    assert decoded.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x1f\x8b\x08\x00", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "not an IDX file"),
        (b"\x00\x00\x08\x03\x00\x00", "header cut short"),
        (encode_idx(np.zeros(9, dtype=np.uint8))[:-1], "must hold 9 values, got 8"),
        (encode_idx(np.zeros(9, dtype=np.uint8)) + b"\x00", "must hold 9 values, got 10"),
    ],
)
def test_other_content_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_idx(content)


def test_other_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_idx(np.zeros(3, dtype=np.float32))  # type: ignore[arg-type]


def test_error_names_the_file(tmp_path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=str(path)):
        read_idx(path, 100)
