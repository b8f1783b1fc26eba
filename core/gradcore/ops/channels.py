"""Normalisation of channels (batch norm) that goes through an image block by block.

NumPy multiplies by one number a channel at a third of the speed it multiplies two arrays of one
shape: each number stands in a tile as large as its channel. Sums are products with ones.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcore.dtypes import Array

_BLOCK = 1 << 17
"""How many values are gone through at once."""
_LONG = 64
"""From so many values on, channels are summed one by one; shorter ones over the samples first."""


class _Blocks:
    """The blocks of an array (samples, channels, places): some channels, then some samples."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.samples, self.channels, self.places = shape
        self.high = min(self.channels, max(1, _BLOCK // self.places))
        self.deep = min(self.samples, max(1, _BLOCK // (self.high * self.places)))
        self.count = dtype.type(self.samples * self.places)
        self._room = np.empty(self.deep * self.high * self.places, dtype)
        self._ones = np.ones(max(self.samples, self.places), dtype)

    def bands(self) -> Iterator[slice]:
        """Yield the channels that are gone through together."""
        for start in range(0, self.channels, self.high):
            yield slice(start, min(start + self.high, self.channels))

    def of(self, *arrays: Array) -> Iterator[list[Array]]:
        """Yield blocks of arrays (samples, some channels, places), some samples at a time."""
        for start in range(0, self.samples, self.deep):
            yield [a[start : start + self.deep] for a in arrays]

    def room(self, shape: tuple[int, ...]) -> Any:
        """Return an array to write over, as large as a block."""
        size = shape[0] * shape[1] * shape[2]
        return self._room[:size].reshape(shape)

    def tile(self, column: Array, band: slice) -> Any:
        """Return one number for each channel of a band, as often as the channel has places."""
        part = column[band]
        if len(part) == 1:
            return part[0]
        return np.repeat(part, self.places).reshape(len(part), self.places)

    def sums(self, x: Array) -> Any:
        """Return the sum of each channel."""
        samples, channels, places = x.shape
        if places >= _LONG:
            rows = x.reshape(-1, places).dot(self._ones[:places])
            return np.add.reduce(rows.reshape(samples, channels), 0)
        total = self._ones[:samples].dot(x.reshape(samples, -1))
        return np.add.reduce(total.reshape(channels, places), 1)

    def products(self, x: Array, y: Array) -> Any:
        """Return the sum of the products of two blocks, for each channel."""
        if self.places >= _LONG:
            return np.add.reduce(np.vecdot(x, y), 0)
        return self.sums(np.multiply(x, y, out=self.room(x.shape)))


def _layered(x: Array) -> Any:
    return x.reshape(*x.shape[:2], -1)


def normalize_channels(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Return what ``normalize`` does; inverse, mean and variance have one number a channel."""
    values, y, x_hat = _layered(x), np.empty_like(x), np.empty_like(x)
    blocks = _Blocks(values.shape, x.dtype)
    found, scaled = _layered(x_hat), _layered(y)
    mean = blocks.sums(values) / blocks.count
    variance = np.zeros_like(mean)
    inverse = np.empty_like(mean)
    for band in blocks.bands():
        tile = blocks.tile(mean, band)
        for part, now in blocks.of(values[:, band], found[:, band]):
            np.subtract(part, tile, out=now)
            variance[band] += blocks.products(now, now)
        variance[band] /= blocks.count
        inverse[band] = 1.0 / np.sqrt(variance[band] + eps)
        tile = blocks.tile(inverse, band)
        scale = None if weight is None else blocks.tile(weight, band)
        shift = None if bias is None else blocks.tile(bias, band)
        for now, out in blocks.of(found[:, band], scaled[:, band]):
            np.multiply(now, tile, out=now)
            if scale is None:
                np.copyto(out, now)
            else:
                np.multiply(now, scale, out=out)
            if shift is not None:
                np.add(out, shift, out=out)
    return y, x_hat, inverse, mean, variance


def normalize_channels_slope(
    g: Array, x_hat: Array, inverse: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return the gradients of the input, the weight and the bias."""
    slopes, values = _layered(g), _layered(x_hat)
    blocks = _Blocks(values.shape, x_hat.dtype)
    into_x = np.empty_like(x_hat)
    out = _layered(into_x)
    into_bias = blocks.sums(slopes)
    into_weight = np.zeros_like(into_bias)
    mean = into_bias / blocks.count
    scale = inverse.reshape(-1) if weight is None else inverse.reshape(-1) * weight
    for band in blocks.bands():
        for part, now in blocks.of(slopes[:, band], values[:, band]):
            into_weight[band] += blocks.products(part, now)
        slope = blocks.tile(into_weight / blocks.count, band)
        shift, factor = blocks.tile(mean, band), blocks.tile(scale, band)
        for part, now, into in blocks.of(slopes[:, band], values[:, band], out[:, band]):
            np.multiply(now, slope, out=into)
            np.add(into, shift, out=into)
            np.subtract(part, into, out=into)
            np.multiply(into, factor, out=into)
    return into_x, into_weight, into_bias
