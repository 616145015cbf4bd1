"""Read a pickle that may hold numpy arrays in plain containers, and nothing else.

A pickle names functions to call while it is read. This reader knows three names and refuses every other, so
that an untrusted file cannot run code.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,  # as numpy 1 wrote it
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,  # as numpy 2 writes it
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted: numpy arrays only") from None


def load_arrays(file: io.BufferedIOBase) -> Any:
    """Unpickle numpy arrays in lists, tuples and dicts; strings of Python 2 are read as latin-1.

    Args:
        file: An open binary file.

    Returns:
        What the pickle holds.

    Raises:
        pickle.UnpicklingError: If it names anything but a numpy array, or is not a pickle.
    """
    return _ArraysOnly(file, encoding="latin1").load()
