"""Views and other changes of shape, joining, and conversions of dtype."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import DimensionError, ShapeError
from gradcore.graph import TensorBase, wrap
from gradcore.ops.inplace import use_copy_slices
from gradcore.ops.registry import CALLS, METHODS, OPERATIONS, S, T, composite, operation


def axis(dim: int, ndim: int) -> int:
    """Return ``dim`` counted from the front; a tensor without dimensions has dim 0 and -1."""
    size = max(ndim, 1)
    if not -size <= dim < size:
        raise DimensionError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], "
            f"but got {dim})",
            f"The tensor has {ndim} dimensions.",
            "Give a dimension that it has.",
            dim=dim,
            ndim=ndim,
        )
    return dim + size if dim < 0 else dim


def axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the dimensions meant by ``dim``: None or () are all, a number is one."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    if ndim == 0:
        for item in dim if isinstance(dim, (tuple, list)) else (dim,):
            axis(item, 0)
        return ()
    if isinstance(dim, (tuple, list)):
        found = tuple(axis(int(item), ndim) for item in dim)
        if len(set(found)) != len(found):
            raise ShapeError(
                f"dim {found[0]} appears multiple times in the list of dims",
                f"Got dim={dim}.",
                "Name each dimension once.",
            )
        return found
    return (axis(int(dim), ndim),)


def sizes(shape: Any) -> tuple[int, ...]:
    """Return a shape given as a number or a sequence as a tuple."""
    if isinstance(shape, (tuple, list)):
        return tuple([int(item) for item in shape])
    return (int(shape),)


def _view(input: Array, shape: Any) -> Array:
    if shape is None or not isinstance(shape, (tuple, list)):
        shape = sizes(shape)
    try:
        out = input.reshape(shape)
    except ValueError:
        if sum(n == -1 for n in shape) > 1:
            raise ShapeError("only one dimension can be inferred") from None
        if not input.size and -1 in shape:
            raise ShapeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            ) from None
        raise ShapeError(
            f"shape '{list(shape)}' is invalid for input of size {input.size}",
            f"The input has shape {input.shape}.",
            "The sizes must multiply to the same number; one of them may be -1.",
            shapes=(input.shape, tuple(shape)),
        ) from None
    return out


def _strict_view(input: Array, shape: Any) -> Array:
    out = _view(input, shape)
    if out.size and not np.may_share_memory(out, input):
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
            f"From shape {input.shape} to {tuple(out.shape)}.",
            "reshape() copies where it must; or call contiguous() first.",
            shapes=(input.shape, out.shape),
        )
    return out


VIEWS = [(T(2, 6), (3, 4)), (T(2, 6), (-1,)), (T(), (1, 1)), (T(0, 3), (3, 0))]
view = operation(
    "view",
    gradient={"input": lambda g, input_shape: g.reshape(input_shape)},
    functions=False,
    methods=False,
    view=True,
    varargs=True,
    samples=VIEWS,
    parity="method",
)(_strict_view)


def _view_method(input: Any, *shape: Any, dtype: Any = None) -> Any:
    """Return the same memory in another shape."""
    if dtype is not None or (len(shape) == 1 and not isinstance(shape[0], (int, tuple, list))):
        return input._view_dtype(dtype or shape[0])
    return view(input, *shape)


METHODS["view"] = _view_method


@composite("reshape", methods=True, samples=[*VIEWS, (T(2, 6), [4, 3])])
def reshape(input: Any, *shape: Any, **kwargs: Any) -> Any:
    """Return the tensor in another shape: a view where the memory allows it, else a copy."""
    target = kwargs.pop("shape", shape[0] if len(shape) == 1 else shape)
    target = sizes(target)
    if not isinstance(input, TensorBase):
        return input.reshape(target)
    out = _view(input._a, target)
    if not out.size or np.may_share_memory(out, input._a):
        return view(input, target)
    return view(clone(input, "contiguous"), target)


@operation(
    "permute",
    gradient={"input": lambda g, dims: CALLS.permute(g, _inverse(dims, len(g.shape)))},
    methods=True,
    view=True,
    varargs=True,
    samples=[(T(2, 3, 4), (2, 0, 1)), (T(2, 3, 4), (0, -1, 1))],
)
def permute(input: Array, dims: Sequence[int]) -> Array:
    """Return a view with the dimensions in another order."""
    if len(dims) != input.ndim:
        raise ShapeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(dims)}",
            "",
            "Name each dimension once.",
        )
    order = [axis(dim, input.ndim) for dim in dims]
    if len(set(order)) != len(order):
        raise ShapeError(
            "permute(): duplicate dims are not allowed.", f"Got {tuple(dims)}.", "Name each once."
        )
    return input.transpose(order)


def _inverse(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    order = [dim % ndim for dim in dims]
    return tuple(sorted(range(ndim), key=order.__getitem__))


@operation(
    "transpose",
    gradient={"input": lambda g, dim0, dim1: CALLS.transpose(g, dim0, dim1)},
    functions=("transpose", "swapaxes", "swapdims"),
    methods=("transpose", "swapaxes", "swapdims"),
    view=True,
    samples=[(T(2, 3, 4), 0, 2), (T(2, 3), -1, -2), (T(3), 0, 0)],
)
def transpose(input: Array, dim0: int, dim1: int) -> Array:
    """Return a view with two dimensions exchanged."""
    first, second = axis(dim0, input.ndim), axis(dim1, input.ndim)
    return input.swapaxes(first, second) if input.ndim else input[...]


@operation(
    "t",
    gradient={"input": lambda g: CALLS.t(g)},
    methods=True,
    view=True,
    samples=[(T(2, 3),), (T(3),)],
)
def t(input: Array) -> Array:
    """Return the transpose of a matrix; a vector stays as it is."""
    if input.ndim > 2:
        raise ShapeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D",
            "",
            "Use mT, transpose(dim0, dim1) or permute(...).",
        )
    return input.T


def expand_error(have: Sequence[int], target: Sequence[int]) -> str:
    """Say, as torch, which dimension cannot be repeated to the target's size."""
    if len(target) < len(have):
        return (
            f"expand: the number of sizes provided ({len(target)}) must be greater or equal to "
            f"the number of dimensions in the tensor ({len(have)})"
        )
    extra = len(target) - len(have)
    for dim in range(len(target) - 1, extra - 1, -1):
        if have[dim - extra] not in (1, target[dim]):
            return (
                f"The expanded size of the tensor ({target[dim]}) must match the existing size "
                f"({have[dim - extra]}) at non-singleton dimension {dim}.  Target sizes: "
                f"{list(target)}.  Tensor sizes: {list(have)}"
            )
    return f"The tensor of sizes {list(have)} cannot be expanded to {list(target)}."


