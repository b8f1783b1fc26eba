"""Windows over an image as columns of a matrix, and back: what convolution multiplies.

The words that tell a convolution's sizes stand at the same place in all its kernels, after six
operands: samples, groups, channels a group, height, width, results a group, kernel height and
width, stride, padding and dilation in both directions, height and width of the result, and how
many of its rows are worked on at a time.
"""

from typing import Any

from numba import njit

from gradcore.native.kernels.values import VECTOR, at, copy_block, real
from gradcore.native.memory import width_of

FLAGS = {"reassoc", "nsz", "contract", "arcp"}
SAMPLES, GROUPS, CHANNELS, HEIGHT, WIDTH, RESULTS = range(6, 12)
KERNEL, STRIDE, PADDING, DILATION, OUT, ROWS = 12, 14, 16, 18, 20, 22
"""Places of the words; those of two directions are followed by the second."""
SLACK = VECTOR
"""How many values of scratch must stand behind a matrix of columns and a padded image."""


@njit(error_model="numpy", fastmath=FLAGS)
def fill(x: Any, n: int, value: Any) -> None:
    """Set ``n`` values."""
    for i in range(n):
        x[i] = value


@njit(error_model="numpy", fastmath=FLAGS)
def pad(x: Any, image: Any, a: Any) -> None:
    """Copy the channels of one group into the middle of a larger image, whose border stays."""
    height, width = a[HEIGHT], a[WIDTH]
    wide = width + 2 * a[PADDING + 1]
    tall = height + 2 * a[PADDING]
    for c in range(a[CHANNELS]):
        for y in range(height):
            source = at(x, (c * height + y) * width)
            target = at(image, (c * tall + y + a[PADDING]) * wide + a[PADDING + 1])
            for i in range(width):
                target[i] = source[i]


@njit(error_model="numpy", fastmath=FLAGS)
def unpad(image: Any, x: Any, a: Any) -> None:
    """Copy the middle of an image out of its border."""
    height, width = a[HEIGHT], a[WIDTH]
    wide = width + 2 * a[PADDING + 1]
    tall = height + 2 * a[PADDING]
    for c in range(a[CHANNELS]):
        for y in range(height):
            source = at(image, (c * tall + y + a[PADDING]) * wide + a[PADDING + 1])
            target = at(x, (c * height + y) * width)
            for i in range(width):
                target[i] = source[i]


@njit(error_model="numpy", fastmath=FLAGS)
def take_windows(image: Any, columns: Any, first: int, rows: int, a: Any) -> None:
    """Write the windows of some rows of the result, one window place a row of the matrix.

    Rows are copied in whole blocks, which write over the beginning of the next one: it follows.
    """
    wide = a[WIDTH] + 2 * a[PADDING + 1]
    tall = a[HEIGHT] + 2 * a[PADDING]
    down, right, width = a[STRIDE], a[STRIDE + 1], a[OUT + 1]
    block = VECTOR // width_of(image)
    place = 0
    for c in range(a[CHANNELS]):
        for ky in range(a[KERNEL]):
            for kx in range(a[KERNEL + 1]):
                start = (c * tall + first * down + ky * a[DILATION]) * wide + kx * a[DILATION + 1]
                for y in range(rows):
                    source, target = at(image, start + y * down * wide), at(columns, place)
                    if right == 1:
                        for i in range(0, width, block):
                            copy_block(at(target, i), at(source, i))
                    else:
                        for i in range(width):
                            target[i] = source[i * right]
                    place += width


@njit(error_model="numpy", fastmath=FLAGS)
def add_windows(columns: Any, image: Any, first: int, rows: int, a: Any) -> None:
    """Add the columns to the places of the image that their windows cover."""
    wide = a[WIDTH] + 2 * a[PADDING + 1]
    tall = a[HEIGHT] + 2 * a[PADDING]
    down, right, width = a[STRIDE], a[STRIDE + 1], a[OUT + 1]
    place = 0
    for c in range(a[CHANNELS]):
        for ky in range(a[KERNEL]):
            for kx in range(a[KERNEL + 1]):
                start = (c * tall + first * down + ky * a[DILATION]) * wide + kx * a[DILATION + 1]
                for y in range(rows):
                    source, target = at(columns, place), at(image, start + y * down * wide)
                    if right == 1:
                        for i in range(width):
                            target[i] += source[i]
                    else:
                        for i in range(width):
                            target[i * right] += source[i]
                    place += width


@njit(error_model="numpy", fastmath=FLAGS)
def image_size(a: Any) -> Any:
    """Return how many values a padded image of one group has."""
    tall, wide = a[HEIGHT] + 2 * a[PADDING], a[WIDTH] + 2 * a[PADDING + 1]
    return a[CHANNELS] * tall * wide


@njit(error_model="numpy", fastmath=FLAGS)
def blank(image: Any, a: Any, f: Any) -> None:
    """Set a padded image to zero."""
    fill(image, image_size(a), real(0.0, f))
