"""Checks of gradients against differences of values, as ``torch.autograd.gradcheck``."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore.differentiate import grad
from gradcore.dtypes import Array
from gradcore.errors import AutogradError
from gradcore.graph import TensorBase, state, wrap


class GradcheckError(AutogradError):
    """A gradient that differs from the differences of the values. Fields: ``input``, ``output``."""


def _wants_grad(x: Any) -> bool:
    return isinstance(x, TensorBase) and bool(getattr(x, "requires_grad", False))


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if isinstance(value, TensorBase):
        return (value,)
    return tuple(item for item in value if isinstance(item, TensorBase))


def _outputs(func: Callable[..., Any], inputs: Sequence[Any]) -> list[Any]:
    return [out for out in _as_tuple(func(*inputs)) if out._a.dtype.kind in "fc"]


def _parts(values: Array) -> Array:
    """Return values as real numbers: the imaginary parts after the real ones."""
    flat = values.reshape(-1)
    return np.concatenate([flat.real, flat.imag]) if flat.dtype.kind == "c" else flat


def _numeric(
    func: Callable[..., Any], inputs: Sequence[Any], which: int, eps: float
) -> list[Array]:
    """Return, for each output, the Jacobian by central differences: (input parts, output parts)."""
    target = inputs[which]
    kept = target._a
    flat = kept.reshape(-1).copy()
    steps: list[complex] = [eps, eps * 1j] if flat.dtype.kind == "c" else [eps]
    rows: list[list[Array]] = []
    before, state.grad = state.grad, True
    try:
        for step in steps:
            for i in range(flat.size):
                sides = []
                for way in (step, -step):
                    moved = flat.copy()
                    moved[i] += way
                    target._a = moved.reshape(kept.shape)
                    sides.append([_parts(out._a.copy()) for out in _outputs(func, inputs)])
                rows.append([(a - b) / (2 * eps) for a, b in zip(*sides, strict=True)])
    finally:
        target._a = kept
        state.grad = before
    return [np.stack(column) for column in zip(*rows, strict=True)] if rows else []


def _analytic(outputs: Sequence[Any], which: int, target: Any) -> Array:
    """Return the Jacobian by backward passes: (input parts, output parts)."""
    out = outputs[which]
    is_complex = target._a.dtype.kind == "c"
    columns = []
    # The gradient of Re f is asked for with 1, that of Im f with i.
    for unit in (1, 1j) if out._a.dtype.kind == "c" else (1,):
        for i in range(out._a.size):
            seed = np.zeros(out._a.size, out._a.dtype)
            seed[i] = unit
            end = wrap(seed.reshape(out._a.shape))
            (g,) = grad((out,), (target,), (end,), True, allow_unused=True)
            found = np.zeros(target._a.shape, target._a.dtype) if g is None else g._a
            columns.append(_parts(found.astype(complex) if is_complex else found))
    if not columns:
        return np.zeros((target._a.size * (2 if is_complex else 1), 0))
    return np.stack(columns, axis=1)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **more: Any,
) -> bool:
    """Compare the gradient of ``func`` with differences of its values, in float64.

    Raises: GradcheckError where they differ (or returns False with ``raise_exception=False``).
    """
    given = (inputs,) if isinstance(inputs, TensorBase) else tuple(inputs)
    for which, target in enumerate(given):
        if not (isinstance(target, TensorBase) and getattr(target, "requires_grad", False)):
            continue
        outputs = _outputs(func, given)
        numeric = _numeric(func, given, which, eps)
        for number, expected in enumerate(numeric):
            if outputs[number]._node is None and outputs[number] is not target:
                found = np.zeros_like(expected)
            else:
                found = _analytic(outputs, number, target)
            if not np.allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True):
                if not raise_exception:
                    return False
                raise GradcheckError(
                    f"Jacobian mismatch for output {number} with respect to input {which}",
                    f"numerical:{expected}\nanalytical:{found}",
                    "The gradient function does not belong to the values.",
                    input=which,
                    output=number,
                )
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **more: Any,
) -> bool:
    """Compare the gradient of the gradient of ``func`` with differences of the gradient."""
    given = (inputs,) if isinstance(inputs, TensorBase) else tuple(inputs)
    outputs = [out for out in _outputs(func, given) if out._node is not None]
    generator = np.random.default_rng(0)
    if grad_outputs is None:
        grad_outputs = []
        for out in outputs:
            seed = wrap(generator.uniform(0.5, 1.5, out._a.shape).astype(out._a.dtype))
            seed._rg = True
            grad_outputs.append(seed)
    seeds = _as_tuple(grad_outputs)
    targets = [i for i, x in enumerate(given) if _wants_grad(x)]
    if not outputs:
        return True

    def slope(*arguments: Any) -> Any:
        own, ends = arguments[: len(given)], arguments[len(given) :]
        outs = [out for out in _outputs(func, own) if out._node is not None]
        found = grad(outs, [own[i] for i in targets], ends, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        slope, (*given, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception
    )
