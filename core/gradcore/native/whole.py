"""Whole numbers: positions are worked out with them, and they have to stay exact."""

from typing import Any

import numpy as np

from gradcore.native import basic
from gradcore.native.builder import INTEGER, SINGLE, Table, UnsupportedError
from gradcore.native.entry import Operand
from gradcore.native.layout import broadcast

known = {
    np.add: basic.SUM, np.subtract: basic.DIFFERENCE, np.multiply: basic.PRODUCT,
    np.maximum: basic.LARGER, np.minimum: basic.SMALLER, np.floor_divide: basic.QUOTIENT,
    np.remainder: basic.REST, np.bitwise_and: basic.BOTH, np.bitwise_or: basic.EITHER,
    np.bitwise_xor: basic.ONE_OF,
}  # fmt: skip
"""What the kernel for whole numbers does for each ufunc."""


def whole_numbers(
    table: Table, function: Any, target: Operand, sources: tuple[Any, ...]
) -> Operand:
    """Work out a function of two arrays or numbers, all of them int64."""
    what = known.get(function)
    if what is None or not target.is_contiguous or len(sources) != 2:
        raise UnsupportedError
    words: list[Any] = []
    for x in sources:
        given = x if isinstance(x, Operand) else _number(table, x)
        if given.dtype != INTEGER:
            raise UnsupportedError
        if given.size == 1:
            words += [table.contiguous(given), 0]
        else:
            words += [table.contiguous(broadcast(given, target.shape)), 1]
    table.call(basic.integers, target, *words, target.size, what, dtype=SINGLE)
    return target


def _number(table: Table, value: float) -> Operand:
    if value != int(value) or abs(value) > 2**53:
        raise UnsupportedError
    return table.constant(np.array([int(value)], np.int64))


def extreme(table: Table, x: Operand, is_largest: bool) -> Operand:
    """Return the largest or smallest of whole numbers."""
    if x.dtype != INTEGER or not x.size:
        raise UnsupportedError
    made = table.empty((), INTEGER)
    words = (table.contiguous(x), made, x.size, int(is_largest))
    table.call(basic.integer_extreme, *words, dtype=SINGLE)
    return made
