"""Omniglot's drawings as 28x28 bytes.

A published drawing is a black-on-white PNG of one bit per pixel, 105x105. It becomes an image like MNIST's:
ink bright on a dark ground, each of the 28x28 pixels the exact share of its area (3.75 x 3.75 source pixels)
that is inked, times 255, rounded to nearest. Integer arithmetic gives the same bytes whatever library
decodes the PNG. Strokes are about three source pixels wide, so they survive being binarised at one half.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from trainables.data.errors import SourceError
from trainables.image_dataset import IMAGE_SIDE, Images

DRAWING_SIDE = 105
MOST_BYTES = 1 << 16
"""The longest that a drawing's file can be; the published ones have some 250 bytes."""
_UNITS_PER_PIXEL = 15  # a target pixel is 15 quarters of a source pixel wide: 420 = 28 * 15 = 105 * 4


def _overlaps() -> npt.NDArray[np.float32]:
    """Entry (i, j): quarters of source pixel j that lie in target pixel i, along one axis."""
    units = np.arange(IMAGE_SIDE * _UNITS_PER_PIXEL)
    overlaps = np.zeros((IMAGE_SIDE, DRAWING_SIDE), dtype=np.float32)
    np.add.at(overlaps, (units // _UNITS_PER_PIXEL, units // (units.size // DRAWING_SIDE)), 1)
    return overlaps


_OVERLAPS = _overlaps()


def decode_drawing(png: bytes, name: str) -> npt.NDArray[np.bool_]:
    """Return where a drawing has ink.

    Args:
        png: Content of the PNG file.
        name: Its name, for the message.

    Returns:
        Shape (105, 105), true on ink (black).

    Raises:
        SourceError: If it is not a picture of 105x105, or Pillow, which decodes it, is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise SourceError(f"Pillow is needed to read Omniglot's drawings: {error}") from error
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            # Before a pixel is unpacked: a few bytes can stand for gigabytes of them.
            if picture.size != (DRAWING_SIDE, DRAWING_SIDE):
                width, height = picture.size
                raise SourceError(f"{name} is {width}x{height} pixels, expected 105x105")
            paper = np.asarray(picture.convert("1"), dtype=np.bool_)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"{name} is not a PNG picture: {error}") from error
    return ~paper


def shrink(ink: npt.NDArray[np.bool_]) -> Images:
    """Return the share of ink in each pixel of a 28x28 grid.

    Args:
        ink: Shape (N, 105, 105).

    Returns:
        Shape (N, 784), uint8: round(255 * share).
    """
    # Sums of at most 225 ones: exact in float32, in whatever order a matrix product adds them.
    quarters = _OVERLAPS @ ink.astype(np.float32) @ _OVERLAPS.T
    shares = np.rint(quarters.astype(np.float64) * 255 / _UNITS_PER_PIXEL**2)
    return shares.astype(np.uint8).reshape(len(ink), IMAGE_SIDE**2)
