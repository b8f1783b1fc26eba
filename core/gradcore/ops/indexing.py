"""Taking values out by position or mask, and putting them in."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import DtypeError, ShapeError
from gradcore.graph import TensorBase
from gradcore.ops.choosing import choose
from gradcore.ops.numbers import as_tuple, index_error, long_name, promoted
from gradcore.ops.registry import CALLS, T, composite, operation
from gradcore.ops.segments import add_at, is_whole, places_along
from gradcore.ops.shape import axis

# --- x[...] without tensors in the index: a view


_NOT_KEPT = object()


def _pick_name(node: Any) -> str:
    index = node.kept("index", _NOT_KEPT)
    if index is _NOT_KEPT:
        # Freed by a backward pass: the shapes still tell.
        edge = node.edges[0]
        before = len(getattr(edge, "shape", ()))
        after = len(node.shape)
        return "Select" if after < before else "Unsqueeze" if after > before else "Slice"
    last = index[-1] if isinstance(index, tuple) and index else index
    if isinstance(last, int):
        return "Select"
    return "Unsqueeze" if last is None else "Slice" if last is not Ellipsis else "Alias"


@operation(
    "pick",
    gradient={"input": lambda g, input_shape, index: CALLS.place(g, input_shape, index)},
    functions=False,
    view=True,
    parity=None,
    grad_name=_pick_name,
)
def pick(input: Array, index: Any) -> Any:
    """Return the part of a tensor that integers, slices, None and ``...`` select."""
    try:
        out = input[index]
    except IndexError as error:
        raise index_error(input, error, index) from None
    # A full index makes NumPy return a bare value, which would no longer share memory.
    return out if isinstance(out, np.ndarray) else input[(*as_tuple(index), Ellipsis)]


@operation(
    "place",
    gradient={"input": lambda g, index: pick(g, index)},
    functions=False,
    parity=None,
    grad_name="SliceBackward",
)
def place(input: Array, shape: Sequence[int], index: Any) -> Any:
    """Return zeros of ``shape`` with the input at ``index``: the gradient of ``pick``."""
    out = np.zeros(shape, input.dtype)
    out[index] = input
    return out


# --- x[...] with tensors in the index: a copy


@operation(
    "index",
    gradient={"input": lambda g, input_shape, index: CALLS.place_added(g, input_shape, index)},
    functions=False,
    parity=None,
)
def index_of(input: Array, index: Any) -> Any:
    """Return the values that integer or bool arrays select."""
    parts = as_tuple(index)
    last = parts[-1] if parts else None
    try:
        if (
            isinstance(last, np.ndarray)
            and last.dtype.kind == "i"
            and all(map(is_whole, parts[:-1]))
        ):
            # NumPy takes less than half as long for this as for an index.
            return input.take(last, len(parts) - 1)
        return input[index]
    except IndexError as error:
        raise index_error(input, error, index) from None


@operation(
    "place_added",
    gradient={"input": lambda g, index: index_of(g, index)},
    functions=False,
    parity=None,
    grad_name="IndexBackward",
)
def place_added(input: Array, shape: Sequence[int], index: Any) -> Any:
    """Return zeros of ``shape`` with the input added at ``index``, repeated places summed."""
    out = np.zeros(shape, input.dtype)
    add_at(out, index, input)
    return out


@operation(
    "index_put",
    inputs=2,
    gradient={
        "input": lambda g, index: CALLS.index_zeroed(g, index),
        "values": lambda g, index: index_of(g, index),
    },
    functions=False,
    parity=None,
    grad_name="IndexPut",
)
def index_put_op(input: Array, values: Any, index: Any, accumulate: bool = False) -> Any:
    """Return a copy with ``values`` at ``index``."""
    out = input.copy()
    if accumulate:
        add_at(out, index, values)
    else:
        try:
            out[index] = values
        except IndexError as error:
            raise index_error(input, error, index) from None
        except ValueError:
            raise ShapeError(
                f"shape mismatch: value tensor of shape {list(np.shape(values))} cannot be "
                f"broadcast to indexing result of shape {list(out[index].shape)}",
                f"The tensor has shape {tuple(out.shape)}.",
                "Give values of that shape, or one value.",
            ) from None
    return out


@operation(
    "index_add_put",
    inputs=2,
    gradient={"input": lambda g: g, "values": lambda g, index: index_of(g, index)},
    functions=False,
    parity=None,
    grad_name="IndexPut",
)
def index_add_put(input: Array, values: Any, index: Any) -> Any:
    """Return a copy with ``values`` added at ``index``."""
    out = input.copy()
    add_at(out, index, values)
    return out


@operation(
    "index_zeroed",
    gradient={"input": lambda g, index: CALLS.index_zeroed(g, index)},
    functions=False,
    parity=None,
)
def index_zeroed(input: Array, index: Any) -> Any:
    """Return a copy with zeros at ``index``."""
    out = input.copy()
    out[index] = 0
    return out


# --- along one dimension


def _gathered_back(g: Any, shape: Any, dim: int, index: Any) -> Any:
    return CALLS.put_along(g, index, shape, dim)


def _check_index(name: str, index: Array) -> None:
    if index.dtype.kind != "i" and index.dtype != np.uint8:
        raise DtypeError(
            f"{name}(): Expected dtype int32/int64 for index",
            f"Got {dtypes.of(index)}.",
            "Convert it first, for instance with .long().",
        )


def _cut(input: Array, index: Array, where: int) -> Array:
    """Return the input cut to the index's size in the other dimensions, as torch reads it."""
    return input[
        tuple(slice(None) if i == where else slice(0, n) for i, n in enumerate(index.shape))
    ]


