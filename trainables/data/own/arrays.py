"""Arrays of a user's as a data set: what they may be, what they mean, and the hash that is their identity."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from trainables.image_dataset import ImageDataset, Images, Labels
from trainables.own_data import OwnDataError, OwnDataset, checked_name

ARRAYS = ("train", "test", "train_labels", "test_labels")
_ALLOWED = "must be uint8, or floats in [0, 1], of shape (N, height, width) or (N, pixels)"
_MOST_CLASSES = 2**16


def own_dataset(name: str, arrays: Mapping[str, Any], where: str) -> OwnDataset:
    """Return the data set that arrays are.

    A flat array, (N, pixels), has square images, row by row, where its pixels are a square number, else
    images one pixel high. A float y becomes the byte round(255 y).

    Args:
        name: What to call it.
        arrays: `train` and `test`, and `train_labels` and `test_labels`, or neither of these.
        where: What messages call the place that they are from.
    Raises:
        OwnDataError: If they are anything else; the message names the array and says what is allowed.
    """
    try:
        checked_name(name)
        missing = [one for one in ARRAYS[:2] if one not in arrays]
        if missing or ("train_labels" in arrays) != ("test_labels" in arrays):
            has = ", ".join(arrays) or "none"
            rule = (
                "must have the arrays train and test, and train_labels and test_labels, or neither of these"
            )
            raise OwnDataError(f"it {rule}, got {has}")
        (train, shape), (test, test_shape) = (_images(one, np.asarray(arrays[one])) for one in ARRAYS[:2])
        if shape != test_shape:
            sizes = " and ".join("x".join(map(str, one)) for one in (shape, test_shape))
            raise OwnDataError(f"array test must have images of the size of train's, got {sizes}")
        train_labels, test_labels, num_classes = _both_labels(arrays, len(train), len(test))
    except OwnDataError as error:
        raise OwnDataError(f"{where}: {error}") from None
    version = _version(shape, train, test, train_labels, test_labels)
    images = ImageDataset(name, train, train_labels, test, test_labels, version, shape)
    return OwnDataset(name, version, shape, num_classes, images)


def _images(name: str, array: np.ndarray[Any, Any]) -> tuple[Images, tuple[int, int]]:
    """Return images as bytes, (N, pixels), and their height and width."""
    if array.ndim not in (2, 3) or not (array.dtype == np.uint8 or array.dtype.kind == "f"):
        raise OwnDataError(f"array {name} {_ALLOWED}, got {array.dtype} of shape {array.shape}")
    if not array.size:
        raise OwnDataError(f"array {name} must not be empty, got shape {array.shape}")
    if array.dtype.kind == "f":
        lowest, highest = array.min(), array.max()
        if not (lowest >= 0 and highest <= 1):  # which NaN is not either
            raise OwnDataError(f"array {name} {_ALLOWED}, got values from {lowest:g} to {highest:g}")
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    elif array.max() <= 1:
        raise OwnDataError(
            f"array {name} must be grey levels from 0 to 255 where it is uint8, and none is above 1: "
            "make it float, or multiply it by 255"
        )
    shape = array.shape[1:] if array.ndim == 3 else _sides(array.shape[1])
    return np.ascontiguousarray(array.reshape(len(array), -1)), (shape[0], shape[1])


def _sides(num_pixels: int) -> tuple[int, int]:
    side = math.isqrt(num_pixels)
    return (side, side) if side * side == num_pixels else (1, num_pixels)


def _both_labels(
    arrays: Mapping[str, Any], num_train: int, num_test: int
) -> tuple[Labels, Labels, int | None]:
    if "train_labels" not in arrays:
        return np.zeros(num_train, np.uint8), np.zeros(num_test, np.uint8), None
    both = [
        _labels(name, np.asarray(arrays[name]), count)
        for name, count in zip(ARRAYS[2:], (num_train, num_test), strict=True)
    ]
    largest = int(max(one.max() for one in both))
    if largest < 2**8:
        return both[0].astype(np.uint8), both[1].astype(np.uint8), largest + 1
    return both[0].astype(np.uint16), both[1].astype(np.uint16), largest + 1


def _labels(name: str, array: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    if array.dtype.kind not in "iu" or array.shape != (count,):
        rule = f"array {name} must be integers of shape ({count},), one an image"
        raise OwnDataError(f"{rule}, got {array.dtype} of shape {array.shape}")
    if array.min() < 0 or array.max() >= _MOST_CLASSES:
        rule = f"array {name} must be integers from 0 to {_MOST_CLASSES - 1:,}"
        raise OwnDataError(f"{rule}, got {array.min()} to {array.max()}")
    return array


def _version(shape: tuple[int, int], *arrays: np.ndarray[Any, Any]) -> str:
    digest = hashlib.sha256(repr((shape, [(one.shape, one.dtype.str) for one in arrays])).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return f"sha256:{digest.hexdigest()[:16]}"
