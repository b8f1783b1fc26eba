"""Helpers over many Parameters: clipping of gradients, and one vector of all values."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.creation import zeros
from gradcore.graph import wrap, written_together
from gradcore.journal import plain
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor

_ROW = 1 << 14
"""So many values are limited at once."""


def _gradients(parameters: Any) -> list[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [tensor._grad for tensor in tensors if tensor._grad is not None]


def _told(clip: Any, parameters: Any, settings: tuple[Any, ...]) -> Any:
    """Tell the journal of a clipping; return the parameters, which may have been an iterator."""
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if graph.journal is not None:
        graph.journal.call(clip, (parameters, *settings))
    return parameters


def _norm(array: Any, norm_type: float) -> Any:
    flat = array.ravel()
    if norm_type == 2.0:
        return np.sqrt(np.dot(flat, flat))
    if norm_type == float("inf"):
        return np.abs(flat).max(initial=0)
    return np.power(np.power(np.abs(flat), norm_type).sum(), 1.0 / norm_type)


def _square(array: Any) -> float:
    flat = array.reshape(-1)
    return float(flat.dot(flat))


def get_total_norm(
    tensors: Any,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all values of all tensors together."""
    arrays = [tensor._a for tensor in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not arrays:
        result: Tensor = zeros(())
        return result
    kind = float(norm_type)
    if kind == 2.0 and all(array.dtype.kind == "f" for array in arrays):
        total = math.sqrt(sum([_square(array) for array in arrays]))
    else:
        total = _norm(np.array([_norm(array, kind) for array in arrays]), kind)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    result = wrap(np.asarray(total, arrays[0].dtype))
    return result


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients so that their joint norm is at most `max_norm`.

    One common factor is used, so the step keeps its direction. Parameters whose `grad` is None
    are left out: nothing has flowed to them yet.

    Returns: the norm before scaling, so that it can be plotted.
    Source:  Pascanu et al. 2013, https://arxiv.org/abs/1211.5063
    """
    if graph.journal is not None:
        parameters = _told(clip_grad_norm_, parameters, (max_norm, norm_type, error_if_nonfinite))
        max_norm = plain(max_norm)
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    _scale_to(gradients, float(max_norm), total)
    if graph.journal is not None:
        graph.journal.gave(total)
    return total


def clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by what brings `total_norm` down to `max_norm`."""
    if graph.journal is not None:
        parameters = _told(clip_grads_with_norm_, parameters, (max_norm, total_norm))
    _scale_to(_gradients(parameters), float(max_norm), total_norm)


def _scale_to(gradients: list[Tensor], max_norm: float, total: Tensor) -> None:
    factor = max_norm / (float(total._a) + 1e-6)
    # "not >=" lets nan spread to every gradient, as torch.
    if not factor >= 1.0:
        for gradient in gradients:
            a = gradient._a
            np.multiply(a, factor, a)
        written_together(gradients, "clip_grad_norm_")


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every value of every gradient to `-clip_value` .. `clip_value`."""
    if graph.journal is not None:
        parameters = _told(clip_grad_value_, parameters, (clip_value,))
        clip_value = plain(clip_value)
    gradients = _gradients(parameters)
    for kind in {gradient._a.dtype for gradient in gradients}:
        _limit([t._a for t in gradients if t._a.dtype == kind], float(clip_value))
    written_together(gradients, "clip_grad_value_")


def _limit(arrays: list[Any], limit: float) -> None:
    """Limit arrays of one dtype to `-limit` .. `limit`."""
    # NumPy compares with a row several times as fast as with one number.
    count = min(_ROW, max(1, *(a.size for a in arrays)))
    low, high = np.full((2, count), [[-limit], [limit]], arrays[0].dtype)
    for a in arrays:
        if not a.flags.c_contiguous:
            np.clip(a, -limit, limit, out=a)
            continue
        flat = a.reshape(-1)
        for start in range(0, flat.size, count):
            part = flat[start : start + count]
            size = part.size
            np.maximum(part, low[:size], out=part)
            np.minimum(part, high[:size], out=part)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all values of all parameters as one vector."""
    result: Tensor = FUNCTIONS["cat"]([parameter.reshape(-1) for parameter in parameters])
    return result


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give all parameters their values from one vector."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    place = 0
    for parameter in parameters:
        count = parameter.numel()
        parameter.data = vec[place : place + count].view_as(parameter).data
        place += count
