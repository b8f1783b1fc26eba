"""Native recurrent layers and their gradients against the NumPy ones."""

from typing import Any

import numpy as np
import pytest

from gradcore.native.kernels import recurrent as lowerings  # noqa: F401  # enters them
from gradcore.ops.every import OPERATIONS

SIZES = [(1, 1, 1), (3, 2, 4), (5, 1, 17), (4, 3, 33), (6, 8, 64)]
GATES = {"rnn_sequence": 1, "lstm_sequence": 4, "gru_sequence": 3}
TOLERANCE = {np.float32: 3e-5, np.float64: 1e-13}


def inputs(numbers: Any, name: str, real: Any, size: Any, with_bias: bool) -> Any:
    length, batch, hidden = size
    wide = GATES[name] * hidden
    states = [numbers((batch, hidden), real) for _ in range(2 if name[0] == "l" else 1)]
    weight = numbers((wide, hidden), real) / real(np.sqrt(hidden))
    bias = numbers(wide, real) if with_bias else None
    return [numbers((length, batch, wide), real), *states, weight, bias]


def gradient_arguments(numbers: Any, op: Any, real: Any, given: Any, rest: Any, parts: Any) -> Any:
    """Return what the joint gradient is given, with gradients of the outputs in ``parts``."""
    made = op.kernel(*given, *rest)
    g = [numbers(y.shape, real) if i in parts else None for i, y in enumerate(made)]
    needs = tuple(x is not None for x in given)
    kept = {"rnn_sequence": made[:1], "lstm_sequence": (made[0], *made[3:])}
    return (g, needs, *given, *kept.get(op.name, (made[0], *made[2:])), *rest)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", GATES)
def test_forward_and_gradients_equal_numpy(
    native: Any, numbers: Any, real: Any, name: str, size: Any, reverse: bool
) -> None:
    op, near = OPERATIONS[name], TOLERANCE[real]
    rest = (False, reverse) if name == "rnn_sequence" else (reverse,)
    states = 2 if name == "lstm_sequence" else 1
    for with_bias in (True, False):
        given = inputs(numbers, name, real, size, with_bias)
        native.agrees(op.kernel, *given, *rest, rtol=near, atol=near)
        for parts in (range(states + 1), [0], [1]):
            arguments = gradient_arguments(numbers, op, real, given, rest, parts)
            native.agrees(op.joint, *arguments, rtol=near * 10, atol=near * 10)


@pytest.mark.parametrize("reverse", [False, True])
def test_relu_equals_numpy(native: Any, numbers: Any, real: Any, reverse: bool) -> None:
    op, near = OPERATIONS["rnn_sequence"], TOLERANCE[real]
    given, rest = inputs(numbers, op.name, real, (4, 3, 9), True), (True, reverse)
    native.agrees(op.kernel, *given, *rest, rtol=near, atol=near)
    arguments = gradient_arguments(numbers, op, real, given, rest, [0, 1])
    native.agrees(op.joint, *arguments, rtol=near, atol=near)


def test_large_layers_are_multiplied_in_blocks(native: Any, numbers: Any, real: Any) -> None:
    op, near = OPERATIONS["lstm_sequence"], TOLERANCE[real] * 10
    given = inputs(numbers, op.name, real, (2, 40, 150), True)
    native.agrees(op.kernel, *given, False, rtol=near, atol=near)
    arguments = gradient_arguments(numbers, op, real, given, (False,), [0, 1, 2])
    native.agrees(op.joint, *arguments, rtol=near * 10, atol=near * 10)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", GATES)
def test_a_bad_value_spreads_as_in_numpy(
    native: Any, numbers: Any, real: Any, name: str, bad: float
) -> None:
    op = OPERATIONS[name]
    given = inputs(numbers, name, real, (4, 3, 8), True)
    given[0][1, 2, 3] = bad
    rest = (False, False) if name == "rnn_sequence" else (False,)
    near = TOLERANCE[real]
    native.agrees(op.kernel, *given, *rest, rtol=near, atol=near)
