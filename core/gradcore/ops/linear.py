"""The affine map of ``nn.Linear``, as one operation, and the bilinear one."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.ops.matrix import matmul
from gradcore.ops.numbers import same_dtype
from gradcore.ops.registry import T, operation
from gradcore.ops.sums import product, sum_of_rows
from gradcore.ops.tiles import SMALL

ndarray = np.ndarray


def _rows(x: Any) -> Any:
    """Return the input with all axes but the last made one."""
    return x if len(x.shape) == 2 else x.reshape((-1, x.shape[-1]))


def _input_gradient(g: Any, weight: Any) -> Any:
    if type(g) is ndarray and g.ndim == 2 and g.size * weight.size <= SMALL:
        # As `product`, with less between; so do the other two.
        return g.dot(weight)
    return _product(g, weight) if isinstance(g, ndarray) else g @ weight


def _bias_gradient(g: Any) -> Any:
    if type(g) is ndarray and g.ndim == 2:
        return sum_of_rows(g)
    return _column_sum(g) if isinstance(g, ndarray) else column_sum(g)


def _weight_gradient(g: Any, input: Any) -> Any:
    if type(g) is ndarray and g.ndim == input.ndim == 2 and g.size * input.size <= SMALL:
        return g.T.dot(input)
    if isinstance(g, np.ndarray) and g.ndim > 1 and g.dtype.kind == "f":
        return product(_rows(g).T, _rows(input))
    if len(input.shape) == 1:
        return g[:, None] * input
    return matmul(_rows(g).swapaxes(-1, -2), _rows(input))


def _product(x: Array, matrix: Array) -> Any:
    """Return ``x @ matrix``: a stack of rows as one matrix, even where that takes a copy."""
    if x.ndim > 2 and matrix.ndim == 2 and x.size:
        rows = product(x.reshape(-1, x.shape[-1]), matrix)
        return rows.reshape(*x.shape[:-1], matrix.shape[-1])
    return product(x, matrix)


def _spread_rows(g: Any, input_shape: Any) -> Any:
    if isinstance(g, np.ndarray):
        return np.broadcast_to(g, input_shape)
    return g.expand(input_shape)


@operation(
    "column_sum",
    gradient={"input": _spread_rows},
    functions=False,
    samples=[(T(2, 3),), (T(2, 4, 3),), (T(3),)],
    parity=None,
    grad_name="Sum#1",
)
def column_sum(input: Array) -> Any:
    """Sum over all axes but the last, as a product with ones: faster than a reduction."""
    return _column_sum(input)


def _column_sum(input: Array) -> Any:
    if input.ndim == 1:
        return input.copy()
    return sum_of_rows(input if input.ndim == 2 else input.reshape((-1, input.shape[-1])))


def _label(node: Any) -> str:
    """Return torch's name: of the product that `linear` is made of there, or of the last view."""
    if len(node.shape) == 1:
        return "View" if node.edges[2] is not None else "Squeeze#4"
    if len(node.shape) > 2:
        return "View" if node.edges[2] is not None else "UnsafeView"
    return "Addmm" if node.edges[2] is not None else "Mm"


@operation(
    "linear",
    inputs=3,
    gradient={
        "input": _input_gradient,
        "weight": _weight_gradient,
        "bias": _bias_gradient,
    },
    functions=False,
    samples=[
        (T(2, 3), T(4, 3), T(4)),
        (T(2, 5, 3), T(4, 3), T(4)),
        (T(3), T(4, 3), T(4)),
        (T(2, 3), T(4, 3), None),
        (T(0, 3), T(4, 3), T(4)),
    ],
    parity="torch.nn.functional",
    grad_name=_label,
)
def linear(input: Array, weight: Array, bias: Array | None = None) -> Any:
    """Return ``input @ weight.T + bias``."""
    if input.dtype is not weight.dtype:
        same_dtype(input, weight)
    try:
        if type(input) is ndarray and input.ndim == 2 and input.size * len(weight) <= SMALL:
            # As `product`, which may cut larger ones into tiles.
            out = input.dot(weight.T)
        else:
            out = _product(input, weight.T)
    except ValueError:
        raise _mismatch(input, weight) from None
    if bias is not None:
        if out.ndim == 0:
            return out + bias
        np.add(out, bias, out)
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
