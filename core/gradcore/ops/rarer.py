"""Operations that few programs use: writing parts back, reductions by index, aliases."""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.graph import state, wrap
from gradcore.ops.indexing import index_add_put, index_put_op
from gradcore.ops.parts import tensor_split
from gradcore.ops.registry import CALLS, FUNCTIONS, METHODS, S, T, composite, operation
from gradcore.ops.shape import axis, reshape
from gradcore.ops.statistics import norm

# --- parts written back: a copy of the whole


def _scattered(name: str, samples: Any, doc: str) -> None:
    """Enter ``<view>_scatter``: the input with one of its views replaced."""
    take = METHODS[name]

    def call(input: Any, src: Any, *args: Any, **kwargs: Any) -> Any:
        places = wrap(np.arange(input._a.size).reshape(input._a.shape))
        key = np.unravel_index(take(places, *args, **kwargs)._a, input._a.shape)
        return index_put_op(input, src, key, False)

    call.__name__ = call.__qualname__ = name + "_scatter"
    call.__doc__ = doc
    composite(name + "_scatter", methods=True, samples=samples)(call)


_scattered("diagonal", [(T(3, 3), T(3)), (T(3, 3), T(2), 1)], "Replace a diagonal.")
_scattered("select", [(T(2, 3), T(3), 0, 1)], "Replace one position along a dimension.")


@composite(
    "slice_scatter", methods=True, samples=[(T(4, 2), T(2, 2), 0, 1, 3), S(T(4), T(2), step=2)]
)
def slice_scatter(
    input: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    """Replace a slice along a dimension."""
    where = axis(dim, len(input.shape))
    return index_put_op(input, src, (*(slice(None),) * where, slice(start, end, step)), False)


# --- reductions by index

_REDUCERS = {
    "sum": (np.add, 0),
    "prod": (np.multiply, 1),
    "amax": (np.maximum, -math.inf),
    "amin": (np.minimum, math.inf),
}


def _reduce_kernel(
    input: Array, dim: int, index: Array, src: Array, reduce: str, include_self: bool
) -> Any:
    where = axis(dim, input.ndim)
    cut = src[tuple(slice(0, n) for n in index.shape)]
    key = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    key[where] = index
    place = tuple(key)
    out = input.copy()
    ufunc, neutral = _REDUCERS["sum" if reduce == "mean" else reduce]
    if not include_self:
        if out.dtype.kind in "iu" and math.isinf(neutral):
            info = np.iinfo(out.dtype)
            neutral = info.min if neutral < 0 else info.max
        out[place] = neutral
    ufunc.at(out, place, cut)
    if reduce == "mean":
        counts = np.full(input.shape, int(include_self))
        np.add.at(counts, place, 1)
        counts = np.maximum(counts, 1)
        out = out // counts if out.dtype.kind in "iu" else (out / counts).astype(out.dtype)
    return out


@composite(
    "scatter_reduce",
    methods=True,
    samples=[
        (T(3), 0, T(values=[0, 0, 2]), T(3), "sum"),
        S(T(3), 0, T(values=[0, 0, 2]), T(3), "mean", include_self=False),
        (T(3), 0, T(values=[0, 0, 2]), T(3), "amax"),
        S(T(3), 0, T(values=[0, 0, 2]), T(3), "amin", include_self=False),
        (T(3), 0, T(values=[0, 1, 2]), T(3), "prod"),
    ],
)
def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """Return a copy with ``src`` summed, multiplied, averaged or compared in at ``index``."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ShapeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    return _reduce_of(input, dim, index, src, reduce, include_self)


def _reduce_back(
    g: Any, needs: Any, input: Any, dim: int, index: Any, src: Any, y: Any, reduce: str,
    include_self: bool,
) -> Any:  # fmt: skip
    gather, add = FUNCTIONS["gather"], FUNCTIONS["scatter_add"]
    where = FUNCTIONS["where"]
    zeros, ones = input * 0.0, src * 0.0 + 1.0
    touched = add(zeros, dim, index, ones)
    own: Any = g if include_self else where(touched > 0, 0.0, g)
    if reduce == "sum":
        return own, None, None, gather(g, dim, index)
    if reduce == "mean":
        counts = touched + (1.0 if include_self else where(touched > 0, 0.0, zeros + 1.0))
        shared = g / counts
        left = shared if include_self else where(touched > 0, 0.0, g)
        return left, None, None, gather(shared, dim, index)
    if reduce == "prod":
        left = own * where(input == 0, 0.0, y / input) if include_self else own
        return left, None, None, gather(g * y, dim, index) / src
    hit_self = (input == y) * (zeros + 1.0 if include_self else (touched == 0) * (zeros + 1.0))
    hit = (gather(y, dim, index) == src) * ones
    ways = add(hit_self + zeros, dim, index, hit)
    return g * hit_self / ways, None, None, hit * gather(g / ways, dim, index)


_reduce_of = operation(
    "scatter_reduce_of",
    inputs=4,
    joint=_reduce_back,
    functions=False,
    parity=None,
    grad_name="ScatterReduce",
)(_reduce_kernel)


@composite(
    "put",
    methods=True,
    samples=[(T(2, 3), T(values=[0, 4]), T(2)), (T(2, 3), T(values=[1, 1]), T(2), True)],
)
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Return a copy with ``source`` written at positions counted through the whole tensor."""
    flat = reshape(input, (-1,))
    op = index_add_put if accumulate else index_put_op
    arguments = (index._a.reshape(-1),) if accumulate else (index._a.reshape(-1), False)
    return reshape(op(flat, reshape(source, (-1,)), *arguments), tuple(input.shape))


# --- shapes


@composite(
    "sum_to_size",
    functions=False,
    methods=True,
    parity="method",
    samples=[(T(2, 3), (1, 3)), (T(2, 3), 3)],
)
def sum_to_size(input: Any, *size: Any) -> Any:
    """Return the sum down to a shape that broadcasts to this one."""
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    extra = len(input.shape) - len(shape)
    dims = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and input.shape[extra + i] != 1
    )
    return reshape(input.sum(dims) if dims else input, shape)


