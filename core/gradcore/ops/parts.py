"""Dividing tensors into views of their parts, and joining them with dimensions added."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.errors import IndexOutOfRangeError, ShapeError
from gradcore.graph import TensorBase, state, wrap
from gradcore.ops.indexing import pick
from gradcore.ops.joining import cat
from gradcore.ops.registry import S, T, composite, operation
from gradcore.ops.shape import axis, reshape, unsqueeze
from gradcore.ops.tape import record, share

# --- parts


@composite("select", methods=True, samples=[(T(2, 3), 0, 1), (T(2, 3), -1, -1)])
def select(input: Any, dim: int, index: int) -> Any:
    """Return a view of one position along a dimension."""
    where = axis(dim, len(input.shape))
    size = input.shape[where]
    if not -size <= index < size:
        raise IndexOutOfRangeError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {where}",
            "",
            "Indices count from 0; negative ones from the end.",
        )
    return pick(input, (*(slice(None),) * where, int(index)))


@composite("narrow", methods=True, samples=[(T(3, 4), 1, 1, 2), (T(3, 4), 0, 0, 1)])
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """Return a view of ``length`` positions from ``start`` on."""
    where = axis(dim, len(input.shape))
    start = start + input.shape[where] if start < 0 else start
    if start + length > input.shape[where]:
        raise ShapeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({input.shape[where]}).",
            f"In `narrow` of shape {tuple(input.shape)} along {where}.",
        )
    return pick(input, (*(slice(None),) * where, slice(start, start + length)))


def _parts_back(g: Any, input_shape: Any, where: int, bounds: Any, whole: Any) -> Any:
    """Put the parts' gradients side by side, zeros where nothing came back."""
    shape = list(input_shape)
    first = next(part for part in g if part is not None)
    parts = []
    for part, start, stop in zip(g, bounds[:-1], bounds[1:], strict=True):
        if part is None:
            shape[where] = stop - start
            part = zeros_like_kind(first, shape)
        elif whole is not None:
            part = unsqueeze(part, where)
        parts.append(part)
    return cat(parts, where)


def zeros_like_kind(g: Any, shape: Sequence[int]) -> Any:
    """Return zeros of a shape: an array, or a tensor where ``g`` is one."""
    if isinstance(g, TensorBase):
        return wrap(np.zeros(shape, g._a.dtype))
    return np.zeros(shape, g.dtype)


def _parts_entry(name: str) -> Any:
    """Enter an operation with as many outputs as it has parts, all of them views."""
    return operation(
        name,
        gradient={"input": _parts_back},
        outputs=("first", "more"),
        functions=False,
        parity=None,
        grad_name=name.partition("_")[0].capitalize(),
    )(_slices)


def _slices(input: Any, where: int, bounds: Sequence[int], whole: Any = None) -> Any:
    head = (slice(None),) * where
    if whole is not None:
        return tuple([input[(*head, i, ...)] for i in bounds[:-1]])
    return tuple([input[(*head, slice(a, b))] for a, b in itertools.pairwise(bounds)])


_split_parts, _unbind_parts = _parts_entry("split_parts"), _parts_entry("unbind_parts")


def _cut(input: Any, where: int, bounds: Sequence[int], whole: Any = None) -> tuple[Any, ...]:
    """Return views of the parts between ``bounds``; with ``whole``, of single positions.

    One node for all parts: their gradients are joined once, not padded one by one and added.
    """
    op = (_split_parts if whole is None else _unbind_parts).operation
    bounds = tuple(bounds)
    arrays = _slices(input._a if isinstance(input, TensorBase) else input, where, bounds, whole)
    if not isinstance(input, TensorBase):
        made: tuple[Any, ...] = arrays
        return made
    parts = tuple([wrap(item) for item in arrays])
    head = (slice(None),) * where
    for part, start, stop in zip(parts, bounds[:-1], bounds[1:], strict=True):
        index = (*head, slice(start, stop) if whole is None else start)
        share(pick.operation, input, part, (index,))
    attributes = (where, bounds, whole)
    recorded = state.grad and bool(parts) and record(op, (input,), parts, attributes)
    if graph.recorder is not None:
        named = dict(zip(op.attributes, attributes, strict=True))
        graph.tell(op.name.partition("_")[0], (input,), named, parts, recorded)
    return parts


@composite(
    "split",
    methods=True,
    samples=[(T(5, 2), 2), (T(5, 2), [1, 4]), S(T(2, 4), split_size_or_sections=3, dim=1)],
)
def split(
    tensor: Any, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None
) -> tuple[Any, ...]:
    """Return views of equal size (the last may be smaller), or of the sizes given."""
    wanted = split_size if split_size_or_sections is None else split_size_or_sections
    where = axis(dim, len(tensor.shape))
    size = tensor.shape[where]
    if isinstance(wanted, int):
        if wanted < 0:
            raise ShapeError(
                f"split expects split_size be non-negative, but got split_size={wanted}"
            )
        if wanted == 0 and size:
            raise ShapeError(
                f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}"
            )
        return _cut(tensor, where, [*range(0, max(size, 1), max(wanted, 1)), size])
    if sum(wanted) != size:
        raise ShapeError(
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size "
            f"at dimension {where}), but got split_sizes={list(wanted)}",
            f"The input has shape {tuple(tensor.shape)}.",
            "Make them add up.",
        )
    bounds = [0]
    for part in wanted:
        bounds.append(bounds[-1] + int(part))
    return _cut(tensor, where, bounds)


