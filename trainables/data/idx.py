"""The IDX format of MNIST: two zero bytes, a type code, the number of axes, their sizes big-endian, the
values.

Only unsigned bytes (type code 8), which is all that these datasets use.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainables.regular_file import read_regular

UNSIGNED_BYTE = 8


def encode_idx(array: npt.NDArray[np.uint8]) -> bytes:
    """The raw IDX file that holds `array`.

    Args:
        array: Any shape of 1 to 255 axes, uint8.

    Returns:
        Header and values, the content of an uncompressed IDX file.

    Raises:
        ValueError: If the dtype is not uint8 or there is no axis.
    """
    if array.dtype != np.uint8 or array.ndim < 1:
        raise ValueError(f"array must be uint8 with at least one axis, got {array.dtype} {array.shape}")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + array.tobytes()


def decode_idx(data: bytes | bytearray) -> npt.NDArray[np.uint8]:
    """The array that a raw IDX file holds; the inverse of `encode_idx`.

    Args:
        data: Content of an uncompressed IDX file.

    Returns:
        A writable array of its own, uint8, with the shape that the header states.

    Raises:
        ValueError: If the header is not that of unsigned bytes or the length does not fit it.
    """
    if len(data) < 4 or data[0] or data[1] or data[2] != UNSIGNED_BYTE or not data[3]:
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {bytes(data[:4]).hex(' ')}")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError(f"IDX header cut short: {len(data)} of {start} bytes")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    size = int(np.prod(shape, dtype=object))
    if len(data) - start != size:
        raise ValueError(f"IDX file of shape {shape} must hold {size} values, got {len(data) - start}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape).copy()


def read_idx(path: Path, most: int) -> npt.NDArray[np.uint8]:
    """Reads an uncompressed IDX file of at most so many bytes; see `decode_idx`.

    Raises:
        ValueError: If the content is not IDX; the message names the file.
        OSError: If the file cannot be read.
    """
    try:
        return decode_idx(read_regular(path, most))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
