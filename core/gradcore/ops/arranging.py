"""Repeating and turning tensors; triangles, diagonals, windows, complex pairs, grids."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import DtypeError, ShapeError
from gradcore.graph import TensorBase, written
from gradcore.ops.elementwise import is_complex
from gradcore.ops.indexing import flip, index_of
from gradcore.ops.joining import stack
from gradcore.ops.numbers import broadcast_failed
from gradcore.ops.parts import select
from gradcore.ops.registry import CALLS, METHODS, OPERATIONS, S, T, composite, operation
from gradcore.ops.shape import axis, expand, reshape, transpose

# --- repeating


@composite("broadcast_to", methods=True, samples=[(T(2, 1), (2, 3))])
def broadcast_to(input: Any, size: Any) -> Any:
    """Return a view in which dimensions of size 1 appear repeated."""
    return expand(input, size)


@composite("broadcast_tensors", samples=[(T(2, 1), T(3))])
def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Return views of all tensors in their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    try:
        shape = np.broadcast_shapes(*[tuple(item.shape) for item in tensors])
    except ValueError as error:
        arrays = [item._a for item in tensors]
        raise broadcast_failed("broadcast_tensors", arrays, error) from None
    return tuple(expand(item, shape) for item in tensors)


def _repeat_back(g: Any, input_shape: Any, repeats: Any) -> Any:
    extra = len(repeats) - len(input_shape)
    sizes = (1,) * extra + tuple(input_shape)
    apart = g.reshape(tuple(n for pair in zip(repeats, sizes, strict=True) for n in pair))
    return OPERATIONS["sum"].call(apart, tuple(range(0, 2 * len(repeats), 2)))


@operation(
    "repeat",
    gradient={"input": _repeat_back},
    functions=False,
    methods=True,
    varargs=True,
    parity="method",
    samples=[(T(2, 3), (2, 1)), (T(3), (2, 2)), (T(2, 1), (1, 2, 3))],
)
def repeat(input: Array, repeats: Any) -> Any:
    """Return the tensor copied several times along each dimension."""
    if len(repeats) < input.ndim:
        raise ShapeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor",
            f"Got {tuple(repeats)} for shape {input.shape}.",
            "Give one number for each dimension.",
        )
    return np.tile(input, tuple(int(n) for n in repeats))


@composite("tile", methods=True, samples=[(T(2, 3), (2,)), (T(3), (2, 2))])
def tile(input: Any, *dims: Any) -> Any:
    """Return the tensor copied along its last dimensions."""
    times = tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims
    missing = len(input.shape) - len(times)
    return repeat(input, (1,) * missing + times)


@composite(
    "repeat_interleave",
    methods=True,
    samples=[(T(2, 3), 2), (T(2, 3), 2, 1), (T(3), T(values=[1, 0, 2]))],
)
def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: Any = None
) -> Any:
    """Return each value repeated, next to itself."""
    if repeats is None:
        counts = input._a
        return OPERATIONS["positions"].call(input, np.repeat(np.arange(counts.size), counts))
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    where = axis(dim, len(input.shape))
    times = repeats._a if isinstance(repeats, TensorBase) else repeats
    places = np.repeat(np.arange(input.shape[where]), times)
    return index_of(input, (*(slice(None),) * where, places))


operation("positions", functions=False, parity=None, doc="Return the given positions.")(
    lambda input, places: places
)

# --- turning


@composite("fliplr", methods=True, samples=[(T(2, 3),)])
def fliplr(input: Any) -> Any:
    """Return the tensor with its second dimension reversed."""
    return flip(input, (1,))


@composite("flipud", methods=True, samples=[(T(2, 3),)])
def flipud(input: Any) -> Any:
    """Return the tensor with its first dimension reversed."""
    return flip(input, (0,))


@composite("rot90", methods=True, samples=[(T(2, 3),), (T(2, 3), 2, (0, 1)), (T(2, 3), -1)])
def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """Return the tensor turned by 90 degrees in a plane, ``k`` times."""
    first, second = dims
    turns = k % 4
    if turns == 0:
        return input.clone()
    if turns == 2:
        return flip(input, (first, second))
    if turns == 1:
        return flip(transpose(input, first, second), (first,))
    return flip(transpose(input, first, second), (second,))


@operation(
    "roll",
    gradient={"input": lambda g, shifts, dims: CALLS.roll(g, _negated(shifts), dims)},
    methods=True,
    samples=[(T(2, 3), 1), (T(2, 3), 1, 0), (T(2, 3), (1, -1), (0, 1))],
)
def roll(input: Array, shifts: Any, dims: Any = None) -> Any:
    """Return the tensor shifted along dimensions; what leaves at one end enters at the other."""
    if isinstance(shifts, (list, tuple)) and len(shifts) == 1:
        shifts = shifts[0]
    return np.roll(input, shifts, axis=dims)


def _negated(shifts: Any) -> Any:
    return tuple(-n for n in shifts) if isinstance(shifts, (list, tuple)) else -shifts


# --- triangles and diagonals

for _name, _cutter in (("tril", np.tril), ("triu", np.triu)):

    def _triangle(input: Array, diagonal: int = 0, *, _cutter: Any = _cutter) -> Any:
        return _cutter(input, diagonal)

    operation(
        _name,
        methods=True,
        inplace=True,
        samples=[(T(3, 3),), (T(2, 3, 4), 1), S(T(3, 3), diagonal=-1)],
        doc="Return one triangle of a matrix, zeros in the other.",
    )(_triangle)
OPERATIONS["tril"].set_gradient(
    {"input": lambda g, diagonal: OPERATIONS["tril"].call(g, diagonal)}, None
)
OPERATIONS["triu"].set_gradient(
    {"input": lambda g, diagonal: OPERATIONS["triu"].call(g, diagonal)}, None
)


def _diagonal_back(g: Any, input_shape: Any, offset: int, dim1: int, dim2: int) -> Any:
    return put_diagonal(g, tuple(input_shape), offset, dim1, dim2)


@operation(
    "diagonal",
    gradient={"input": _diagonal_back},
    methods=True,
    view=True,
    samples=[(T(3, 4),), (T(3, 4), 1), (T(2, 3, 4), -1, 1, 2), S(T(2, 3, 2), dim1=0, dim2=2)],
)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return a view of a diagonal, as the last dimension."""
    out = np.diagonal(input, offset, axis(dim1, input.ndim), axis(dim2, input.ndim))
    if input.flags.writeable and not out.flags.writeable:
        # NumPy marks diagonals read-only; the memory is the input's and may be written.
        out.flags.writeable = True
    return out


