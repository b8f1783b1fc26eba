"""Whether a native step gave the numbers of the step itself, up to rounding."""

from typing import Any

import numpy as np

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
"""How far native results may be from those of the step itself, as a share of the largest one."""
FLIPPED = 0.05
"""How far a gradient may be in all, as a share of its length, where values lie at a kink.

Rounding lets one of a million values fall to the other side of a ReLU or a maximum. The gradients
of all that lies before it change a little then, at many places.
"""


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


def is_near(a: Any, b: Any) -> bool:
    """Tell whether two gradients are the same but for a few values at a kink."""
    if a.dtype.kind != "f" or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    length = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) <= FLIPPED * length