def _in_range(name: str, index: Array, size: int, where: int) -> None:
    # One unsigned comparison finds the negative ones too.
    if index.size and index.view(f"u{index.itemsize}").max() >= size:
        worst = int(index.max()) if index.max() >= size else int(index.min())
        raise ShapeError(
            f"index {worst} is out of bounds for dimension {where} with size {size}",
            f"In `{name}`.",
            "Indices must be at least 0 and less than the size.",
        )


@operation(
    "gather",
    inputs=3,
    gradient={
        "input": lambda g, input_shape, dim, index: _gathered_back(g, input_shape, dim, index)
    },
    functions=False,
    parity=None,
)
def gather_of(input: Array, dim: int, index: Array) -> Any:
    """Return ``out[i][j] = input[index[i][j]][j]`` (for dim 0)."""
    if input.ndim == 0:
        return np.broadcast_to(input, index.shape).copy()
    _check_index("gather", index)
    where = axis(dim, input.ndim)
    if index.ndim != input.ndim:
        raise ShapeError(
            "Index tensor must have the same number of dimensions as input tensor",
            f"They have shapes {index.shape} and {input.shape}.",
            "Use unsqueeze() or expand() on the index.",
        )
    _in_range("gather", index, input.shape[where], where)
    if input.flags.c_contiguous:
        return input.reshape(-1).take(places_along(input.shape, where, index))
    return np.take_along_axis(_cut(input, index, where), index.astype(np.int64), where)


@operation(
    "put_along",
    inputs=2,
    gradient={"input": lambda g, indices, dim: gather_of(g, dim, indices)},
    functions=False,
    parity=None,
    grad_name="ScatterAdd",
)
def put_along(input: Array, indices: Array, shape: Sequence[int], dim: int) -> Any:
    """Return zeros of ``shape`` with the input added at ``indices`` along ``dim``."""
    out = np.zeros(shape, input.dtype)
    if out.ndim == 0:
        return out + input.sum()
    scatter_add_into(out, axis(dim, len(shape)), indices, input)
    return out


def grid(index: Array, where: int) -> tuple[Any, ...]:
    """Return the full index of what ``index`` names along one dimension."""
    parts = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    parts[where] = index.astype(np.int64)
    return tuple(parts)


def scatter_add_into(out: Array, where: int, index: Array, values: Any) -> None:
    """Add values at ``index`` along one dimension, every one where places repeat."""
    values = np.asarray(values)
    if values.shape != index.shape and values.ndim:
        values = _cut(values, index, values.ndim)
    if not out.flags.c_contiguous:
        np.add.at(out, grid(index, where), values)
        return
    flat, places = out.reshape(-1), places_along(out.shape, where, index)
    if index.shape[where] == 1:
        flat[places] += values
    else:
        values = np.broadcast_to(values, index.shape).astype(out.dtype, copy=False)
        np.add.at(flat, places.reshape(-1), values.reshape(-1))


def _same_kind(name: str, input: Array, src: Any) -> None:
    if isinstance(src, np.ndarray) and src.ndim and src.dtype != input.dtype:
        raise DtypeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype",
            f"They are {dtypes.of(input)} and {dtypes.of(src)}.",
            "Convert one of them.",
            dtypes=(dtypes.of(input), dtypes.of(src)),
        )


def _scatter(input: Array, dim: int, index: Array, src: Any) -> Any:
    _check_index("scatter", index)
    where = axis(dim, input.ndim)
    _in_range("scatter", index, input.shape[where] if input.ndim else 1, where)
    _same_kind("scatter", input, src)
    out = input.copy()
    if np.ndim(src):
        src = _cut(src, index, src.ndim)
    if input.ndim:
        out.reshape(-1)[places_along(out.shape, where, index)] = src
    else:
        out[grid(index, where)] = src
    return out


scatter_of = operation(
    "scatter",
    inputs=4,
    gradient={
        "input": lambda g, dim, index: _scatter_zero(g, dim, index),
        "src": lambda g, dim, index, src_shape: _scatter_src(g, dim, index, src_shape),
    },
    functions=False,
    parity=None,
)(_scatter)


def _scatter_zero(g: Any, dim: int, index: Any) -> Any:
    return scatter_of(g, dim, index, 0.0)


def _scatter_src(g: Any, dim: int, index: Any, shape: Any) -> Any:
    back = gather_of(g, dim, index)
    if tuple(back.shape) == tuple(shape) or not len(shape):
        return back
    return place(back, shape, tuple(slice(0, n) for n in index.shape))


