"""Activation functions that write over their input.

Where the gradient can be found from the result, nothing of what was overwritten is kept: these
have operations of their own. For the others a copy of the input is kept, as torch does.
"""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops import activation as plain
from gradcore.ops.activation import SELU_ALPHA, SELU_SCALE, inside, leaky_slope, where
from gradcore.ops.choosing import at_most
from gradcore.ops.inplace import write
from gradcore.ops.registry import WRITES, S, T, operation

_ANY = (T(2, 3),)


def _limited(x: Any, low: float, high: float, out: Any) -> Any:
    # A recording knows the call without `out`.
    return np.clip(x, low, high) if out is None else np.clip(x, low, high, out=out)


@operation(
    "leaky_relu_by_result",
    gradient={"input": lambda g, y, negative_slope: leaky_slope(g, y, negative_slope)},
    functions=False,
    samples=[_ANY, S(T(2, 3), negative_slope=0.3)],
    parity=None,
    grad_name="LeakyRelu#1",
)
def leaky_relu(input: Array, negative_slope: float = 0.01, *, out: Any = None) -> Any:
    """Return leaky ReLU with a slope of 0 or more, where the signs are those of the input."""
    if negative_slope > 1 or negative_slope == 0:
        return plain.leaky_relu.operation.kernel(input, negative_slope)
    return np.maximum(input, input * negative_slope, out=out)


@operation(
    "hardtanh_by_result",
    gradient={"input": lambda g, y, min_val, max_val: inside(g, y, min_val, max_val)},
    functions=False,
    samples=[_ANY, S(T(2, 3), min_val=-0.5, max_val=0.25)],
    parity=None,
    grad_name="Hardtanh",
)
def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0, *, out: Any = None) -> Any:
    """Return the input limited to an interval; at its ends, the result was limited."""
    return _limited(input, min_val, max_val, out)


@operation(
    "relu6_by_result",
    gradient={"input": lambda g, y: inside(g, y, 0, 6)},
    functions=False,
    samples=[(T(2, 3, low=-4, high=9),)],
    parity=None,
    grad_name="Hardtanh",
)
def relu6(input: Array, *, out: Any = None) -> Any:
    """Return the input limited to 0 .. 6."""
    return _limited(input, 0, 6, out)


def _bent_slope(g: Any, y: Any, alpha: float, rate: float, scale: float) -> Any:
    """Return the gradient of ``scale * (x if x > 0 else alpha * (exp(x / rate) - 1))``."""
    lowest = alpha * scale
    if not isinstance(g, np.ndarray):
        return where(y > 0, g * scale, g * ((y + lowest) / rate))
    slope = at_most(y, 0.0)
    slope += lowest
    if rate != 1:
        slope /= rate
    rest = scale - lowest / rate
    if rest:
        slope += (y > 0) * y.dtype.type(rest)
    slope *= g
    return slope


@operation(
    "elu_by_result",
    gradient={"input": lambda g, y, alpha: _bent_slope(g, y, alpha, 1.0, 1.0)},
    functions=False,
    samples=[_ANY, S(T(2, 3), alpha=0.5)],
    parity=None,
    grad_name="Elu#1",
)
def elu(input: Array, alpha: float = 1.0) -> Any:
    """Return ELU with an alpha of 0 or more, where the signs are those of the input."""
    return plain.elu.operation.kernel(input, alpha)


@operation(
    "celu_by_result",
    gradient={"input": lambda g, y, alpha: _bent_slope(g, y, alpha, alpha, 1.0)},
    functions=False,
    samples=[_ANY, S(T(2, 3), alpha=0.5)],
    parity=None,
    grad_name="Celu#1",
)
def celu(input: Array, alpha: float = 1.0) -> Any:
    """Return CELU with an alpha above 0, where the signs are those of the input."""
    return plain.celu.operation.kernel(input, alpha)


@operation(
    "selu_by_result",
    gradient={"input": lambda g, y: _bent_slope(g, y, SELU_ALPHA, 1.0, SELU_SCALE)},
    functions=False,
    samples=[_ANY],
    parity=None,
    grad_name="Elu#1",
)
def selu(input: Array) -> Any:
    """Return SELU, whose result has the signs of the input."""
    return plain.selu.operation.kernel(input)


_FROM_RESULT = {
    one.operation.name.removesuffix("_by_result"): one.operation
    for one in (leaky_relu, hardtanh, relu6, elu, celu, selu)
}
_FROM_COPY = [plain.silu, plain.mish, plain.hardsigmoid, plain.hardswish, plain.threshold]
WRITES.update({f"{name}_": op for name, op in _FROM_RESULT.items()})
WRITES.update({f"{one.operation.name}_": one.operation for one in _FROM_COPY})


def written_over(op: Any, input: Any, settings: tuple[Any, ...]) -> Any:
    """Write what an activation function returns over its input, and return that."""
    name = op.operation.name
    if name in ("leaky_relu", "elu", "celu") and settings[0] < 0:
        # The result doesn't have the signs of the input: torch refuses these on the way back.
        return input.copy_(op(input.clone(), *settings))
    return write(WRITES[f"{name}_"], f"{name}_", (input,), settings)
