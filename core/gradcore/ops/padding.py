"""Padding with a constant, whose gradient cuts off, or with an image's own values."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.registry import CALLS, T, operation

Pairs = tuple[tuple[int, int], ...]


def _constant_pad_nd_input(g: Any, pad: Any) -> Any:
    return constant_pad_nd(g, [-width for width in pad], 0.0)


@operation(
    "constant_pad_nd",
    gradient={"input": _constant_pad_nd_input},
    functions=("constant_pad_nd",),
    samples=[(T(2, 3), [1, 2]), (T(2, 3), [1, 0, 0, 2], 0.5), (T(2, 4), [-1, 2]), (T(2, 3), [])],
    parity="torch",
)
def constant_pad_nd(input: Array, pad: Any, value: float = 0.0) -> Any:
    """Pad the last axes; ``pad`` lists (left, right) of the last axis first."""
    n = len(pad) // 2
    lead = input.ndim - n
    widths = [(0, 0)] * lead + [(pad[2 * i], pad[2 * i + 1]) for i in reversed(range(n))]
    shape = tuple(
        size + left + right for size, (left, right) in zip(input.shape, widths, strict=True)
    )
    if any(size < 0 for size in shape):
        raise RuntimeError(
            f"The input size {list(input.shape)}, plus negative padding {list(pad)}, resulted in "
            "a negative output size"
        )
    out = np.full(shape, value, input.dtype)
    source, target = [], []
    for size, (left, right) in zip(input.shape, widths, strict=True):
        source.append(slice(max(-left, 0), size - max(-right, 0)))
        target.append(slice(max(left, 0), max(left, 0) + size + min(left, 0) + min(right, 0)))
    out[tuple(target)] = input[tuple(source)]
    return out


def _part(axis: int, first: int, last: int) -> Any:
    return (*(slice(None),) * axis, slice(first, last))


def _sources(mode: str, size: int, left: int, right: int) -> tuple[Any, Any]:
    """Return which positions of an axis both borders repeat, as (start, stop, reversed)."""
    if mode == "reflect":
        return (1, left + 1, True), (size - 1 - right, size - 1, True)
    return (size - left, size, False), (0, right, False)


def _border(x: Any, mode: str, axis: int, left: int, right: int) -> Any:
    """Return the parts that stand on both sides of an axis."""
    size = x.shape[axis]
    if mode == "replicate":
        return [x[_part(axis, 0, 1)]] * left, [x[_part(axis, size - 1, size)]] * right
    parts = []
    for start, stop, is_turned in _sources(mode, size, left, right):
        part = x[_part(axis, start, stop)]
        parts.append([np.flip(part, axis) if is_turned else part] if stop > start else [])
    return parts


@operation(
    "border_pad",
    gradient={"input": lambda g, pairs, mode: CALLS.border_fold(g, pairs, mode)},
    functions=False,
    samples=[
        (T(2, 3, 4), ((0, 0), (2, 1), (1, 3)), "reflect"),
        (T(2, 3), ((1, 2), (3, 0)), "replicate"),
        (T(2, 3), ((1, 2), (3, 1)), "circular"),
    ],
    parity=None,
    grad_name=lambda node: {"reflect": "ReflectionPad2D", "replicate": "ReplicationPad2D"}.get(
        node.kept("mode"), "Copy"
    ),
)
def border_pad(input: Array, pairs: Pairs, mode: str) -> Any:
    """Pad each axis with values of its own; ``pairs`` has (left, right) of every axis."""
    out = input
    for axis, (left, right) in enumerate(pairs):
        if left or right:
            before, behind = _border(out, mode, axis, left, right)
            out = np.concatenate([*before, out, *behind], axis)
    return out if out is not input else input.copy()


@operation(
    "border_fold",
    gradient={"input": lambda g, pairs, mode: border_pad(g, pairs, mode)},
    functions=False,
    samples=[
        (T(2, 6, 8), ((0, 0), (2, 1), (1, 3)), "reflect"),
        (T(5, 6), ((1, 2), (3, 0)), "replicate"),
        (T(5, 7), ((1, 2), (3, 1)), "circular"),
    ],
    parity=None,
)
def border_fold(input: Array, pairs: Pairs, mode: str) -> Any:
    """Add borders to the values that they repeat: the gradient of ``border_pad``."""
    out = input
    for axis in reversed(range(len(pairs))):
        left, right = pairs[axis]
        if not (left or right):
            continue
        size = out.shape[axis] - left - right
        whole, out = out, out[_part(axis, left, left + size)].copy()
        if mode == "replicate":
            places = [*range(left), *range(left + size, left + size + right)]
            for place in places:
                edge = out[_part(axis, 0, 1) if place < left else _part(axis, size - 1, size)]
                np.add(edge, whole[_part(axis, place, place + 1)], out=edge)
            continue
        borders = (0, left), (left + size, left + size + right)
        for border, found in zip(borders, _sources(mode, size, left, right), strict=True):
            start, stop, is_turned = found
            if stop > start:
                target, part = out[_part(axis, start, stop)], whole[_part(axis, *border)]
                np.add(target, np.flip(part, axis) if is_turned else part, out=target)
    return out if out is not input else input.copy()
