"""Sums and products that training asks for most, in the way that takes NumPy least time.

``ndarray.dot`` gives what ``np.matmul`` gives and takes half as long where matrices are small. What
is no array itself (a recording's stand-in) takes the ufunc, which can be followed.
"""

from typing import Any

import numpy as np

ndarray = np.ndarray
_ONES: dict[Any, Any] = {}


def _ones(count: int, dtype: Any) -> Any:
    """Return a vector of ones; the last few are kept, since training asks for the same again."""
    found = _ONES.get((count, dtype.char))
    if found is None:
        if len(_ONES) > 16:
            _ONES.clear()
        found = _ONES[(count, dtype.char)] = np.ones(count, dtype)
    return found


def product(x: Any, y: Any) -> Any:
    """Multiply two matrices, stacks of them or vectors."""
    if type(x) is ndarray and x.ndim == 2 and y.ndim == 2:
        return x.dot(y)
    return np.matmul(x, y)


def sum_of_rows(rows: Any) -> Any:
    """Sum a matrix over its first axis, as a product with ones: faster than a reduction."""
    ones = _ones(rows.shape[0], rows.dtype)
    return ones.dot(rows) if type(rows) is ndarray else np.matmul(ones, rows)
