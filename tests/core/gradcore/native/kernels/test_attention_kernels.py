"""Native attention and its gradients against the NumPy ones."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import attention as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

ATTENTION = OPERATIONS["attention"]
# leading axes, queries, keys, width, depth
CASES = [
    ((), 3, 4, 2, 2),
    ((2,), 1, 1, 1, 1),
    ((2,), 1, 5, 3, 2),
    ((2, 3), 5, 7, 4, 6),
    ((2, 2), 70, 70, 32, 32),
    ((1, 2), 130, 17, 8, 5),
    ((1, 1), 17, 200, 16, 16),
]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-13}


def inputs(numbers: Any, case: Any, real: Any) -> Any:
    lead, queries, keys, width, depth = case
    shapes = ((*lead, queries, width), (*lead, keys, width), (*lead, keys, depth))
    return [numbers(shape, real) for shape in shapes]


def check(native: Any, numbers: Any, real: Any, given: Any, bias: Any, causal: bool) -> None:
    near = TOLERANCE[real]
    rest = (bias, causal, 0.6)
    native.agrees(ATTENTION.kernel, *given, *rest, rtol=near, atol=near)
    y, weights = ATTENTION.kernel(*given, *rest)
    g = [numbers(y.shape, real), None]
    arguments = (g, (True, True, True, False), *given, bias, weights, causal, 0.6)
    native.agrees(ATTENTION.joint, *arguments, rtol=near * 10, atol=near * 10)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_forward_and_gradients_equal_numpy(
    native: Any, numbers: Any, real: Any, case: Any, causal: bool
) -> None:
    check(native, numbers, real, inputs(numbers, case, real), None, causal)


@pytest.mark.parametrize("shape", [(7,), (5, 7), (1, 7), (3, 5, 7), (2, 1, 1, 7), (2, 3, 5, 7)])
def test_a_bias_is_broadcast(native: Any, numbers: Any, real: Any, shape: Any) -> None:
    given = inputs(numbers, ((2, 3), 5, 7, 4, 6), real)
    bias = numbers(shape, real)
    bias[..., 2] = -np.inf
    check(native, numbers, real, given, bias, False)


def test_heads_are_read_and_written_where_they_lie(native: Any, numbers: Any, real: Any) -> None:
    joined = numbers((9, 2, 3 * 8), real)
    parts = [joined[..., i * 8 : (i + 1) * 8] for i in range(3)]
    given = [part.reshape(9, 2, 2, 4).transpose(1, 2, 0, 3) for part in parts]
    assert not any(one.flags.c_contiguous for one in given)
    check(native, numbers, real, given, None, True)
    y = native(ATTENTION.kernel, *given, None, False, 0.5)[0]
    assert y.transpose(2, 0, 1, 3).flags.c_contiguous


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_value_spreads_as_in_numpy(native: Any, numbers: Any, real: Any, bad: float) -> None:
    for place in range(3):
        given = inputs(numbers, ((2,), 6, 6, 4, 4), real)
        given[place][1, 3, 2] = bad
        for causal in (False, True):
            native.agrees(ATTENTION.kernel, *given, None, causal, 0.5, rtol=1e-4, atol=1e-5)


def test_a_learned_bias_and_uneven_heads_stay_with_numpy(
    native: Any, numbers: Any, real: Any
) -> None:
    q, k, v = inputs(numbers, ((2,), 3, 4, 2, 2), real)
    assert native(ATTENTION.kernel, q, k[:1], v[:1], None, False, 1.0) is None
    weights = ATTENTION.kernel(q, k, v, None, False, 1.0)[1]
    arguments = ([q, None], (True,) * 4, q, k, v, numbers((3, 4), real), weights, False, 1.0)
    assert native(ATTENTION.joint, *arguments) is None
