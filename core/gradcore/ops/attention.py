"""Scaled dot-product attention as one operation: scores, softmax and mixture of values.

In one piece, so that a native kernel can do a head at a time in the cache.
"""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.blocked import blocked_attention, blocked_attention_slope, worth_heads
from gradcore.ops.matrix import matmul, swapped
from gradcore.ops.registry import T, operation
from gradcore.ops.statistics import softmax_array, softmax_of


def later(rows: int, columns: int) -> Array:
    """Return where a column is later than its row."""
    return np.arange(columns) > np.arange(rows)[:, None]


def _weights(query: Any, key: Any, bias: Any, causal: bool, factor: float) -> Any:
    """Return the weights of a softmax over the keys, on tensors."""
    scores = matmul(query * factor, swapped(key))
    if causal:
        scores = scores.masked_fill(query.new_tensor(later(*scores.shape[-2:])).bool(), -np.inf)
    elif bias is not None:
        scores = scores + bias
    return softmax_of(scores, -1)


def _gradient(
    g: Any,
    needs: Any,
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    weights: Any,
    causal: bool,
    factor: float,
) -> Any:
    back = g[0]
    if not isinstance(back, np.ndarray):
        # What was saved has no history: a second derivative needs the weights made anew.
        weights = _weights(query, key, bias, causal, factor)
    elif type(back) is np.ndarray and not needs[3] and worth_heads(query, key, value):
        return [*blocked_attention_slope(back, query, key, value, weights, factor), None]
    slope = None
    if needs[0] or needs[1] or needs[3]:
        slope = matmul(back, swapped(value))
        slope = (slope - (slope * weights).sum(-1, keepdims=True)) * weights
    return [
        matmul(slope, key) * factor if needs[0] else None,
        matmul(swapped(slope), query) * factor if needs[1] else None,
        matmul(swapped(weights), back) if needs[2] else None,
        slope if needs[3] else None,
    ]


@operation(
    "attention",
    inputs=4,
    outputs=("y", "weights"),
    visible=1,
    joint=_gradient,
    functions=False,
    samples=[
        (T(2, 3, 4), T(2, 5, 4), T(2, 5, 2), None, False, 0.5),
        (T(2, 2, 3, 2), T(2, 2, 3, 2), T(2, 2, 3, 2), None, True, 0.7),
        (T(2, 2, 3, 2), T(2, 2, 4, 2), T(2, 2, 4, 3), T(3, 4), False, 0.7),
        (T(3, 2), T(4, 2), T(4, 2), None, True, 1.0),
    ],
    parity=None,
    grad_name="ScaledDotProductFlashAttentionForCpu",
)
def attention(
    query: Array, key: Array, value: Array, bias: Array | None, causal: bool, factor: float
) -> Any:
    """Return the values weighted by how well their keys fit each query."""
    if type(query) is np.ndarray and worth_heads(query, key, value):
        masks = np.where(later(query.shape[-2], key.shape[-2]), -np.inf, 0) if causal else bias
        if masks is None or masks.ndim == 2:
            mask = None if masks is None else masks.astype(query.dtype, copy=False)
            return blocked_attention(query, key, value, mask, factor)
    scores = np.matmul(query * factor, key.swapaxes(-1, -2))
    if causal:
        np.copyto(scores, -np.inf, where=later(*scores.shape[-2:]))
    elif bias is not None:
        scores = scores + bias
    weights = softmax_array(scores, scores.ndim - 1)
    return np.matmul(weights, value), weights
