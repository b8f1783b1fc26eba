"""Handwritten digits: 1,797 real images of 8 x 8 grey values, from 0 to 1."""

import numpy as np

from paramscope.data.bundled import one_of_each, split, table
from paramscope.data.description import DataInfo, Rows

INFO = DataInfo(
    title="Handwritten digits",
    summary="1,797 digits written by 13 people, 8 x 8 grey values each",
    shape=(1, 8, 8),
    classes=tuple("0123456789"),
    licence="CC BY 4.0",
    authors="E. Alpaydin, C. Kaynak",
    year=1998,
    url="https://doi.org/10.24432/C50P49",
)
WHITEST = 16
"""The largest grey value in the file."""


def train() -> Rows:
    """Return the 1,442 training images and their digits.

    Shape: images (1442, 1, 8, 8), digits (1442,).

    >>> images, labels = train()
    >>> images.shape, images.max(), labels[:5]
    ((1442, 1, 8, 8), np.float32(1.0), array([0, 1, 2, 3, 4]))
    """
    return _images(held_out=False)


def test() -> Rows:
    """Return the 355 held-out images and their digits, shaped as those of `train`."""
    return _images(held_out=True)


def preview(count: int = 10) -> Rows:
    """Return ``count`` training images, 0 to 9 in turn."""
    return one_of_each(train(), count)


def _images(*, held_out: bool) -> Rows:
    pixels, digits = split(table("digits.csv.gz", header_lines=0), held_out=held_out)
    return (pixels / np.float32(WHITEST)).reshape(-1, *INFO.shape), digits