def _divided(name: str, dims: Any, samples: Any) -> None:
    def call(input: Any, indices_or_sections: Any) -> Any:
        return tensor_split(input, indices_or_sections, dims(len(input.shape)))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "Return views, divided along one dimension."
    composite(name, methods=True, samples=samples)(call)


_divided("hsplit", lambda ndim: 0 if ndim == 1 else 1, [(T(2, 4), 2), (T(4), 2)])
_divided("vsplit", lambda ndim: 0, [(T(4, 2), 2)])
_divided("dsplit", lambda ndim: 2, [(T(1, 2, 4), 2)])


def _owner(a: Array) -> Array:
    """Return the memory of an array as one row."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a.ravel(order="K")


def _place(a: Array) -> int:
    """Return how many values into its memory an array begins."""
    start: int = _owner(a).__array_interface__["data"][0]
    first: int = a.__array_interface__["data"][0]
    return (first - start) // a.itemsize


@operation(
    "strided_view",
    gradient={
        "input": lambda g, size, stride, offset, own: CALLS.add_strided(
            g, own, size, stride, offset
        )
    },
    functions=False,
    view=True,
    parity=None,
    grad_name="AsStrided",
)
def strided_view(input: Array, size: Any, stride: Any, offset: int, own: Any) -> Any:
    """Return a view whose dimensions lie in given steps, ``offset`` values after the input's first.

    ``own`` is how the input itself lies: its shape, its steps and their beginning.
    """
    flat = _owner(input)
    start = _place(input) + offset
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if start < 0 or (math.prod(size) and last >= flat.size):
        raise ShapeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {start} are "
            f"out of bounds for storage of {flat.size} values",
            "In `as_strided`.",
        )
    steps = tuple(step * input.itemsize for step in stride)
    out = np.lib.stride_tricks.as_strided(flat[start:], size, steps)
    if any(step == 0 and n > 1 for n, step in zip(size, stride, strict=True)):
        out.flags.writeable = False
    return out


@composite(
    "as_strided",
    methods=True,
    samples=[(T(4, 4), (2, 2), (1, 2)), (T(4, 4), (2, 3), (4, 1), 1), (T(5), (3, 2), (1, 1))],
)
def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """Return a view of the values that steps through the memory meet."""
    a = input._a
    begin = 0 if storage_offset is None else storage_offset - _place(a)
    own = (a.shape, tuple(step // a.itemsize for step in a.strides), -begin)
    return strided_view(input, tuple(size), tuple(stride), begin, own)


# PyTorch 2.13 gives the input the gradient of the places written to, not of the others.
@composite(
    "as_strided_scatter",
    methods=True,
    samples=[(T(4, 4), T(2, 2), (2, 2), (1, 2))],
    parity=None,
)
def as_strided_scatter(
    input: Any, src: Any, size: Any, stride: Any, storage_offset: int | None = None
) -> Any:
    """Return a copy with ``src`` written where ``as_strided`` would read."""
    out = input.clone()
    as_strided(out, size, stride, storage_offset).copy_(src)
    return out


@operation(
    "add_strided",
    gradient={
        "input": lambda g, size, stride, offset, own: CALLS.add_strided(
            g, (size, stride, offset), own[0], own[1], own[2]
        )
    },
    functions=False,
    parity=None,
    grad_name="AsStridedBackward",
)
def add_strided(input: Array, own: Any, size: Any, stride: Any, offset: int) -> Any:
    """Return what the input adds to a tensor that lies as ``own``, where ``as_strided`` read.

    Offsets count from the other's beginning, so that the gradient of this is this again.
    """
    shape, steps, _ = own
    places = _meeting(size, stride) + offset
    back = _meeting(shape, steps)
    low = min(int(places.min(initial=0)), 0)
    block = np.zeros(
        max(int(places.max(initial=0)), int(back.max(initial=0))) + 1 - low, input.dtype
    )
    np.add.at(block, places - low, input)
    if any(step == 0 and n > 1 for n, step in zip(shape, steps, strict=True)):
        # As torch: values that share one place share its gradient.
        times = np.zeros(block.shape, block.dtype)
        np.add.at(times, back - low, 1)
        block /= np.maximum(times, 1)
    return block[back - low]


def _meeting(size: Any, stride: Any) -> Array:
    """Return where in memory, counted from their first, values lie that have these steps."""
    places = np.zeros(tuple(size), np.int64)
    for dim, (n, step) in enumerate(zip(size, stride, strict=True)):
        shape = [1] * len(size)
        shape[dim] = n
        places += (np.arange(n) * step).reshape(shape)
    return places


@composite("unravel_index", told=True, samples=[(T(values=[5, 0]), (2, 3))])
def unravel_index(indices: Any, shape: Any) -> Any:
    """Return the coordinates of positions counted through a whole tensor."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return tuple(wrap(np.asarray(part)) for part in np.unravel_index(indices._a, shape))