scatter_add = operation(
    "scatter_add",
    inputs=4,
    gradient={
        "input": lambda g: g,
        "src": lambda g, dim, index, src_shape: _scatter_src(g, dim, index, src_shape),
    },
    methods=True,
    inplace=True,
    samples=[
        (T(3, 4), 0, T(2, 4, kind="index", high=3), T(2, 4)),
        (T(3, 4), 1, T(3, 2, kind="index", high=4), T(3, 2)),
    ],
    doc="Return a copy with ``src`` added at ``index`` along a dimension.",
)(lambda input, dim, index, src: _scatter_added(input, dim, index, src))


def _scatter_added(input: Array, dim: int, index: Array, src: Any) -> Any:
    _check_index("scatter_add", index)
    where = axis(dim, input.ndim)
    _in_range("scatter_add", index, input.shape[where] if input.ndim else 1, where)
    _same_kind("scatter", input, src)
    out = input.copy()
    scatter_add_into(out, where, index, src)
    return out


# --- where and masks


def _where_kinds(condition: Any, input: Any, other: Any) -> Any:
    if isinstance(input, np.ndarray) and isinstance(other, np.ndarray):
        input, other = promoted(input, other)
    elif isinstance(input, np.ndarray) or isinstance(other, np.ndarray):
        input, other = promoted(input, other)
        array = input if isinstance(input, np.ndarray) else other
        input, other = (
            x if isinstance(x, np.ndarray) else np.asarray(x, array.dtype) for x in (input, other)
        )
    else:
        kind = dtypes.as_numpy(float if float in (type(input), type(other)) else type(input))
        input, other = np.asarray(input, kind), np.asarray(other, kind)
    return condition, input, other


def _where_kernel(condition: Array, input: Any, other: Any) -> Any:
    # A plain number among arrays keeps the arrays' dtype.
    return choose(condition, input, other)


where_of = operation(
    "where",
    inputs=3,
    gradient={
        "input": lambda g, condition: CALLS.where(condition, g, 0.0),
        "other": lambda g, condition: CALLS.where(condition, 0.0, g),
    },
    functions=False,
    adapt=_where_kinds,
    parity=None,
)(_where_kernel)


@composite(
    "where",
    methods=False,
    samples=[
        (T(2, 3, kind="bool"), T(2, 3), T(2, 3)),
        (T(2, 3, kind="bool"), T(3), T()),
        (T(2, 3, kind="bool"), T(2, 3), 0.0),
    ],
)
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Return ``input`` where ``condition`` holds, else ``other``."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if isinstance(condition, TensorBase) and condition._a.dtype.kind not in "b":
        if condition._a.dtype != np.uint8:
            raise DtypeError(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{long_name(condition._a)}",
                f"It has shape {condition._a.shape}.",
                "Compare first, for instance `condition != 0`.",
            )
    return where_of(condition, input, other)


@operation(
    "masked_fill",
    inputs=3,
    gradient={
        "input": lambda g, mask: CALLS.masked_fill(g, mask, 0.0),
        "value": lambda g, mask: where_of(mask, g, 0.0),
    },
    methods=True,
    inplace=True,
    samples=[
        (T(2, 3), T(2, 3, kind="bool"), 0.5),
        (T(2, 3), T(3, kind="bool"), 0.5),
        (T(2, 3), T(2, 3, kind="bool"), T()),
    ],
)
def masked_fill(input: Array, mask: Array, value: Any) -> Any:
    """Return a copy with ``value`` where ``mask`` is true."""
    if mask.dtype.kind != "b":
        raise DtypeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}",
            "",
            "Compare first, for instance `mask != 0`.",
        )
    if np.ndim(value):
        raise ShapeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{np.ndim(value)} dimension(s).",
            "",
            "Use torch.where(mask, value, input) to choose between two tensors.",
        )
    return choose(mask, np.asarray(value).astype(input.dtype), input)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Return the positions of the values that are not 0: one row each, or one tensor a dim."""
    return nonzero_tuple(input) if as_tuple else nonzero_rows(input)


nonzero_rows = operation("nonzero", functions=False, parity=None, doc="Positions, one row each.")(
    lambda input: np.argwhere(input)
)


def nonzero_tuple(input: Any) -> Any:
    """Return the positions of the values that are not 0, one tensor for each dimension."""
    if not len(input.shape):
        input = input.reshape(1)
    rows = nonzero_rows(input)
    return tuple(pick(rows, (slice(None), i)) for i in range(rows.shape[1]))


composite("nonzero", methods=True, samples=[(T(2, 3, kind="int"),)])(nonzero)


# --- order


@operation(
    "flip",
    gradient={"input": lambda g, dims: CALLS.flip(g, dims)},
    methods=True,
    varargs=True,
    samples=[(T(2, 3), (0,)), (T(2, 3), (0, -1))],
)
def flip(input: Array, dims: Any) -> Any:
    """Return a copy with dimensions reversed."""
    if isinstance(dims, int):
        dims = (dims,)
    return np.flip(input, tuple(axis(dim, input.ndim) for dim in dims)).copy()
