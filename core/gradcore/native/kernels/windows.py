"""Windows over an image as columns of a matrix, and back: what convolution multiplies.

The words that tell a convolution's sizes stand at the same place in all its kernels, after six
operands: samples, groups, channels a group, height, width, results a group, kernel height and
width, stride, padding and dilation in both directions, height and width of the result, and how
many of its rows are worked on at a time.
"""

from typing import Any

from gradcore.native.kernels.lanes import add_lanes, lanes
from gradcore.native.kernels.values import VECTOR, at, copy_block, fill, part, real
from gradcore.native.memory import width_of

SAMPLES, GROUPS, CHANNELS, HEIGHT, WIDTH, RESULTS = range(6, 12)
KERNEL, STRIDE, PADDING, DILATION, OUT, ROWS = 12, 14, 16, 18, 20, 22
"""Places of the words; those of two directions are followed by the second."""
SLACK = VECTOR
"""How many values of scratch must stand behind a matrix of columns and a padded image."""


@part
def share(a: Any) -> Any:
    """Return how long one of the parts is that a row of an image stands in.

    With a step of 2, columns 0, 2, 4 ... stand together, and after them 1, 3, 5 ...: what a window
    place meets in a row then lies without gaps, whatever the step.
    """
    right = a[STRIDE + 1]
    return (a[WIDTH] + 2 * a[PADDING + 1] + right - 1) // right


@part
def image_size(a: Any) -> Any:
    """Return how many values a padded image of one group has."""
    return a[CHANNELS] * (a[HEIGHT] + 2 * a[PADDING]) * share(a) * a[STRIDE + 1]


@part
def blank(image: Any, a: Any, f: Any) -> None:
    """Set a padded image to zero."""
    fill(image, image_size(a), real(0.0, f))


@part
def pad(x: Any, image: Any, a: Any) -> None:
    """Copy the channels of one group into the middle of a larger image, whose border stays."""
    height, width, down, left = a[HEIGHT], a[WIDTH], a[PADDING], a[PADDING + 1]
    right, part = a[STRIDE + 1], share(a)
    tall = height + 2 * down
    for c in range(a[CHANNELS]):
        for y in range(height):
            source = at(x, (c * height + y) * width)
            target = at(image, (c * tall + y + down) * part * right)
            if right == 1:
                for i in range(width):
                    target[left + i] = source[i]
                continue
            for q in range(right):
                first = (q - left) % right
                into = at(target, q * part + (first + left) // right)
                for i in range((width - first + right - 1) // right):
                    into[i] = source[first + i * right]


@part
def unpad(image: Any, x: Any, a: Any) -> None:
    """Copy the middle of an image out of its border."""
    height, width, down, left = a[HEIGHT], a[WIDTH], a[PADDING], a[PADDING + 1]
    right, part = a[STRIDE + 1], share(a)
    tall = height + 2 * down
    for c in range(a[CHANNELS]):
        for y in range(height):
            source = at(image, (c * tall + y + down) * part * right)
            target = at(x, (c * height + y) * width)
            if right == 1:
                for i in range(width):
                    target[i] = source[left + i]
                continue
            for q in range(right):
                first = (q - left) % right
                out_of = at(source, q * part + (first + left) // right)
                for i in range((width - first + right - 1) // right):
                    target[first + i * right] = out_of[i]


@part
def start_of(c: int, ky: int, kx: int, first: int, part: int, a: Any) -> Any:
    """Return where in an image a window place begins, for the ``first`` row of the result."""
    right, column = a[STRIDE + 1], kx * a[DILATION + 1]
    row = c * (a[HEIGHT] + 2 * a[PADDING]) + first * a[STRIDE] + ky * a[DILATION]
    return (row * right + column % right) * part + column // right


@part
def take_windows(image: Any, columns: Any, first: int, rows: int, a: Any) -> None:
    """Write the windows of some rows of the result, one window place a row of the matrix.

    Rows are copied in whole blocks, which write over the beginning of the next one: it follows.
    """
    part, width, block = share(a), a[OUT + 1], VECTOR // width_of(image)
    down = a[STRIDE] * part * a[STRIDE + 1]
    place = 0
    for c in range(a[CHANNELS]):
        for ky in range(a[KERNEL]):
            for kx in range(a[KERNEL + 1]):
                start = start_of(c, ky, kx, first, part, a)
                for y in range(rows):
                    source, target = at(image, start + y * down), at(columns, place)
                    for i in range(0, width, block):
                        copy_block(at(target, i), at(source, i))
                    place += width


@part
def add_windows(columns: Any, image: Any, first: int, rows: int, a: Any) -> None:
    """Add the columns to the places of the image that their windows cover."""
    part, width, block = share(a), a[OUT + 1], lanes(image)
    down = a[STRIDE] * part * a[STRIDE + 1]
    place = 0
    for c in range(a[CHANNELS]):
        for ky in range(a[KERNEL]):
            for kx in range(a[KERNEL + 1]):
                start = start_of(c, ky, kx, first, part, a)
                for y in range(rows):
                    source, target = at(columns, place), at(image, start + y * down)
                    for i in range(0, width, block):
                        add_lanes(at(target, i), at(source, i), min(block, width - i))
                    place += width
