"""Joining tensors along a dimension that is there, or a new one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, ShapeError, ValueRangeError
from gradcore.ops.indexing import pick
from gradcore.ops.registry import S, T, operation
from gradcore.ops.shape import axis


def _meet_all(members: Sequence[Any]) -> tuple[Any]:
    for i, item in enumerate(members):
        if not isinstance(item, np.ndarray):
            raise ArgumentError(
                f"expected Tensor as element {i} in argument 0, but got {type(item).__name__}",
                "",
                "Turn it into a tensor with torch.tensor(...) first.",
            )
    if not members:
        return (members,)
    kind = members[0].dtype
    for item in members[1:]:
        if item.dtype is not kind:
            kind = dtypes.promote(kind, item.dtype)
    return ([item.astype(kind, copy=False) for item in members],)


def _cat_back(g: Any, needs: Any, dim: int, tensors_shape: Any) -> Any:
    where = dim % max(len(g.shape), 1)
    head = (slice(None),) * where
    start = 0
    out: list[Any] = []
    for need, shape in zip(needs, tensors_shape, strict=True):
        if len(shape) == 1 and shape[0] == 0 and len(g.shape) != 1:
            out.append(None)
            continue
        stop = start + shape[where]
        out.append(pick(g, (*head, slice(start, stop))) if need else None)
        start = stop
    return out


def _cat(tensors: Sequence[Array], dim: int = 0) -> Any:
    if not tensors:
        raise ValueRangeError("torch.cat(): expected a non-empty list of Tensors")
    # As torch: empty one-dimensional tensors are left out whatever the others' shape is.
    full = [item for item in tensors if not (item.ndim == 1 and item.shape[0] == 0)]
    if not full:
        return tensors[0].copy()
    for i, item in enumerate(tensors):
        if not item.ndim:
            raise ShapeError(
                f"zero-dimensional tensor (at position {i}) cannot be concatenated",
                "",
                "Use stack() to join numbers.",
            )
    where = axis(dim, full[0].ndim)
    try:
        return np.concatenate(full, axis=where)
    except ValueError:
        raise ShapeError(
            _cat_mismatch(full, where),
            f"In `cat` of shapes {', '.join(str(item.shape) for item in full)}.",
            "Make the other dimensions equal, or join along another.",
            shapes=tuple(item.shape for item in full),
        ) from None


def _cat_mismatch(members: Any, where: int) -> str:
    """Say which of the tensors does not go with the first, as torch."""
    first = members[0]
    for i, item in enumerate(members):
        if item.ndim != first.ndim:
            return f"Tensors must have same number of dimensions: got {first.ndim} and {item.ndim}"
        for dim, (expected, got) in enumerate(zip(first.shape, item.shape, strict=True)):
            if dim != where and expected != got:
                return (
                    f"Sizes of tensors must match except in dimension {where}. Expected size "
                    f"{expected} but got size {got} for tensor number {i} in the list."
                )
    return f"Sizes of tensors must match except in dimension {where}."


cat = operation(
    "cat",
    inputs="list",
    joint=_cat_back,
    functions=("cat", "concat", "concatenate"),
    adapt=_meet_all,
    samples=[([T(2, 3), T(1, 3)],), ([T(2, 3), T(2, 1)], 1), S([T(2, 3), T(2, 3)], dim=-1)],
    doc="Join tensors along a dimension that is there.",
)(_cat)


def _stack_back(g: Any, needs: Any, dim: int) -> Any:
    where = dim % len(g.shape)
    head = (slice(None),) * where
    return [pick(g, (*head, i)) if need else None for i, need in enumerate(needs)]


@operation(
    "stack",
    inputs="list",
    joint=_stack_back,
    adapt=_meet_all,
    samples=[
        ([T(2, 3), T(2, 3)],),
        ([T(2, 3), T(2, 3), T(2, 3)], 1),
        S([T(2), T(2)], dim=-1),
        ([T(), T()],),
    ],
)
def stack(tensors: Sequence[Array], dim: int = 0) -> Any:
    """Join tensors of one shape along a new dimension."""
    if not tensors:
        raise ShapeError("stack expects a non-empty TensorList")
    shapes = {item.shape for item in tensors}
    if len(shapes) > 1:
        first, other = (
            tensors[0].shape,
            next(x.shape for x in tensors if x.shape != tensors[0].shape),
        )
        raise ShapeError(
            f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
            f"{list(other)} at entry {next(i for i, x in enumerate(tensors) if x.shape == other)}",
            "In `stack`.",
            "Use cat() to join tensors of different sizes.",
            shapes=(first, other),
        )
    return np.stack(tensors, axis(dim, tensors[0].ndim + 1))
