"""Statistics of an array in as few passes over its memory as NumPy allows."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.census.rows import Statistics

EMPTY = Statistics(norm=0.0, mean=0.0, minimum=0.0, maximum=0.0, zeros=0, non_finite=0)


def statistics_of(array: NDArray[Any]) -> Statistics:
    """Measure ``array``; NaN and Inf are counted, and the rest is measured without them.

    NumPy may warn of an overflow, which is then measured rightly: callers that measure many
    arrays enter ``numpy.errstate`` once, since that costs as much as a small array.

    >>> import numpy as np
    >>> statistics_of(np.array([3.0, 0.0, -4.0, np.nan]))
    Statistics(norm=5.0, mean=-0.3333333333333333, minimum=-4.0, maximum=3.0, zeros=1, non_finite=1)
    """
    if array.size == 0:
        return EMPTY
    if array.dtype.kind in "biu":
        values = array.astype(np.float64)
    elif array.dtype.kind == "c":
        values = np.abs(array)
    else:
        values = array if array.dtype.itemsize >= 4 else array.astype(np.float32)
    flat = values.ravel()
    squares = float(np.dot(flat, flat))
    if not math.isfinite(squares):
        return _non_finite_statistics(flat)
    return Statistics(
        norm=math.sqrt(squares),
        mean=float(np.add.reduce(flat)) / flat.size,
        minimum=float(np.minimum.reduce(flat)),
        maximum=float(np.maximum.reduce(flat)),
        zeros=flat.size - int(np.count_nonzero(flat)),
        non_finite=0,
    )


def norm_of(array: NDArray[Any]) -> float:
    """Return the L2 norm, NaN or Inf where the values are; small arrays cost next to nothing."""
    flat = array.ravel()
    if flat.dtype.kind != "f" or flat.dtype.itemsize < 4:
        return float(np.linalg.norm(flat))
    squares = float(np.dot(flat, flat))
    # Squares may overflow, or vanish, where the values themselves do not.
    return math.sqrt(squares) if 1e-30 < squares < 1e30 else float(np.linalg.norm(flat))


def _non_finite_statistics(flat: NDArray[Any]) -> Statistics:
    """Measure values that hold NaN or Inf, or whose squares overflow their own dtype."""
    finite = flat[np.isfinite(flat)].astype(np.float64)
    if finite.size == 0:
        return Statistics(0.0, 0.0, 0.0, 0.0, zeros=0, non_finite=int(flat.size))
    return Statistics(
        norm=float(np.linalg.norm(finite)),
        mean=float(finite.mean()),
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        zeros=int(finite.size - np.count_nonzero(finite)),
        non_finite=int(flat.size - finite.size),
    )
