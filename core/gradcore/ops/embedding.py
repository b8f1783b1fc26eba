"""Rows of a table by number, and the sum of what comes back for each row."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import DtypeError, IndexOutOfRangeError
from gradcore.ops.registry import T, operation
from gradcore.ops.segments import add_rows

_INDICES = T(2, 3, kind="int", values=[[0, 2, 1], [4, 0, 0]])


def _embedding_weight(
    g: Any, indices: Any, weight_shape: Any, padding_idx: Any, scale_grad_by_freq: Any
) -> Any:
    return embedding_rows(g, indices, weight_shape[0], padding_idx, scale_grad_by_freq)


@operation(
    "embedding",
    inputs=2,
    gradient={"weight": _embedding_weight},
    functions=("embedding",),
    samples=[
        (T(5, 3), _INDICES),
    ],
    parity=None,
)
def embedding(
    weight: Array,
    indices: Array,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
) -> Any:
    """Return the rows of ``weight`` with these numbers."""
    if indices.dtype.kind not in "iu":
        raise DtypeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {indices.dtype} instead (while checking arguments for embedding)",
            "",
            "Convert the indices with .long().",
        )
    rows = weight.shape[0]
    # One unsigned comparison finds the negative ones too.
    if indices.size and indices.view(_unsigned(indices.dtype)).max() >= rows:
        low, high = int(indices.min()), int(indices.max())
        bad = low if low < 0 else high
        raise IndexOutOfRangeError(
            "index out of range in self",
            f"Index {bad} was asked of an embedding of {rows} rows.",
            f"Set num_embeddings={high + 1}, or keep the indices between 0 and {rows - 1}.",
        )
    return weight.take(indices, 0)


def _unsigned(dtype: Any) -> Any:
    return np.dtype(f"u{dtype.itemsize}")


def _embedding_rows_g(gg: Any, indices: Any, padding_idx: Any, scale_grad_by_freq: Any) -> Any:
    return _taken(gg, indices, padding_idx, scale_grad_by_freq)


@operation(
    "embedding_rows",
    inputs=2,
    gradient={"g": _embedding_rows_g},
    functions=False,
    samples=[(T(2, 3, 4), _INDICES, 5, -1, False), (T(2, 3, 4), _INDICES, 5, 0, True)],
    parity=None,
)
def embedding_rows(
    g: Array, indices: Array, rows: int, padding_idx: int, scale_grad_by_freq: bool
) -> Any:
    """Add up what belongs to each row."""
    flat = indices.reshape(-1)
    shape = g.shape[indices.ndim :]
    out = np.zeros((rows, *shape), g.dtype)
    add_rows(out, flat, g.reshape((flat.size, *shape)), is_zero=True)
    if scale_grad_by_freq:
        out *= _frequency_factor(flat, rows, g.dtype).reshape((rows, *(1,) * len(shape)))
    if padding_idx >= 0:
        out[padding_idx] = 0
    return out


def _frequency_factor(flat: Array, rows: int, dtype: Any) -> Array:
    return (1.0 / np.maximum(np.bincount(flat, minlength=rows), 1)).astype(dtype)


def _taken_weight(
    g: Any, indices: Any, weight_shape: Any, padding_idx: Any, scale_grad_by_freq: Any
) -> Any:
    return embedding_rows(g, indices, weight_shape[0], padding_idx, scale_grad_by_freq)


@operation(
    "embedding_taken",
    inputs=2,
    gradient={"weight": _taken_weight},
    functions=False,
    samples=[(T(5, 3), _INDICES, -1, False), (T(5, 3), _INDICES, 0, True)],
    parity=None,
)
def _taken(weight: Array, indices: Array, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    """Return rows as ``embedding_rows`` weighs them: its gradient."""
    factor = np.ones((weight.shape[0], *(1,) * (weight.ndim - 1)), weight.dtype)
    if scale_grad_by_freq:
        counted = _frequency_factor(indices.reshape(-1), weight.shape[0], weight.dtype)
        factor *= counted.reshape(factor.shape)
    if padding_idx >= 0:
        factor[padding_idx] = 0
    return (weight * factor)[indices]
