"""Sums of rows that belong together: the gradient of whatever picks rows by number.

``np.add.at`` adds value by value, and ``np.add.reduceat`` costs most where few rows are summed at a
time, which is what tables of words ask for: most words of a batch occur once or twice.
"""

from typing import Any

import numpy as np

from gradcore.dtypes import Array

_ROUND = 1500
"""A round costs as much as ``reduceat`` takes to begin so many sums of single values."""
_MOST = 64
"""So many rounds there are at most."""


def add_rows(out: Array, numbers: Array, values: Array, is_zero: bool = False) -> None:
    """Add each row of ``values`` to the row of ``out`` (``is_zero``: all 0 yet) with its number.

    First the first row of each number, then the second of each: as long as that takes less time
    than to sum the rest number by number.

    Shape: ``out`` (rows, ...), ``numbers`` (count) of 0 .. rows - 1, ``values`` (count, ...).
    """
    count = len(numbers)
    if not count:
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
    width = values.size // count
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
