"""Whether a native step gave the numbers of the step itself, up to rounding."""

from typing import Any

import numpy as np

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
"""How far native results may be from those of the step itself, as a share of the largest one."""


def largest(a: Any) -> float:
    """Return the largest magnitude among finite values."""
    finite = np.abs(a[np.isfinite(a)]) if a.ndim else np.abs(a)
    return float(finite.max()) if finite.size and np.isfinite(finite).all() else 0.0


def close(a: Any, b: Any, floor: float = 0.0) -> bool:
    """Tell whether two arrays agree; NaN and infinity must stand in the same places."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool((a == b).all())
    rest = ~np.isfinite(b)
    if not np.array_equal(a[rest], b[rest], equal_nan=True) or not np.isfinite(a[~rest]).all():
        return False
    scale = max(largest(b), floor, float(np.finfo(a.dtype).tiny))
    return bool((np.abs(a[~rest] - b[~rest]) <= TOLERANCE[a.dtype.name] * scale).all())
