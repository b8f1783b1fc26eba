"""Attention as in `torch.nn.functional`."""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.graph import work_out
from gradcore.nn.functional.activation import dropout
from gradcore.ops.attention import attention
from gradcore.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return the values weighted by how well their keys fit each query."""
    if enable_gqa:
        repeats = query.size(-3) // key.size(-3)
        key = key.repeat_interleave(repeats, -3)
        value = value.repeat_interleave(repeats, -3)
    factor = 1.0 / math.sqrt(query.size(-1)) if scale is None else scale
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    bias = None if attn_mask is None else as_bias(attn_mask, query._a.dtype)
    if dropout_p == 0.0:
        mixed: Tensor = attention(query, key, value, bias, is_causal, factor)
        return mixed
    scores = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        scores = scores + causal_bias(query.size(-2), key.size(-2), query._a.dtype)
    elif bias is not None:
        scores = scores + bias
    weights = dropout(scores.softmax(-1), dropout_p)
    result: Tensor = weights @ value
    return result


def causal_bias(rows: int, columns: int, dtype: Any) -> Tensor:
    """Return 0 where a column is not later than its row, minus infinity elsewhere."""
    result: Tensor = work_out(_causal, rows, columns, dtype)
    return result


def _causal(rows: int, columns: int, dtype: Any) -> Array:
    bias = np.zeros((rows, columns), dtype)
    bias[np.triu_indices(rows, 1, columns)] = -np.inf
    return bias


def as_bias(mask: Tensor, dtype: Any) -> Tensor:
    """Return a mask as something to add to scores: True in a boolean one means "look here"."""
    if mask._a.dtype.kind != "b":
        return mask
    result: Tensor = work_out(np.where, mask, dtype.type(0), dtype.type(-np.inf))
    return result