@composite("is_same_size", methods=True, samples=[(T(2), T(2)), (T(2), T(3))])
def is_same_size(input: Any, other: Any) -> bool:
    """Tell whether two tensors have the same shape."""
    return tuple(input.shape) == tuple(other.shape)


# --- values


@composite("ldexp", methods=True, samples=[(T(3), T(values=[1, 0, 2]))])
def ldexp(input: Any, other: Any) -> Any:
    """Return ``input * 2 ** other``."""
    return input * (2.0**other)


@composite("renorm", methods=True, samples=[(T(3, 2), 2, 0, 1.0), (T(3, 2), 1, 1, 0.5)])
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Return each position along a dimension scaled down where its norm is above a limit."""
    where = axis(dim, len(input.shape))
    others = tuple(i for i in range(len(input.shape)) if i != where)
    size = norm(input, p, others, True)
    return FUNCTIONS["where"](size > maxnorm, input * (maxnorm / (size + 1e-7)), input)


@composite("cumulative_trapezoid", samples=[(T(2, 4),), S(T(2, 4), dx=0.5)])
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """Return the running area under points joined by straight lines."""
    where = axis(dim, len(y.shape))
    narrow, n = FUNCTIONS["narrow"], y.shape[where]
    middle = (narrow(y, where, 1, n - 1) + narrow(y, where, 0, n - 1)) * 0.5
    width = dx if x is None else FUNCTIONS["diff"](x)
    return FUNCTIONS["cumsum"](middle * width, where)


# --- in place


def _fill_diagonal_(self: Any, fill_value: Any, wrap: bool = False) -> Any:
    """Overwrite the main diagonal with one value."""
    ndim = len(self.shape)
    if ndim == 2 and wrap and self.shape[0] > self.shape[1] + 1:
        # As torch: behind each full diagonal one row is left out, then it begins anew.
        rows = np.arange(self.shape[0])
        column = rows % (self.shape[1] + 1)
        rows = rows[column < self.shape[1]]
        self[rows, column[rows]] = fill_value
        return self
    if ndim == 2:
        METHODS["diagonal"](self).fill_(fill_value)
        return self
    n = min(self.shape)
    places = np.arange(n)
    self[tuple(places for _ in range(ndim))] = fill_value
    return self


def _map_(self: Any, other: Any, function: Any) -> Any:
    """Overwrite each value with what a Python function returns for it and another's."""
    pairs = zip(self._a.reshape(-1).tolist(), other._a.reshape(-1).tolist(), strict=True)
    values = np.array([function(a, b) for a, b in pairs], self._a.dtype)
    return self._overwrite("map_", values.reshape(self._a.shape))


METHODS["fill_diagonal_"] = FUNCTIONS["fill_diagonal_"] = _fill_diagonal_
METHODS["map_"] = _map_


def _overwriting(name: str) -> None:
    plain = METHODS[name]

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        # The gradient may need the values that the write replaces.
        source = self.clone() if state.grad else self
        return self.copy_(plain(source, *args, **kwargs))

    call.__name__ = call.__qualname__ = name + "_"
    call.__doc__ = f"In-place form of ``{name}``."
    METHODS[name + "_"] = call


for _name in ("cumsum", "cumprod", "put", "ldexp", "renorm", "scatter_reduce", "fix", "swapaxes"):
    if _name + "_" not in METHODS:
        _overwriting(_name)


def _alias(table: dict[str, Any], new: str, old: str) -> None:
    if old in table:
        table.setdefault(new, table[old])


for _new, _old in {
    "arccos": "acos", "arcsin": "asin", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "arctan2": "atan2", "absolute": "abs", "negative": "neg",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne",
    "unsafe_chunk": "chunk", "unsafe_split": "split", "adjoint": "mH",
}.items():  # fmt: skip
    for _suffix in ("", "_"):
        _alias(METHODS, _new + _suffix, _old + _suffix)
        _alias(FUNCTIONS, _new + _suffix, _old + _suffix)
