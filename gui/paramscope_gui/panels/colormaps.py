"""Perceptual colour maps as tables of 256 colours, and how values are laid onto them.

Magnitudes take a map from dark to light; signed values one that is white (or dark, in the dark
scheme) at zero, so that the sign is seen at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

# Anchor colours of viridis, evenly spaced; the map is public domain (CC0).
_SEQUENTIAL = "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6dcd59 b4de2c fde725"
_SIGNED_LIGHT = "00466f 0072b2 6fb1d8 f7f7f5 f0b27a d55e00 8a3b00"
_SIGNED_DARK = "8fd0ff 3d9ad6 1f5278 20242a 7a3d14 e0762a ffc294"


def _table(anchors: str) -> NDArray[Any]:
    colors = np.array(
        [[int(code[at : at + 2], 16) for at in (0, 2, 4)] for code in anchors.split()], float
    )
    places = np.linspace(0, 1, len(colors))
    wanted = np.linspace(0, 1, 256)
    channels = [np.interp(wanted, places, colors[:, channel]) for channel in range(3)]
    table = np.empty((256, 4), np.uint8)
    for position, channel in enumerate(reversed(channels)):  # Qt's RGB32 is BGRA in memory
        table[:, position] = np.round(channel)
    table[:, 3] = 255
    return table


SEQUENTIAL = _table(_SEQUENTIAL)
SIGNED = {False: _table(_SIGNED_LIGHT), True: _table(_SIGNED_DARK)}


def thumbnail(matrix: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Shrink a matrix to at most the given size; each cell keeps the value of largest magnitude.

    Striding would lose a dead or an exploded unit between two samples.
    """
    rows, columns = matrix.shape
    row_step, column_step = -(-rows // height), -(-columns // width)
    if row_step == 1 and column_step == 1:
        return matrix
    padded = np.zeros((-(-rows // row_step) * row_step, -(-columns // column_step) * column_step))
    padded[:rows, :columns] = matrix
    cells = padded.reshape(-1, row_step, padded.shape[1] // column_step, column_step)
    low, high = cells.min(axis=(1, 3)), cells.max(axis=(1, 3))
    shrunk: NDArray[Any] = np.where(-low > high, low, high)
    return shrunk


def as_matrix(values: NDArray[Any]) -> NDArray[Any]:
    """Lay a tensor out in two dimensions: the last axis runs to the right."""
    if values.ndim == 0:
        return values.reshape(1, 1)
    if values.ndim == 1:
        return values.reshape(1, -1)
    if values.ndim == 4:  # filters of a convolution: one tile each, in rows of input channels
        out, channels, height, width = values.shape
        tiles = values.transpose(0, 2, 1, 3)
        return tiles.reshape(out * height, channels * width)
    return values.reshape(-1, values.shape[-1])


def image_of(matrix: NDArray[Any], limit: float, *, signed: bool, is_dark: bool) -> QImage:
    """Return a picture of a matrix with levels from ``-limit`` (or 0) to ``limit``.

    What is no number is painted magenta, a colour that neither map has.
    """
    scale = limit if limit > 0 else 1.0
    finite = np.isfinite(matrix)
    shown = np.where(finite, matrix, 0.0)
    share = (shown / scale + 1) / 2 if signed else np.abs(shown) / scale
    numbers = np.clip(np.round(share * 255), 0, 255).astype(np.uint8)
    table = SIGNED[is_dark] if signed else SEQUENTIAL
    pixels = np.ascontiguousarray(table[numbers])
    pixels[~finite] = (0xFF, 0x00, 0xFF, 0xFF)
    rows, columns = matrix.shape
    view = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
    return view.copy()  # the copy owns its pixels; the view dies with the array