composite("split_with_sizes", methods=True, samples=[(T(5, 2), [1, 4])])(split)


@composite("chunk", methods=True, samples=[(T(5, 2), 2), (T(2, 6), 3, 1)])
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """Return at most ``chunks`` views of equal size; the last may be smaller."""
    if chunks <= 0:
        raise ShapeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input.shape[axis(dim, len(input.shape))]
    return split(input, max(math.ceil(size / chunks), 1), dim)


@composite("tensor_split", methods=True, samples=[(T(5, 2), 3), (T(5, 2), (1, 3)), (T(2, 5), 2, 1)])
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> Any:
    """Return views, divided as evenly as can be or at the positions given."""
    where = axis(dim, len(input.shape))
    size = input.shape[where]
    if isinstance(indices_or_sections, int):
        small, more = divmod(size, indices_or_sections)
        sizes = [small + (i < more) for i in range(indices_or_sections)]
        return split(input, sizes, dim)
    bounds = [0, *[min(int(i), size) for i in indices_or_sections], size]
    return _cut(input, where, bounds)


@composite("unbind", methods=True, samples=[(T(3, 2),), (T(3, 2), 1)])
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return a view of each position along a dimension."""
    where = axis(dim, len(input.shape))
    if not len(input.shape):
        raise IndexOutOfRangeError(f"Dimension specified as {dim} but tensor has no dimensions")
    return _cut(input, where, range(input.shape[where] + 1), True)


# --- joining, with dimensions added where needed


def _each(function: Any, tensors: Any) -> tuple[Any, ...]:
    members = tensors[0] if len(tensors) == 1 else tensors
    return tuple(function(item) for item in members)


@composite("atleast_1d", samples=[(T(),), (T(2, 3),)])
def atleast_1d(*tensors: Any) -> Any:
    """Return the tensor (or each of several) with at least one dimension."""
    if len(tensors) != 1 or isinstance(tensors[0], (list, tuple)):
        return _each(atleast_1d, tensors)
    (input,) = tensors
    return input if len(input.shape) else reshape(input, (1,))


@composite("atleast_2d", samples=[(T(),), (T(3),), (T(2, 3),)])
def atleast_2d(*tensors: Any) -> Any:
    """Return the tensor (or each of several) with at least two dimensions."""
    if len(tensors) != 1 or isinstance(tensors[0], (list, tuple)):
        return _each(atleast_2d, tensors)
    (input,) = tensors
    return input if len(input.shape) > 1 else unsqueeze(atleast_1d(input), 0)


@composite("atleast_3d", samples=[(T(3),), (T(2, 3),)])
def atleast_3d(*tensors: Any) -> Any:
    """Return the tensor (or each of several) with at least three dimensions."""
    if len(tensors) != 1 or isinstance(tensors[0], (list, tuple)):
        return _each(atleast_3d, tensors)
    (input,) = tensors
    return input if len(input.shape) > 2 else unsqueeze(atleast_2d(input), -1)


@composite("hstack", samples=[([T(2), T(3)],), ([T(2, 1), T(2, 3)],)])
def hstack(tensors: Sequence[Any]) -> Any:
    """Join side by side."""
    members = [atleast_1d(item) for item in tensors]
    return cat(members, 0 if len(members[0].shape) == 1 else 1)


@composite("vstack", functions=("vstack", "row_stack"), samples=[([T(2), T(2)],)])
def vstack(tensors: Sequence[Any]) -> Any:
    """Join one above the other."""
    return cat([atleast_2d(item) for item in tensors], 0)


@composite("dstack", samples=[([T(2, 3), T(2, 3)],)])
def dstack(tensors: Sequence[Any]) -> Any:
    """Join along the third dimension."""
    return cat([atleast_3d(item) for item in tensors], 2)


@composite("column_stack", samples=[([T(2), T(2, 3)],)])
def column_stack(tensors: Sequence[Any]) -> Any:
    """Join side by side, vectors as columns."""
    columns = [reshape(x, (-1, 1)) if len(x.shape) < 2 else x for x in tensors]
    return cat(columns, 1)


@composite("block_diag", samples=[(T(2, 3), T(1, 2))])
def block_diag(*tensors: Any) -> Any:
    """Return a matrix with the given ones along its diagonal."""
    blocks = [atleast_2d(item) for item in tensors]
    width = sum(block.shape[1] for block in blocks)
    rows, left = [], 0
    for block in blocks:
        before = block.new_zeros((block.shape[0], left))
        left += block.shape[1]
        rows.append(cat([before, block, block.new_zeros((block.shape[0], width - left))], 1))
    return cat(rows, 0)