def _expand(input: Array, size: Sequence[int]) -> Array:
    extra = len(size) - input.ndim
    target = tuple(
        [input.shape[i - extra] if n == -1 and i >= extra else int(n) for i, n in enumerate(size)]
    )
    if math.prod(target) == input.size and len(target) >= input.ndim:
        # Nothing is repeated: an ordinary view, which may be written to.
        return input.reshape(target)
    try:
        return np.broadcast_to(input, target)
    except ValueError:
        raise ShapeError(
            expand_error(input.shape, target),
            "In `expand`.",
            "Only dimensions of size 1 can be expanded; use repeat() to copy others.",
            shapes=(input.shape, tuple(size)),
        ) from None


expand = operation(
    "expand",
    gradient={"input": lambda g: g},
    functions=False,
    methods=True,
    view=True,
    varargs=True,
    samples=[(T(2, 1), (2, 3)), (T(3), (2, -1)), (T(), (2, 2))],
    parity="method",
    doc="Return a view in which dimensions of size 1 appear repeated.",
)(_expand)


def spread(g: Any, shape: Sequence[int], dim: Any, keepdim: bool) -> Any:
    """Return ``g``, the gradient of a reduction over ``dim``, at each value it came from."""
    if isinstance(g, np.generic):
        g = np.asarray(g)
    if type(g) is np.ndarray:
        if g.ndim == 0:
            return broadcast_number(g, shape)
        return np.broadcast_to(g if keepdim else g.reshape(kept(shape, dim)), shape)
    if not keepdim and len(shape):
        g = g.reshape(kept(shape, dim))
    return expand(g, shape)


