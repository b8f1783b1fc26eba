"""The affine map of ``nn.Linear``, as one operation, and the bilinear one."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.ops.matrix import matmul
from gradcore.ops.numbers import same_dtype
from gradcore.ops.registry import T, operation


def _rows(x: Any) -> Any:
    """Return the input with all axes but the last made one."""
    return x if len(x.shape) == 2 else x.reshape((-1, x.shape[-1]))


def _weight_gradient(g: Any, input: Any) -> Any:
    if len(input.shape) == 1:
        return g[:, None] * input
    return matmul(_rows(g).swapaxes(-1, -2), _rows(input))


def _same(input: Array, weight: Array, bias: Array | None) -> tuple[Any, ...]:
    if input.dtype is not weight.dtype:
        same_dtype(input, weight)
    return input, weight, bias


@operation(
    "linear",
    inputs=3,
    gradient={
        "input": lambda g, weight: matmul(g, weight),
        "weight": _weight_gradient,
        "bias": lambda g: g,
    },
    functions=False,
    adapt=_same,
    samples=[
        (T(2, 3), T(4, 3), T(4)),
        (T(2, 5, 3), T(4, 3), T(4)),
        (T(3), T(4, 3), T(4)),
        (T(2, 3), T(4, 3), None),
        (T(0, 3), T(4, 3), T(4)),
    ],
    parity="torch.nn.functional",
    grad_name="Addmm",
)
def linear(input: Array, weight: Array, bias: Array | None = None) -> Any:
    """Return ``input @ weight.T + bias``."""
    try:
        out = np.matmul(input, weight.T)
    except ValueError:
        raise _mismatch(input, weight) from None
    if bias is not None:
        if out.ndim == 0:
            return out + bias
        out += bias
    return out


def _mismatch(input: Array, weight: Array) -> ShapeError:
    rows = input.shape if input.ndim == 2 else (input.size // max(input.shape[-1:] or (1,)),)
    given = (rows[0], *input.shape[-1:])
    turned = weight.shape[::-1]
    what = (
        f"mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, given))} and "
        f"{'x'.join(map(str, turned))})"
    )
    return ShapeError(
        what,
        f"In `linear` of shapes {input.shape} and {weight.shape}.",
        f"The input's last axis must be {weight.shape[-1]}, as the weight's.",
        shapes=(input.shape, weight.shape),
    )
