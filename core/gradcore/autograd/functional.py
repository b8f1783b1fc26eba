"""Whole Jacobians and Hessians, and products with them, as ``torch.autograd.functional``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.differentiate import grad
from gradcore.errors import AutogradError
from gradcore.graph import TensorBase, state, wrap
from gradcore.ops.indexing import pick
from gradcore.ops.joining import stack
from gradcore.ops.shape import reshape


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _fresh(inputs: Any, create_graph: bool) -> tuple[Any, ...]:
    """Return the inputs as tensors to differentiate for: themselves' views or new leaves."""
    if create_graph:
        return tuple(x.view_as(x) if x.requires_grad else _leaf(x) for x in _as_tuple(inputs))
    return tuple(_leaf(x) for x in _as_tuple(inputs))


def _leaf(x: Any) -> Any:
    t = x.detach()
    t.requires_grad = True
    return t


def _zeros_for(x: Any) -> Any:
    return wrap(np.zeros_like(x._a))


def _gradients(out: Any, inputs: tuple[Any, ...], seed: Any, create: bool) -> tuple[Any, ...]:
    if not out.requires_grad:
        return tuple(_zeros_for(x) for x in inputs)
    found = grad((out,), inputs, (seed,), True, create, allow_unused=True)
    return tuple(_zeros_for(x) if g is None else g for g, x in zip(found, inputs, strict=True))


def _enabled(call: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        before, state.grad = state.grad, True
        try:
            return call(*args, **kwargs)
        finally:
            state.grad = before

    run.__name__ = call.__name__
    run.__doc__ = call.__doc__
    return run


def _like_given(value: tuple[Any, ...], given: Any) -> Any:
    return value if isinstance(given, (tuple, list)) else value[0]


@_enabled
def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian: for each output and input a tensor of both shapes, one after another."""
    given = _fresh(inputs, create_graph)
    result = func(*given)
    rows = []
    for out in _as_tuple(result):
        flat = reshape(out, (-1,))
        parts = []
        for i in range(out._a.size):
            seed = wrap(np.ones((), out._a.dtype))
            parts.append(_gradients(pick(flat, i), given, seed, create_graph))
        shape = tuple(out.shape)
        rows.append(
            _like_given(
                tuple(
                    reshape(stack([part[k] for part in parts]), shape + tuple(x.shape))
                    for k, x in enumerate(given)
                ),
                inputs,
            )
        )
    return _like_given(tuple(rows), result)


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, **options: Any
) -> Any:
    """Return the Hessian of a function with one value: the Jacobian of its gradient."""

    def slope(*given: Any) -> Any:
        out = func(*given)
        _need_scalar(out)
        found = _gradients(out, given, wrap(np.ones_like(out._a)), True)
        return _like_given(found, inputs)

    return jacobian(slope, inputs, create_graph)


def _need_scalar(out: Any) -> None:
    if not isinstance(out, TensorBase) or out._a.size != 1:
        shape = getattr(out, "shape", None)
        raise AutogradError(
            "The output of the user-provided function should be a single element tensor",
            f"Its shape is {shape}.",
            "Reduce it, for instance with .sum().",
        )


@_enabled
def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, **more: Any
) -> tuple[Any, Any]:
    """Return the outputs and the product of ``v`` with the Jacobian."""
    given = _fresh(inputs, create_graph)
    result = func(*given)
    outs = _as_tuple(result)
    seeds = [wrap(np.ones_like(outs[0]._a))] if v is None else list(_as_tuple(v))
    found = grad(outs, given, seeds, True, create_graph, allow_unused=True)
    filled = tuple(_zeros_for(x) if g is None else g for g, x in zip(found, given, strict=True))
    if not create_graph:
        result = _like_given(tuple(out.detach() for out in outs), result)
    return result, _like_given(filled, inputs)


@_enabled
def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, **more: Any
) -> tuple[Any, Any]:
    """Return the outputs and the product of the Jacobian with ``v``.

    The product with the transpose is linear in its vector: its own gradient is this product.
    """
    given = _fresh(inputs, create_graph)
    result = func(*given)
    outs = _as_tuple(result)
    seeds = tuple(_leaf(wrap(np.zeros_like(out._a))) for out in outs)
    back = grad(outs, given, seeds, True, True, allow_unused=True)
    ways = (wrap(np.ones_like(given[0]._a)),) if v is None else _as_tuple(v)
    used = [(g, way) for g, way in zip(back, ways, strict=True) if g is not None]
    found = grad(
        [g for g, _ in used],
        seeds,
        [way for _, way in used],
        True,
        create_graph,
        allow_unused=True,
    )
    filled = tuple(_zeros_for(o) if g is None else g for g, o in zip(found, outs, strict=True))
    if not create_graph:
        result = _like_given(tuple(out.detach() for out in outs), result)
    return result, _like_given(filled, result)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, **more: Any
) -> tuple[Any, Any]:
    """Return the output and the product of ``v`` with the Hessian."""

    def slope(*given: Any) -> Any:
        out = func(*given)
        _need_scalar(out)
        return _like_given(_gradients(out, given, wrap(np.ones_like(out._a)), True), inputs)

    value = func(*_as_tuple(inputs))
    return value.detach(), vjp(slope, inputs, v, create_graph)[1]


hvp = vhp
