"""Matrix products."""

import math
from typing import Any

import numpy as np

from gradcore.errors import ShapeError
from gradcore.ops.elementwise import conj
from gradcore.ops.numbers import same_dtype
from gradcore.ops.registry import FUNCTIONS, T, operation
from gradcore.ops.sums import product
from gradcore.ops.tiles import SMALL

ndarray = np.ndarray


def swapped(x: Any) -> Any:
    """Return the matrix (or stack of matrices) transposed, conjugated where complex."""
    if type(x) is np.ndarray and x.dtype.kind == "f":
        return x.T if x.ndim == 2 else x.swapaxes(-1, -2)
    return conj(x.swapaxes(-1, -2))


def mismatch(name: str, arrays: Any, error: Exception) -> ShapeError:
    """Return the error for two shapes that cannot be multiplied."""
    x, y = arrays
    if x.ndim == 0 or y.ndim == 0:
        return ShapeError(
            "both arguments to matmul need to be at least 1D, "
            f"but they are {x.ndim}D and {y.ndim}D",
            f"In `{name}` of shapes {x.shape} and {y.shape}.",
            "Use `*` to multiply by a number.",
            shapes=(x.shape, y.shape),
        )
    if x.ndim <= 2 and y.ndim <= 2:
        a = x.shape if x.ndim == 2 else (1, *x.shape)
        b = y.shape if y.ndim == 2 else (*y.shape, 1)
        what = f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})"
    elif y.ndim == 2:
        rows = math.prod(x.shape[:-1])
        what = (
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and "
            f"{y.shape[0]}x{y.shape[1]})"
        )
    elif x.ndim == 3 and y.ndim == 3:
        what = (
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"{[x.shape[0], x.shape[2]]} but got: {list(y.shape[:2])}."
        )
    else:
        what = f"matmul: shapes {list(x.shape)} and {list(y.shape)} cannot be multiplied"
    inner = y.shape[-2] if y.ndim > 1 else y.shape[0]
    return ShapeError(
        what,
        f"In `{name}`: the last axis of the first is {x.shape[-1]}, that of the second "
        f"to be summed over is {inner}.",
        "These two must be equal: transpose one of them, or change the size that made it.",
        shapes=(x.shape, y.shape),
    )


def _left(g: Any, input_shape: Any, other: Any) -> Any:
    if type(g) is ndarray and g.ndim == other.ndim == 2 and g.size * other.size <= SMALL:
        if other.dtype.kind == "f":
            # As `product`, with less between: chains of small matrices are asked for this most.
            return g.dot(other.T)
    if other.ndim == 2 and len(input_shape) > 1:
        if isinstance(g, np.ndarray) and other.dtype.kind == "f":
            return product(g, other.T)
        return matmul(g, swapped(other))
    if len(other.shape) == 1:
        # (..., n) @ (n): the outer product of what came back with the vector.
        return g[..., None] * conj(other) if len(g.shape) else g * conj(other)
    if len(input_shape) == 1:
        back = matmul(g[..., None, :], swapped(other))
        return back[..., 0, :]
    return matmul(g, swapped(other))


def _right(g: Any, input: Any, other_shape: Any) -> Any:
    if type(g) is ndarray and g.ndim == input.ndim == 2 and g.size * input.size <= SMALL:
        if input.dtype.kind == "f":
            return input.T.dot(g)
    if input.ndim == 2 and len(other_shape) == 2:
        if isinstance(g, np.ndarray) and input.dtype.kind == "f":
            return product(input.T, g)
        return matmul(swapped(input), g)
    if len(input.shape) == 1:
        if len(other_shape) == 1:
            return g * conj(input)
        return conj(input)[:, None] * g[..., None, :]
    if len(other_shape) == 1:
        back = matmul(swapped(input), g[..., None])
        return back[..., 0]
    if len(other_shape) == 2 and len(input.shape) > 2:
        # One product of two tall matrices instead of a stack that is summed afterwards.
        rows = input.reshape((-1, input.shape[-1]))
        return matmul(swapped(rows), g.reshape((-1, g.shape[-1])))
    return matmul(swapped(input), g)


def _matmul_name(node: Any) -> str:
    out = len(node.shape)
    if out == 0:
        return "Dot"
    if out > 2:
        return "UnsafeView"
    if out == 2:
        return "Mm"
    first = node.kept("input_shape", None) or getattr(node.kept("input"), "shape", (1, 1))
    return "Mv" if len(first) == 2 else "Squeeze#4"


matmul = operation(
    "matmul",
    inputs=2,
    gradient={"input": _left, "other": _right},
    methods=True,
    kind="binary",
    adapt=same_dtype,
    failed=mismatch,
    grad_name=_matmul_name,
    samples=[
        (T(2, 3), T(3, 4)),
        (T(3), T(3)),
        (T(2, 3), T(3)),
        (T(3), T(3, 4)),
        (T(5, 2, 3), T(3, 4)),
        (T(5, 2, 3), T(5, 3, 4)),
        (T(2, 3), T(5, 3, 4)),
        (T(2, 1, 2, 3), T(5, 3, 4)),
        (T(5, 2, 3), T(3)),
        (T(3), T(5, 3, 4)),
    ],
    doc="Return the matrix product; stacks of matrices broadcast, vectors are rows or columns.",
)(product)


def _strict(name: str, first: int, second: int, label: str, doc: str, samples: Any) -> Any:
    """Enter a product of fixed numbers of dimensions."""

    def kernel(x: Any, y: Any) -> Any:
        if x.ndim != first or y.ndim != second:
            raise ShapeError(
                f"{name}: expected a {first}D and a {second}D tensor, but got {x.ndim}D and "
                f"{y.ndim}D",
                f"The shapes are {x.shape} and {y.shape}.",
                "Use matmul(), which takes any number of dimensions.",
                shapes=(x.shape, y.shape),
            )
        return product(x, y)

    return operation(
        name,
        inputs=2,
        gradient={"input": _left, "other": _right},
        methods=True,
        kind="binary",
        adapt=same_dtype,
        failed=mismatch,
        grad_name=label,
        samples=samples,
        doc=doc,
    )(kernel)


mm = _strict("mm", 2, 2, "Mm", "Return the product of two matrices.", [(T(2, 3), T(3, 4))])
FUNCTIONS["spmm"] = mm
bmm = _strict("bmm", 3, 3, "Bmm", "Return the products of two stacks.", [(T(5, 2, 3), T(5, 3, 4))])
mv = _strict("mv", 2, 1, "Mv", "Return the product of a matrix and a vector.", [(T(2, 3), T(3))])
dot = _strict("dot", 1, 1, "Dot", "Return the sum of products of two vectors.", [(T(3), T(3))])
