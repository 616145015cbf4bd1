"""Arrays out of an .npz file that anybody may have made: nothing in it is run, and it is bounded."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from trainables.data.own.arrays import ARRAYS, own_dataset
from trainables.error_reason import reason_of
from trainables.own_data import OwnDataError, OwnDataset
from trainables.regular_file import read_regular

MOST_BYTES = 1 << 32
"""Of a file, and of the arrays that are in it, which all workers hold in memory."""
_SUFFIX = ".npy"


class DataMissingError(OwnDataError):
    """The file is not there."""


def read_npz(path: Path, shown: str) -> OwnDataset:
    """Read a data set, which is called what the file is, without its suffix.

    Args:
        path: The file.
        shown: What messages call it.
    Raises:
        DataMissingError: If there is no file.
        OwnDataError: If it is not what it should be; the message names file and array.
    """
    if not path.exists():
        raise DataMissingError(f"{shown} is not there: no file {path.resolve()}")
    try:
        content = read_regular(path, MOST_BYTES)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            arrays = _arrays(archive, shown)
    except OwnDataError:
        raise
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError) as error:
        what = "must be an .npz file, as numpy.savez writes it"
        raise OwnDataError(f"{shown} {what} ({reason_of(error)})") from None
    return own_dataset(path.stem, arrays, shown)


def _arrays(archive: zipfile.ZipFile, shown: str) -> Mapping[str, np.ndarray[Any, Any]]:
    wanted = {f"{name}{_SUFFIX}": name for name in ARRAYS}
    entries = [one for one in archive.infolist() if one.filename in wanted]
    size = sum(one.file_size for one in entries)
    if size > MOST_BYTES:
        raise OwnDataError(f"{shown} must hold arrays of at most {MOST_BYTES:,} bytes, got {size:,}")
    return {wanted[one.filename]: _array(archive.read(one), wanted[one.filename], shown) for one in entries}


def _array(content: bytes, name: str, shown: str) -> np.ndarray[Any, Any]:
    """Return an array, whose header is believed only as far as there are bytes for it."""
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise OwnDataError(
            f"{shown}: array {name} must be of numbers, got Python objects, which are not loaded"
        )
    if len(content) - stream.tell() != math.prod(shape) * dtype.itemsize:
        raise OwnDataError(
            f"{shown}: array {name} must be whole, got {len(content):,} bytes for shape {shape}"
        )
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
