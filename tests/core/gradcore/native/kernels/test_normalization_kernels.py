"""Native normalisation and its gradients against the NumPy ones."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import normalization as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

NORMALIZE = OPERATIONS["normalize"]
# input, parameters, axes, the shape in which these stand
CASES = [
    ((4, 1), (1,), (1,), None),
    ((4, 7), (7,), (1,), None),
    ((2, 5, 33), (33,), (2,), None),
    ((2, 3, 4), (3, 4), (1, 2), None),
    ((2, 3, 130), (130,), (-1,), None),
    ((6, 5), (5,), (0,), (1, 5)),
    ((33, 40), (40,), (0,), (1, 40)),
    ((3, 4, 9), (4,), (0, 2), (1, 4, 1)),
    ((2, 3, 5, 7), (3,), (0, 2, 3), (1, 3, 1, 1)),
    ((2, 3, 4, 4), None, (2, 3), None),
    ((2, 2, 60), None, (2,), None),
]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-13}


@pytest.mark.parametrize("given", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("case", CASES)
def test_forward_and_gradients_equal_numpy(
    native: Any, numbers: Any, real: Any, case: Any, given: Any
) -> None:
    shape, size, *rest = case
    if size is None and any(given):
        pytest.skip("these have no parameters")
    x, near = numbers(shape, real) * 3 + 1, TOLERANCE[real]
    parameters = [numbers(size, real) if there else None for there in given]
    native.agrees(NORMALIZE.kernel, x, *parameters, *rest, 1e-5, rtol=near, atol=near)
    _y, x_hat, inverse, *_ = NORMALIZE.kernel(x, *parameters, *rest, 1e-5)
    g = [numbers(shape, real), None, None, None, None]
    shapes = [None if p is None else p.shape for p in parameters]
    for needs in ((True, *given), (False, *given)):
        if any(needs):
            arguments = (g, needs, parameters[0], *shapes, x_hat, inverse, *rest)
            native.agrees(NORMALIZE.joint, *arguments, rtol=near * 10, atol=near * 10)


@pytest.mark.parametrize("case", CASES[1:8])
def test_nan_and_infinity_come_out_as_from_numpy(
    native: Any, numbers: Any, real: Any, case: Any
) -> None:
    shape, size, *rest = case
    for bad in (np.nan, np.inf):
        x = numbers(shape, real)
        x[0, 1] = bad
        arguments = (x, numbers(size, real), numbers(size, real), *rest, 1e-5)
        native.agrees(NORMALIZE.kernel, *arguments, rtol=1e-4, atol=1e-5)


def test_gradients_of_statistics_stay_with_numpy(native: Any, numbers: Any, real: Any) -> None:
    x = numbers((4, 3), real)
    _y, x_hat, inverse, *_ = NORMALIZE.kernel(x, None, None, (1,), None, 1e-5)
    g = [x, x, None, None, None]
    assert (
        native(NORMALIZE.joint, g, (True,) * 3, None, None, None, x_hat, inverse, (1,), None)
        is None
    )