def broadcast_number(number: Array, shape: Sequence[int]) -> Any:
    """Return a view of an array without axes in which its one value stands everywhere."""
    view: Any = np.ndarray(shape, number.dtype, number, 0, (0,) * len(shape))
    view.setflags(write=False)
    return view


def kept(shape: Sequence[int], dim: Any) -> tuple[int, ...]:
    """Return the shape a reduction over ``dim`` has with ``keepdim=True``."""
    gone = axes(dim, len(shape))
    return tuple([1 if i in gone else n for i, n in enumerate(shape)])


@operation(
    "unsqueeze",
    gradient={"input": lambda g, input_shape: g.reshape(input_shape)},
    methods=True,
    view=True,
    samples=[(T(2, 3), 0), (T(2, 3), -1), (T(), 0)],
)
def unsqueeze(input: Array, dim: int) -> Array:
    """Return a view with a dimension of size 1 put in."""
    where = axis(dim, input.ndim + 1)
    return input[(slice(None),) * where + (None,)]


@operation(
    "squeeze",
    gradient={"input": lambda g, input_shape, dim: g.reshape(input_shape)},
    methods=True,
    view=True,
    samples=[(T(2, 1, 3, 1),), (T(2, 1, 3), 1), (T(2, 3), 0), (T(1, 2, 1), (0, 2))],
    grad_name=lambda node: "Squeeze#0" if node.kept("dim", 1) is None else "Squeeze#1",
)
def squeeze(input: Array, dim: Any = None) -> Array:
    """Return a view without the dimensions of size 1 (or without those of them in ``dim``)."""
    gone = axes(dim, input.ndim)
    return input.reshape(tuple([n for i, n in enumerate(input.shape) if n != 1 or i not in gone]))


