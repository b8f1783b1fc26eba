"""The affine map of ``nn.Linear``, as one operation, and the bilinear one."""

from typing import Any

import numpy as np

from gradcore import graph
from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.graph import INFERENCE, Node, TensorBase, new, state, tick, wrap
from gradcore.ops.matrix import matmul
from gradcore.ops.numbers import same_dtype
from gradcore.ops.registry import T, operation
from gradcore.ops.sums import product, sum_of_rows
from gradcore.ops.tape import current_node


def _rows(x: Any) -> Any:
    """Return the input with all axes but the last made one."""
    return x if len(x.shape) == 2 else x.reshape((-1, x.shape[-1]))


def _weight_gradient(g: Any, input: Any) -> Any:
    if type(g) is np.ndarray and g.ndim == 2 and g.dtype.kind == "f":
        return product(g.T, input)
    if len(input.shape) == 1:
        return g[:, None] * input
    return matmul(_rows(g).swapaxes(-1, -2), _rows(input))


def _same(input: Array, weight: Array, bias: Array | None) -> tuple[Any, ...]:
    if input.dtype is not weight.dtype:
        same_dtype(input, weight)
    return input, weight, bias


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
        "input": lambda g, weight: _product(g, weight) if type(g) is np.ndarray else g @ weight,
        "weight": _weight_gradient,
        "bias": lambda g: _column_sum(g) if type(g) is np.ndarray else column_sum(g),
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
    grad_name=_label,
)
def linear(input: Array, weight: Array, bias: Array | None = None) -> Any:
    """Return ``input @ weight.T + bias``."""
    try:
        out = _product(input, weight.T)
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


_general: Any = linear
_PLANS: list[Any] = [None] * 8


def _edge(x: Any) -> Any:
    """Return what leads back to a tensor, as ``tape.leads_to``, which is a call more."""
    node = x._node if x._view is None else current_node(x)
    if node is not None:
        return node
    return x if x._rg else None


def _fast_linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """Do what the entry does for ordinary tensors, with less between: most models live on it."""
    plain = isinstance(input, TensorBase) and isinstance(weight, TensorBase)
    if graph.recorder is not None or not plain or state.inference:
        return _general(input, weight, bias)
    x, w = input._a, weight._a
    if x.dtype is not w.dtype or input._vc is INFERENCE or weight._vc is INFERENCE:
        return _general(input, weight, bias)
    if bias is None:
        a = _kernel(x, w, None)
        third = None
    elif isinstance(bias, TensorBase) and bias._vc is not INFERENCE:
        a = _kernel(x, w, bias._a)
        third = _edge(bias)
    else:
        return _general(input, weight, bias)
    t = wrap(a)
    if not state.grad or t._a.dtype.kind not in "fc":
        return t
    first, second = _edge(input), _edge(weight)
    mask = (first is not None) + 2 * (second is not None) + 4 * (third is not None)
    if mask:
        _record(t, mask, (first, second, third), (input, weight, bias))
    return t


def _record(t: Any, mask: int, edges: tuple[Any, ...], inputs: tuple[Any, ...]) -> None:
    """Put it on the tape."""
    plan = _PLANS[mask]
    if plan is None:
        plan = _PLANS[mask] = _OPERATION.plan(mask)
    node = t._node = new(Node)
    node.op, node.plan, node.edges = _OPERATION, plan, edges
    node.hooks, node.poison = None, ""
    node.shape, node.dtype = t._a.shape, t._a.dtype
    ports = tuple([0 if x is None else x._port for x in inputs])
    node.ports = ports if any(ports) else None
    node.seq = tick()
    node.saved = () if plan.pick is None else plan.pick(inputs)


_OPERATION = _general.operation
_kernel = _OPERATION.kernel
# The public function of the entry, as all others have theirs.
_fast_linear.operation = _OPERATION  # type: ignore[attr-defined]  # an attribute of a function
linear = _fast_linear
