"""Where the values of each row stand in order: sorting, medians, the largest few rest on it."""

import numpy as np

from gradcore.dtypes import Array

_LONG = 64
"""From so many values on, sorting them first and looking for equal ones then takes less time."""


def order(input: Array, where: int, descending: bool) -> Array:
    """Return the positions that sort along a dimension; equal values keep their order."""
    if not descending:
        return _ascending(input, where)
    n = input.shape[where]
    return np.flip(n - 1 - _ascending(np.flip(input, where), where), where)


def _ascending(input: Array, where: int) -> Array:
    if input.shape[where] < _LONG or input.dtype.kind != "f":
        return np.argsort(input, axis=where, kind="stable")
    rows = np.ascontiguousarray(np.moveaxis(input, where, -1))
    found = np.argsort(rows, axis=-1)
    values = np.take_along_axis(rows, found, -1)
    _settle_equal(values, found)
    return np.moveaxis(found, -1, where)


def _settle_equal(values: Array, found: Array) -> None:
    """Let equal values of each row, which are in order, stand as they stood before; nan too."""
    goes_on = np.zeros(values.shape, bool)
    np.equal(values[..., 1:], values[..., :-1], out=goes_on[..., 1:])
    if np.isnan(values[..., -1]).any():
        goes_on[..., 1:] |= np.isnan(values[..., :-1])
    goes_on = goes_on.reshape(-1)
    after = np.flatnonzero(goes_on)
    if len(after):
        is_in = goes_on.copy()
        is_in[after - 1] = True
        places = np.flatnonzero(is_in)
        runs = np.cumsum(~goes_on[places])
        flat = found.reshape(-1)
        at = flat[places]
        flat[places] = at[np.lexsort((at, runs))]


def outermost(input: Array, where: int, k: int) -> Array | None:
    """Return where the ``k`` largest values of each row stand; None where equal ones compete."""
    n = input.shape[where]
    if k == 1 and n and input.dtype.kind in "fiu":
        return np.expand_dims(np.argmax(input, where), where)
    if n < _LONG or k < 1 or k * 4 > n or input.dtype.kind != "f":
        return None
    rows = np.ascontiguousarray(np.moveaxis(input, where, -1))
    least = np.partition(rows, n - k, axis=-1)[..., n - k, None]
    is_in = rows >= least
    places = np.flatnonzero(is_in)
    if not (np.count_nonzero(is_in, axis=-1) == k).all():
        return None
    values = rows.reshape(-1)[places].reshape(*rows.shape[:-1], k)
    places = (places % n).reshape(values.shape)
    return np.moveaxis(np.take_along_axis(places, order(values, -1, True), -1), -1, where)
