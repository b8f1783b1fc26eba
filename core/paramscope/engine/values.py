"""Full values of watched tensors as bytes, thinned where they are too many to look at."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.census.walk import Walk
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.protocol import TensorValues

MAX_VALUES = 262_144


def values_of(adapter: Adapter, walk: Walk, paths: tuple[str, ...]) -> tuple[TensorValues, ...]:
    """Return values and gradients of the tensors at ``paths``, in the order asked for."""
    by_path = {found.path: found.tensor for found in walk.tensors}
    given = []
    for path in paths:
        if path not in by_path:
            continue
        tensor = by_path[path]
        array = adapter.array(tensor)
        if array is None:
            continue
        stride = strides_for(array.shape)
        gradient = None
        if tensor.is_leaf and tensor.grad is not None:
            gradient = adapter.array(tensor.grad)
        given.append(
            TensorValues(
                path=path,
                shape=tuple(array.shape),
                values=_as_bytes(array, stride),
                gradient=None if gradient is None else _as_bytes(gradient, stride),
                stride=stride if any(step > 1 for step in stride) else (),
            )
        )
    return tuple(given)


def strides_for(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Choose a step for each axis, the longest axes first, until few enough values are left."""
    stride = [1] * len(shape)
    while math.prod(-(-n // s) for n, s in zip(shape, stride, strict=True)) > MAX_VALUES:
        longest = max(range(len(shape)), key=lambda axis: shape[axis] / stride[axis])
        stride[longest] *= 2
    return tuple(stride)


def _as_bytes(array: NDArray[Any], stride: tuple[int, ...]) -> bytes:
    thinned = array[tuple(slice(None, None, step) for step in stride)]
    if thinned.dtype.kind == "c":
        thinned = np.abs(thinned)
    return np.ascontiguousarray(thinned, dtype="<f4").tobytes()