@operation(
    "put_diagonal",
    gradient={"input": lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2)},
    functions=False,
    parity=None,
    grad_name="DiagonalBackward",
)
def put_diagonal(input: Array, shape: Sequence[int], offset: int, dim1: int, dim2: int) -> Any:
    """Return zeros with the input on a diagonal: the gradient of ``diagonal``."""
    out = np.zeros(shape, input.dtype)
    place = np.diagonal(out, offset, axis(dim1, out.ndim), axis(dim2, out.ndim))
    place.flags.writeable = True
    place[...] = input
    return out


@composite("diag_embed", methods=True, samples=[(T(2, 3),), (T(3), 1), S(T(2, 3), dim1=0, dim2=2)])
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return matrices with the last dimension as their diagonal."""
    size = input.shape[-1] + abs(offset)
    ndim = len(input.shape) + 1
    first, second = axis(dim1, ndim), axis(dim2, ndim)
    rest = list(input.shape[:-1])
    shape = []
    for i in range(ndim):
        shape.append(size if i in (first, second) else rest.pop(0))
    return put_diagonal(input, tuple(shape), offset, first, second)


@composite("diag", methods=True, samples=[(T(3),), (T(3, 4),), (T(3, 3), 1)])
def diag(input: Any, diagonal: int = 0) -> Any:
    """Return the diagonal of a matrix as a copy, or the matrix with a vector as its diagonal."""
    if len(input.shape) == 1:
        return diag_embed(input, diagonal)
    return OPERATIONS["diagonal"].call(input, diagonal).clone()


@composite("diagflat", methods=True, samples=[(T(2, 2),)])
def diagflat(input: Any, offset: int = 0) -> Any:
    """Return a matrix with all values on its diagonal."""
    return diag_embed(reshape(input, (-1,)), offset)


@composite("trace", methods=True, samples=[(T(3, 3),), (T(2, 3),)])
def trace(input: Any) -> Any:
    """Return the sum of a matrix's diagonal."""
    return diagonal(input).sum()


# --- windows


def _unfold_back(g: Any, input_shape: Any, dimension: int, size: int, step: int) -> Any:
    return fold_windows(g, tuple(input_shape), dimension, size, step)


@operation(
    "unfold",
    gradient={"input": _unfold_back},
    functions=False,
    methods=True,
    view=True,
    parity="method",
    samples=[(T(7), 0, 3, 2), (T(2, 6), 1, 2, 1)],
)
def unfold(input: Array, dimension: int, size: int, step: int) -> Any:
    """Return a view of the windows along a dimension, each as a new last dimension."""
    where = axis(dimension, input.ndim)
    count = (input.shape[where] - size) // step + 1
    if count < 1:
        raise ShapeError(
            f"maximum size for tensor at dimension {where} is {input.shape[where]} but size is "
            f"{size}",
            "In `unfold`.",
        )
    shape, strides = list(input.shape), list(input.strides)
    shape[where], strides[where] = count, strides[where] * step
    return np.lib.stride_tricks.as_strided(input, (*shape, size), (*strides, input.strides[where]))


