"""Choosing and writing values along a dimension, by mask or by position; limits; comparisons."""

import math
from functools import partial
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, DtypeError, IndexOutOfRangeError, ShapeError
from gradcore.graph import TensorBase, ask, state, wrap
from gradcore.ops.choosing import at_least, at_most
from gradcore.ops.indexing import (
    gather_of,
    index_add_put,
    index_of,
    index_put_op,
    masked_fill,
    pick,
    scatter_add,
    scatter_of,
)
from gradcore.ops.inplace import make_inplace
from gradcore.ops.numbers import broadcast_failed, long_name, promoted
from gradcore.ops.registry import CALLS, FUNCTIONS, METHODS, S, T, composite, operation
from gradcore.ops.shape import axis, expand, reshape

# --- along a dimension

ROWS = T(2, 4, kind="index", high=3)
COLUMNS = T(3, 2, kind="index", high=4)


@composite("gather", methods=True, samples=[(T(3, 4), 0, ROWS), S(T(3, 4), dim=1, index=COLUMNS)])
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """Return ``out[i][j] = input[index[i][j]][j]`` (for dim 0)."""
    return gather_of(input, dim, index)


@composite("take_along_dim", methods=True, samples=[(T(3, 4), ROWS, 0)])
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """Return the values at ``indices`` along a dimension, the others broadcast."""
    if dim is None:
        return gather_of(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    where_ = axis(dim, len(input.shape))
    own, other = list(input.shape), list(indices.shape)
    own[where_] = other[where_] = 1
    both = np.broadcast_shapes(tuple(own), tuple(other))
    wide = [*both]
    wide[where_] = input.shape[where_]
    places = [*both]
    places[where_] = indices.shape[where_]
    return gather_of(expand(input, wide), dim, expand(indices, places))


_UNIQUE_ROWS = T(values=[[0, 1, 2, 0], [1, 2, 0, 2]])


@composite(
    "scatter",
    methods=True,
    samples=[(T(3, 4), 0, _UNIQUE_ROWS, T(2, 4)), (T(3, 4), 0, _UNIQUE_ROWS, 0.5)],
)
def scatter(
    input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Any:
    """Return a copy with ``src`` written at ``index`` along a dimension."""
    src = value if src is None else src
    if reduce is None:
        return scatter_of(input, dim, index, src)
    if reduce == "add":
        if not isinstance(src, TensorBase):
            src = input.new_full(tuple(index.shape), src)
        return scatter_add(input, dim, index, src)
    if reduce == "multiply":
        factors = scatter_of(input.new_ones(tuple(input.shape)), dim, index, src)
        return input * factors
    raise ArgumentError(f"reduce argument must be either add or multiply, got {reduce!r}")


def _scatter_(self: Any, *args: Any, **kwargs: Any) -> Any:
    """In-place form of ``scatter``."""
    dim, index, src, names = _scatter_arguments(args, kwargs)
    if names.get("reduce") is not None:
        return self.copy_(scatter(self, dim, index, src, **names))
    return _scatter_write(self, dim, index, src)


def _scatter_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    names = dict(zip(("dim", "index", "src"), args, strict=False)) | kwargs
    src = names.pop("src", None)
    return names.pop("dim"), names.pop("index"), names.pop("value", src), names


_scatter_write = make_inplace(scatter_of.operation, "scatter_")
METHODS["scatter_"] = _scatter_


@composite(
    "index_select",
    methods=True,
    samples=[(T(3, 4), 0, T(values=[2, 0, 2])), (T(3, 4), 1, T(values=[1]))],
)
def index_select(input: Any, dim: int, index: Any) -> Any:
    """Return the positions ``index`` along a dimension."""
    if not len(input.shape):
        return input.clone()
    where_ = axis(dim, len(input.shape))
    places = _places(index, input.shape[where_], "index_select")
    return index_of(input, (*(slice(None),) * where_, places))


def _places(index: Any, size: int, name: str) -> Array:
    check = partial(_check_places, size=size, name=name)
    if isinstance(index, TensorBase):
        ask(check, index)
    places: Array = index._a if isinstance(index, TensorBase) else np.asarray(index)
    if not isinstance(index, TensorBase):
        check(places)
    # The array itself where it can be: a recorded step knows it.
    return places if places.ndim == 1 else places.reshape(-1)


def _check_places(places: Array, size: int, name: str) -> None:
    """Refuse indices that are no whole numbers, or out of range."""
    if places.dtype.kind not in "iu":
        raise DtypeError(
            f"{name}(): Expected dtype int32 or int64 for index",
            f"It has dtype {dtypes.of(places)}.",
            "Convert it first, for instance with .long().",
        )
    if places.ndim > 1:
        raise IndexOutOfRangeError(
            f"{name}(): Index is supposed to be a vector",
            f"It has shape {places.shape}.",
            "Use gather() for an index with more dimensions.",
        )
    if places.size and (places.max() >= size or places.min() < 0):
        raise IndexOutOfRangeError(
            "index out of range in self",
            f"In `{name}`: indices reach from {places.min()} to {places.max()}, the dimension has "
            f"size {size}.",
            "Indices must be at least 0 and less than the size.",
        )


def _along(input: Any, dim: int, index: Any, name: str) -> tuple[Any, ...]:
    where_ = axis(dim, len(input.shape))
    return (*(slice(None),) * where_, _places(index, input.shape[where_], name))


_TWO = T(values=[2, 0])


@composite(
    "index_add",
    methods=True,
    samples=[(T(3, 4), 0, T(values=[2, 2]), T(2, 4)), S(T(3, 4), 1, _TWO, T(3, 2), alpha=2)],
)
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """Return a copy with ``source`` added at ``index`` along a dimension."""
    source = source if alpha == 1 else source * alpha
    return index_add_put(input, source, _along(input, dim, index, "index_add"))


@composite("index_copy", methods=True, samples=[(T(3, 4), 0, _TWO, T(2, 4))])
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """Return a copy with ``source`` written at ``index`` along a dimension."""
    return index_put_op(input, source, _along(input, dim, index, "index_copy"), False)


@composite("index_fill", methods=True, samples=[(T(3, 4), 0, _TWO, 0.5), (T(3, 4), 1, _TWO, T())])
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """Return a copy with one value at ``index`` along a dimension."""
    return index_put_op(input, value, _along(input, dim, index, "index_fill"), False)


@composite(
    "index_put",
    methods=True,
    samples=[
        (T(3, 4), (T(values=[0, 2]),), T(2, 4)),
        (T(3, 4), (T(values=[0, 0]), T(values=[1, 1])), T(2), True),
    ],
)
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Return a copy with ``values`` at the places that tensors of positions name."""
    key = tuple(item._a if isinstance(item, TensorBase) else item for item in indices)
    if accumulate:
        return index_add_put(input, values, key)
    return index_put_op(input, values, key, False)


def _overwriting(name: str) -> None:
    plain = METHODS[name]

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        # The gradient may need the values that the write replaces.
        source = self.clone() if state.grad else self
        return self.copy_(plain(source, *args, **kwargs))

    call.__name__ = call.__qualname__ = name + "_"
    call.__doc__ = f"In-place form of ``{name}``."
    METHODS[name + "_"] = call


# --- by mask or flat position


@composite(
    "masked_select",
    methods=True,
    samples=[(T(2, 3), T(values=[[True, False, True], [False, True, False]]))],
)
def masked_select(input: Any, mask: Any) -> Any:
    """Return the values where the mask is true, in one dimension."""
    if mask._a.dtype.kind != "b":
        raise DtypeError(
            "masked_select: expected BoolTensor for mask",
            f"It has dtype {mask.dtype}.",
            "Convert it with .bool(), or compare it with something.",
        )
    try:
        shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    except ValueError as error:
        raise broadcast_failed("masked_select", (input._a, mask._a), error) from None
    key = np.broadcast_to(mask._a, shape)
    return index_of(expand(input, shape), key)


@composite(
    "masked_scatter",
    methods=True,
    samples=[(T(2, 3), T(values=[[True, False, True], [False, True, False]]), T(4))],
)
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """Return a copy with the values of ``source`` written, in order, where the mask is true."""
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    input = expand(input, shape)
    key = np.broadcast_to(mask._a, shape)
    count = int(key.sum())
    return index_put_op(input, pick(reshape(source, (-1,)), slice(0, count)), key, False)


@composite("take", methods=True, samples=[(T(2, 3), T(values=[[0, 5], [1, 0]]))])
def take(input: Any, index: Any) -> Any:
    """Return the values at positions counted through the whole tensor."""
    places = index._a
    size = input._a.size
    if places.size and (places.max() >= size or places.min() < -size):
        worst = int(places.max()) if places.max() >= size else int(places.min())
        raise IndexOutOfRangeError(
            f"out of range: tried to access index {worst} on a tensor of {size} elements."
        )
    return index_of(reshape(input, (-1,)), places)


@composite("argwhere", methods=True, samples=[(T(2, 3, kind="int"),)])
def argwhere(input: Any) -> Any:
    """Return the positions of the values that are not 0, one row each."""
    return FUNCTIONS["nonzero"](input)


# --- limits


def _clamp_back(g: Any, input: Any, min: Any, max: Any) -> Any:
    inside: Any = None
    for limit, above in ((min, True), (max, False)):
        if limit is None:
            continue
        part = input >= limit if above else input <= limit
        inside = part if inside is None else inside & part
    return CALLS.where(inside, g, 0.0)


def _clamp_kinds(input: Any, min: Any, max: Any) -> Any:
    for limit in (min, max):
        if limit is not None:
            input, _ = promoted(input, limit)
    kind = input.dtype
    return (
        input,
        min.astype(kind) if isinstance(min, np.ndarray) else min,
        max.astype(kind) if isinstance(max, np.ndarray) else max,
    )


@operation(
    "clamp",
    inputs=3,
    gradient={
        "input": _clamp_back,
        "min": lambda g, input, min, max: g * _below(input, min, max),
        "max": lambda g, input, max: g * (input > max),
    },
    functions=("clamp", "clip"),
    methods=("clamp", "clip"),
    inplace=("clamp_", "clip_"),
    adapt=_clamp_kinds,
    grad_name=lambda node: (
        "Clamp"
        if isinstance(node.kept("min"), TensorBase) or isinstance(node.kept("max"), TensorBase)
        else "Clamp#1"
    ),
    samples=[
        (T(2, 3), -0.5, 0.5),
        S(T(2, 3), min=0.1),
        S(T(2, 3), max=0.2),
        (T(2, 3), T(3, low=-1, high=0), T(3, low=0.2, high=1)),
    ],
)
def clamp(input: Array, min: Any = None, max: Any = None) -> Any:
    """Return values moved to the nearest that lies between ``min`` and ``max``."""
    if min is None and max is None:
        raise ShapeError(
            "torch.clamp: At least one of 'min' or 'max' must not be None", "", "Give a limit."
        )
    if _are_numbers(min, max) and input.size >= 1 << 12 and input.dtype.kind == "f":
        # Both at once takes a quarter of the time.
        return np.clip(input, min, max)
    out = input
    if min is not None:
        out = at_least(out, min) if _are_numbers(min) else np.maximum(out, min)
    if max is not None:
        out = at_most(out, max) if _are_numbers(max) else np.minimum(out, max)
    return out


def _are_numbers(*limits: Any) -> bool:
    return all(type(limit) in (int, float) for limit in limits)


def _below(input: Any, min: Any, max: Any) -> Any:
    under = input < min
    return under if max is None else under & (min < max)


@composite("clamp_min", methods=True, samples=[(T(2, 3), 0.1)])
def clamp_min(input: Any, min: Any) -> Any:
    """Return values raised to ``min`` where they are below."""
    return clamp(input, min, None)


@composite("clamp_max", methods=True, samples=[(T(2, 3), 0.1)])
def clamp_max(input: Any, max: Any) -> Any:
    """Return values lowered to ``max`` where they are above."""
    return clamp(input, None, max)


@composite(
    "nan_to_num",
    methods=True,
    samples=[
        (T(2, 3),),
        (T(values=[1.0, math.nan, math.inf, -math.inf]),),
        (T(values=[1.0, math.nan, math.inf]), 0.5, 7.0),
    ],
)
def nan_to_num(input: Any, nan: float | None = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Return nan as 0 and infinities as the largest numbers (or as given)."""
    if not input.dtype.is_floating_point:
        return input.clone()
    info = dtypes.finfo(input.dtype)
    out = masked_fill(input, input != input, 0.0 if nan is None else nan)
    out = masked_fill(out, input == math.inf, info.max if posinf is None else posinf)
    return masked_fill(out, input == -math.inf, info.min if neginf is None else neginf)


# --- between tensors


def _lerp(input: Array, end: Array, weight: Any) -> Any:
    # As torch: from the nearer end, so that weight 1 gives exactly ``end``.
    apart = end - input
    if isinstance(weight, (int, float)):
        is_near = abs(weight) < 0.5
        apart *= weight if is_near else 1 - weight
        return input + apart if is_near else end - apart
    near = np.abs(weight) < 0.5
    return np.where(near, input + weight * apart, end - apart * (1 - weight))


lerp = operation(
    "lerp",
    inputs=3,
    gradient={
        "input": lambda g, weight: g * (1 - weight),
        "end": lambda g, weight: g * weight,
        "weight": lambda g, input, end: g * (end - input),
    },
    methods=True,
    inplace=True,
    samples=[
        (T(2, 3), T(2, 3), 0.3),
        (T(2, 3), T(2, 3), T(3, low=0, high=1)),
        (T(2, 3), T(2, 3), 0.8),
    ],
    doc="Return ``input + weight * (end - input)``.",
)(_lerp)


@composite("addcmul", methods=True, samples=[S(T(2, 3), T(2, 3), T(3), value=0.5)])
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """Return ``input + value * tensor1 * tensor2``."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


@composite("addcdiv", methods=True, samples=[S(T(2, 3), T(2, 3), T(3, low=0.4), value=0.5)])
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """Return ``input + value * tensor1 / tensor2``."""
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


for _name in (
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "masked_scatter",
    "clamp_min",
    "clamp_max",
    "nan_to_num",
    "addcmul",
    "addcdiv",
    "float_power",
):
    _overwriting(_name)


@composite("isclose", told=True, methods=True, samples=[(T(2, 3), T(2, 3)), (T(3), T(3), 10.0)])
def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Tell where two values differ by at most ``atol + rtol * abs(other)``."""
    return wrap(_near("isclose", input._a, other._a, rtol, atol, equal_nan))


def _near(name: str, a: Array, b: Array, rtol: float, atol: float, equal_nan: bool) -> Any:
    if a.dtype != b.dtype:
        raise DtypeError(
            f"{long_name(a)} did not match {long_name(b)}",
            f"In `{name}` of shapes {a.shape} and {b.shape}.",
            "Convert one of them.",
            dtypes=(dtypes.of(a), dtypes.of(b)),
        )
    try:
        return np.isclose(a, b, rtol, atol, equal_nan)
    except ValueError as error:
        raise broadcast_failed(name, (a, b), error) from None


@composite("allclose", told=True, methods=True, samples=[(T(2, 3), T(2, 3)), (T(3), T(3), 10.0)])
def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Tell whether all values differ by at most ``atol + rtol * abs(other)``."""
    return bool(_near("allclose", input._a, other._a, rtol, atol, equal_nan).all())


@composite("equal", told=True, methods=True, samples=[(T(2, 3), T(2, 3)), (T(2, 3), T(3))])
def equal(input: Any, other: Any) -> bool:
    """Tell whether two tensors have the same shape and the same values."""
    return bool(np.array_equal(input._a, other._a))


@composite("isin", told=True, samples=[(T(2, 3, kind="int"), T(2, kind="int"))])
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Any:
    """Tell which values occur in ``test_elements``."""
    first, second = (x._a if isinstance(x, TensorBase) else x for x in (elements, test_elements))
    return wrap(np.isin(first, second, invert=invert))


@composite(
    "cosine_similarity",
    functions=True,
    methods=False,
    samples=[(T(2, 3), T(2, 3)), S(T(2, 3), T(3), dim=-1), (T(2, 3), T(2, 3), 0)],
)
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between vectors along a dimension."""
    norm = FUNCTIONS["norm"]
    first = clamp(norm(x1, 2, dim, True), eps, None)
    second = clamp(norm(x2, 2, dim, True), eps, None)
    return ((x1 / first) * (x2 / second)).sum(dim)


@composite(
    "pairwise_distance", samples=[(T(2, 3), T(2, 3)), (T(2, 3), T(2, 3), 1.0)], parity="torch"
)
def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """Return the p-norm of the differences along the last dimension."""
    return FUNCTIONS["norm"](x1 - x2 + eps, p, -1, keepdim)
