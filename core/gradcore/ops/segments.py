"""Sums of rows that belong together: the gradient of whatever picks rows by number.

``np.add.at`` adds value by value, and ``np.add.reduceat`` costs most where few rows are summed at a
time, which is what tables of words ask for: most words of a batch occur once or twice.
"""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array

_ROUND = 1500
"""A round costs as much as ``reduceat`` takes to begin so many sums of single values."""
_MOST = 64
"""So many rounds there are at most."""
_NARROW = 4
"""Up to so many values in a row, value by value is faster."""
_LONG = 1 << 9
"""So many values are worth a call of their own."""


def add_at(out: Array, index: Any, values: Any) -> None:
    """Add ``values`` to ``out[index]``, every one of them where places repeat."""
    parts = index if isinstance(index, tuple) else (index,)
    if len(parts) == 1 and isinstance(parts[0], np.ndarray) and parts[0].dtype.kind == "b":
        out[parts[0]] += values
        return
    lead = next((i for i, part in enumerate(parts) if not is_whole(part)), 0)
    picked = parts[lead:]
    if not _is_flat(out, picked):
        np.add.at(out, index, values)
        return
    shape = np.broadcast_shapes(*(part.shape for part in picked))
    size = math.prod(shape)
    # Which of the picked dimensions, counted through, and how many values follow.
    places = _counted(out.shape[lead:], picked).reshape(-1)
    inner = math.prod(out.shape[lead + len(picked) :])
    whole = (*out.shape[:lead], *shape, *out.shape[lead + len(picked) :])
    given = np.broadcast_to(np.asarray(values, out.dtype), whole)
    if lead == 0:
        add_rows(out.reshape(-1, inner), places, given.reshape(size, inner))
        return
    rows = out.reshape(math.prod(out.shape[:lead]), -1)
    given = given.reshape(len(rows), -1)
    if len(picked) == 1 and _add_repeated(rows, out.shape[lead], places, given):
        return
    row = (places[:, None] * inner + np.arange(inner)).reshape(-1)
    if len(row) < _LONG:
        starts = np.arange(len(rows))[:, None] * rows.shape[1]
        np.add.at(out.reshape(-1), (starts + row).reshape(-1), given.reshape(-1))
        return
    for total, group in zip(rows, given, strict=True):
        np.add.at(total, row, group)


def _add_repeated(rows: Array, n: int, places: Array, given: Array) -> bool:
    """Add what belongs to each of ``n`` places next to each other, equally often: if it is so.

    Repeating and resizing ask for this.
    """
    times, rest = divmod(len(places), n)
    if rest or not 1 < times <= _MOST:
        return False
    if not (places.reshape(n, times) == np.arange(n)[:, None]).all():
        return False
    sums, parts = rows.reshape(len(rows), n, -1), given.reshape(len(rows), n, times, -1)
    for i in range(times):
        sums += parts[:, :, i]
    return True


def is_whole(part: Any) -> bool:
    """Tell whether a part of an index is a plain ``:``."""
    return type(part) is slice and part == slice(None)


def _is_flat(out: Array, picked: Any) -> bool:
    """Tell whether only whole numbers pick, in an array that can be gone through as one row."""
    return (
        out.flags.c_contiguous
        and out.size > 0
        and len(picked) > 0
        and all(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in picked)
    )


def _counted(shape: Any, picked: Any) -> Any:
    """Return what several numbers pick together, counted through the dimensions they belong to."""
    total: Any = 0
    for size, part in zip(shape, picked, strict=False):
        part = part.astype(np.int64)
        total = total * size + np.where(part < 0, part + size, part)
    return total


def places_along(shape: Any, where: int, index: Any) -> Any:
    """Return what ``index`` names along one dimension, counted through an array of ``shape``.

    In the other dimensions, each of its values stands where it stands in ``index``.
    """
    if not index.size:
        return index.astype(np.int64)
    step, start, own = 1, None, 1
    for i in reversed(range(len(shape))):
        count = index.shape[i]
        if i == where:
            own = step
        elif count > 1:
            line = np.arange(0, count * step, step).reshape((count,) + (1,) * (len(shape) - 1 - i))
            start = line if start is None else start + line
        step *= shape[i]
    flat = index.astype(np.int64) if own == 1 else index.astype(np.int64) * own
    if start is not None:
        flat += start
    return flat


def add_rows(out: Array, numbers: Array, values: Array, is_zero: bool = False) -> None:
    """Add each row of ``values`` to the row of ``out`` (``is_zero``: all 0 yet) with its number.

    First the first row of each number, then the second of each: as long as that takes less time
    than to sum the rest number by number.

    Shape: ``out`` (rows, ...), ``numbers`` (count) of 0 .. rows - 1, ``values`` (count, ...).
    """
    count = len(numbers)
    if not count:
        return
    width = values.size // count
    if width <= _NARROW and out.flags.c_contiguous:
        if width > 1:
            numbers = (numbers.astype(np.int64) * width)[:, None] + np.arange(width)
        np.add.at(out.reshape(-1), numbers.reshape(-1), values.reshape(-1))
        return
    order = _order(numbers, len(out))
    ordered = numbers.take(order)
    is_first = np.empty(count, bool)
    is_first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    if len(starts) == count:
        _add(out, ordered, values.take(order, 0), is_zero)
        return
    rounds, lengths = 0, np.diff(starts, append=count)
    if len(starts) * width > 2 * _ROUND:
        rounds = _rounds(lengths, width)
        _add_in_rounds(out, ordered, values, order, starts, lengths, rounds, is_zero)
    if rounds:
        place = np.arange(count) - starts.repeat(lengths)
        left = np.flatnonzero(place >= rounds)
        starts = np.flatnonzero(place.take(left) == rounds)
        order, ordered = order.take(left), ordered.take(left)
    if len(starts):
        sums = np.add.reduceat(values.take(order, 0), starts, axis=0)
        _add(out, ordered.take(starts), sums, is_zero and not rounds)


def _order(numbers: Array, rows: int) -> Any:
    """Return the order that sorts the numbers and leaves equal ones as they stand."""
    if rows <= 1 << 16:
        # Small integers are sorted digit by digit.
        numbers = numbers.astype(np.uint16)
    return np.argsort(numbers, kind="stable")


def _rounds(lengths: Array, width: int) -> int:
    """Return after how many rounds the rest is cheaper to sum number by number."""
    ended = np.bincount(np.minimum(lengths, _MOST)).cumsum()
    left = (len(lengths) - ended) * width + np.arange(len(ended)) * _ROUND
    return int(left.argmin())


def _add_in_rounds(
    out: Array,
    ordered: Array,
    values: Array,
    order: Array,
    starts: Array,
    lengths: Array,
    rounds: int,
    is_zero: bool,
) -> None:
    for done in range(rounds):
        if done:
            longer = np.flatnonzero(lengths > done)
            starts, lengths = starts.take(longer), lengths.take(longer)
        at = starts + done
        _add(out, ordered.take(at), values.take(order.take(at), 0), is_zero and not done)


def _add(out: Array, places: Array, rows: Array, is_zero: bool) -> None:
    """Add rows to places of which none occurs twice."""
    if not is_zero:
        held = out.take(places, 0)
        held += rows
        rows = held
    out[places] = rows