@operation(
    "fold_windows",
    gradient={"input": lambda g, dimension, size, step: unfold(g, dimension, size, step)},
    functions=False,
    parity=None,
    grad_name="UnfoldBackward",
)
def fold_windows(input: Array, shape: Sequence[int], dimension: int, size: int, step: int) -> Any:
    """Return zeros with the windows added where they came from: the gradient of ``unfold``."""
    out = np.zeros(shape, input.dtype)
    where = axis(dimension, len(shape))
    head = (slice(None),) * where
    count = input.shape[where]
    for i in range(size):
        out[(*head, slice(i, i + (count - 1) * step + 1, step))] += input[..., i]
    return out


# --- complex numbers as pairs


@operation(
    "view_as_complex",
    gradient={"input": lambda g: CALLS.view_as_real(g)},
    view=True,
    samples=[(T(3, 2),)],
)
def view_as_complex(input: Array) -> Any:
    """Return pairs of the last dimension as complex numbers, on the same memory."""
    if input.shape[-1:] != (2,):
        raise ShapeError(
            "Tensor must have a last dimension of size 2",
            f"It has shape {input.shape}.",
            "The last dimension holds the real and the imaginary part.",
        )
    kind = np.complex128 if input.dtype == np.float64 else np.complex64
    try:
        return input.view(kind)[..., 0]
    except ValueError:
        raise ShapeError(
            "Tensor must have a stride of 1 for its last dimension",
            f"It has shape {input.shape}.",
            "Call contiguous() first.",
        ) from None


@operation(
    "view_as_real",
    gradient={"input": lambda g: view_as_complex(_rowwise(g))},
    view=True,
    samples=[(T(3, kind="complex"),)],
)
def view_as_real(input: Array) -> Any:
    """Return complex numbers as pairs in a new last dimension, on the same memory."""
    if input.dtype.kind != "c":
        raise DtypeError("view_as_real is only supported for complex tensors")
    kind = np.float64 if input.dtype == np.complex128 else np.float32
    return input[..., None].view(kind)


def _rowwise(g: Any) -> Any:
    return np.ascontiguousarray(g) if isinstance(g, np.ndarray) else g.contiguous()


@composite("real", samples=[(T(3, kind="complex"),)])
def real(input: Any) -> Any:
    """Return the real part."""
    return select(view_as_real(input), -1, 0) if is_complex(input) else input


@composite("imag", samples=[(T(3, kind="complex"),)])
def imag(input: Any) -> Any:
    """Return the imaginary part."""
    if not is_complex(input):
        raise DtypeError(
            "imag is not implemented for tensors with non-complex dtypes.",
            f"The tensor has shape {tuple(input.shape)}.",
            "Use torch.zeros_like() where there is no imaginary part.",
        )
    return select(view_as_real(input), -1, 1)


@composite("complex", samples=[(T(3), T(3))])
def complex_of(real: Any, imag: Any) -> Any:
    """Return complex numbers from their parts."""
    return view_as_complex(stack([real, imag], -1))


@composite("polar", samples=[(T(3, low=0.2), T(3))])
def polar(abs: Any, angle: Any) -> Any:
    """Return complex numbers from their size and angle."""
    return complex_of(abs * angle.cos(), abs * angle.sin())


# --- grids


@composite(
    "meshgrid",
    samples=[S(T(2), T(3), indexing="ij"), S([T(2), T(3), T(2)], indexing="xy")],
)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Return one tensor for each axis with its coordinate at every point of the grid."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    count = len(tensors)
    shape = tuple(item.shape[0] if len(item.shape) else 1 for item in tensors)
    grids = []
    for i, item in enumerate(tensors):
        alone = tuple(shape[i] if k == i else 1 for k in range(count))
        grids.append(expand(reshape(item, alone), shape))
    if indexing == "xy" and count > 1:
        grids = [transpose(item, 0, 1) for item in grids]
    return tuple(grids)


@composite("cartesian_prod", samples=[(T(2), T(3))])
def cartesian_prod(*tensors: Any) -> Any:
    """Return all combinations of one value from each tensor."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(item, (-1,)) for item in meshgrid(*tensors)], 1)


@composite("combinations", samples=[(T(4),), (T(4), 3)])
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """Return all choices of ``r`` values."""
    n = input.shape[0]
    grid = np.indices((n,) * r).reshape(r, -1)
    for i in range(r - 1):
        keep = grid[i] <= grid[i + 1] if with_replacement else grid[i] < grid[i + 1]
        grid = grid[:, keep]
    return index_of(input, grid.T)


# --- a view turned in place: the same tensor in another shape


def _install_in_place(name: str, change: Any) -> None:
    def call(self: Any, *args: Any) -> Any:
        other = change(self, *args)
        # The tensor becomes what its view would be; its memory stays.
        self._a, self._node, self._port = other._a, other._node, other._port
        self._view = other._view if self._view is not None else None
        written(self, name, False)
        return self

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Change the shape of this tensor itself, as ``{name[:-1]}``."
    METHODS[name] = call


for _name in ("unsqueeze", "squeeze", "transpose", "t"):
    _install_in_place(_name + "_", METHODS[_name])
METHODS["swapaxes_"] = METHODS["swapdims_"] = METHODS["transpose_"]
