"""Sums that gradients ask for most, in the way that takes NumPy least time."""

from typing import Any

import numpy as np

_ONES: dict[Any, Any] = {}


def _ones(count: int, dtype: Any) -> Any:
    """Return a vector of ones; the last few are kept, since training asks for the same again."""
    found = _ONES.get((count, dtype))
    if found is None:
        if len(_ONES) > 16:
            _ONES.clear()
        found = _ONES[(count, dtype)] = np.ones(count, dtype)
    return found


def sum_of_rows(rows: Any) -> Any:
    """Sum a matrix over its first axis, as a product with ones: faster than a reduction."""
    return np.matmul(_ones(rows.shape[0], rows.dtype), rows)