@composite(
    "flatten",
    methods=True,
    samples=[(T(2, 3, 4),), (T(2, 3, 4), 1), S(T(2, 3, 4), start_dim=0, end_dim=1), (T(),)],
)
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Return the tensor with dimensions ``start_dim`` to ``end_dim`` made one."""
    shape = tuple(input.shape)
    first, last = axis(start_dim, len(shape)), axis(end_dim, len(shape))
    if first > last:
        raise ShapeError(
            "flatten() has invalid args: start_dim cannot come after end_dim",
            f"Got start_dim={start_dim}, end_dim={end_dim}.",
        )
    if first == last and shape:
        return input
    middle = math.prod(shape[first : last + 1])
    return reshape(input, (*shape[:first], middle, *shape[last + 1 :]))


@composite("ravel", methods=True, samples=[(T(2, 3),)])
def ravel(input: Any) -> Any:
    """Return the tensor as one dimension."""
    return reshape(input, (-1,))


@composite("unflatten", methods=True, samples=[(T(2, 6), 1, (2, 3)), (T(6), 0, (2, -1))])
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """Return the tensor with one dimension divided into several."""
    shape = tuple(input.shape)
    where = axis(dim, len(shape))
    return reshape(input, (*shape[:where], *sizes, *shape[where + 1 :]))


def _register_as(name: str, change: Any) -> None:
    def call(input: Any, other: Any) -> Any:
        return change(input, tuple(other.shape))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return the tensor in the shape of ``other``, as ``{name[:-3]}``."
    METHODS[name] = call


_register_as("view_as", view)
_register_as("reshape_as", reshape)
_register_as("expand_as", expand)


@composite(
    "movedim",
    functions=("movedim", "moveaxis"),
    methods=("movedim", "moveaxis"),
    samples=[(T(2, 3, 4), 0, 2), (T(2, 3, 4), (0, 1), (1, 2))],
)
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Return a view with some dimensions moved; the others keep their order."""
    ndim = len(input.shape)
    sources, targets = axes(source, ndim), axes(destination, ndim)
    order = [i for i in range(ndim) if i not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return permute(input, tuple(order))


# --- copies and conversions


@operation(
    "clone",
    gradient={"input": lambda g: g},
    methods=False,
    functions=False,
    samples=[(T(2, 3),)],
    parity=None,
)
def clone(input: Array, memory_format: Any = None) -> Array:
    """Return a copy that the gradient flows through."""
    if isinstance(memory_format, str):
        return np.array(input, order="C")
    return np.array(input, order="K")


@composite("clone", methods=True, samples=[(T(2, 3),)])
def clone_public(input: Any, *, memory_format: Any = None) -> Any:
    """Return a copy that the gradient flows through."""
    return clone(input, "contiguous" if "contiguous_format" in str(memory_format) else None)


@composite("contiguous", functions=False, methods=True, samples=[(T(2, 3),)], parity="method")
def contiguous(input: Any, memory_format: Any = None) -> Any:
    """Return the tensor laid out row by row: itself where it is already."""
    if input._a.flags.c_contiguous:
        return input
    return clone(input, "contiguous")


to_dtype = operation(
    "to_dtype",
    gradient={"input": lambda g: g},
    functions=False,
    grad_name="ToCopy",
    samples=[],
    parity=None,
    doc="Return a copy in another dtype.",
)(lambda input, dtype: _cast(input, dtype))


def _cast(input: Array, dtype: Any) -> Array:
    if input.dtype.kind == "c" and dtype.kind != "c":
        input = input.real
    return input.astype(dtype)


def fit_tensor(g: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Sum a gradient tensor over broadcast axes down to ``shape`` and cast it to ``dtype``."""
    own = g._a.shape
    if own != shape:
        extra = len(own) - len(shape)
        dims = tuple(range(extra)) + tuple(
            extra + i for i, n in enumerate(shape) if n == 1 and own[extra + i] != 1
        )
        g = OPERATIONS["sum"].call(g, dims, True).reshape(shape) if dims else g.reshape(shape)
    if g._a.dtype != dtype:
        g = to_dtype(g, dtype)
    return g


def zeros_of(g: Any) -> Any:
    """Return zeros in the shape of a gradient: what flows on to values that were overwritten."""
    return wrap(np.zeros_like(g._a)) if isinstance(g, TensorBase) else np.zeros_like(g)


def _copy(input: Array, src: Any) -> Any:
    return src


copy = operation(
    "copy",
    inputs=2,
    gradient={"input": lambda g: zeros_of(g), "src": lambda g: g},
    functions=False,
    grad_name="CopyBackwards",
    parity=None,
    doc="Return ``src``; in place: overwrite with it.",
)(_copy)
overwrite = operation(
    "overwrite",
    gradient={"input": lambda g: zeros_of(g)},
    functions=False,
    parity=None,
    doc="Overwrite with values that do not depend on any tensor.",
)(lambda input, values: values)


# --- writing through a view: the base's history


def region(chain: Sequence[Any], shape: Sequence[int], strides: Any) -> Array:
    """Return a bool array of ``shape``: True where the view made by ``chain`` looks."""
    order = sorted(range(len(shape)), key=lambda i: -abs(strides[i]))
    back = [order.index(i) for i in range(len(shape))]
    mask = np.zeros([shape[i] for i in order], bool).transpose(back)
    seen = mask
    for op, attrs in chain:
        seen = op.kernel(seen, *attrs)
    seen[...] = True
    return mask


@operation(
    "copy_slices",
    inputs=2,
    joint=lambda g, needs, chain, strides: _copy_slices_gradient(g, needs, chain, strides),
    functions=False,
    grad_name="CopySlices",
    parity=None,
)
def copy_slices(base: Array, value: Array, chain: Any, strides: Any) -> Any:
    """Note that ``value`` was written into the view ``chain`` of ``base``."""
    return base


def _copy_slices_gradient(g: Any, needs: Any, chain: Any, strides: Any) -> Any:
    base = value = None
    if needs[0]:
        base = OPERATIONS["masked_fill"].call(g, region(chain, g.shape, strides), 0.0)
    if needs[1]:
        value = g
        for op, attrs in chain:
            # A gradient need not be laid out like its tensor: reshape where that was viewed.
            if op.name == "strided_view":
                size, stride, offset, own = attrs
                value = CALLS.add_strided(value, (size, stride, offset), *own)
                continue
            call = reshape if op is view.operation else op.call
            value = call(value, *attrs)
    return base, value


use_copy_slices(copy_slices.operation)
