"""``backward`` and ``grad``: the two ways to start a backward pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore import engine, graph
from gradcore.engine import Pass
from gradcore.errors import ArgumentError, AutogradError, ShapeError, ValueRangeError
from gradcore.graph import TensorBase, state, wrap
from gradcore.ops.registry import FUNCTIONS
from gradcore.ops.tape import current_node, leads_to


def _as_list(value: Any) -> list[Any]:
    return [value] if isinstance(value, TensorBase) else list(value)


def _first_gradient(t: TensorBase, g: Any) -> Any:
    """Return the gradient to start from at ``t``: the given one, or 1 for a single value."""
    if g is None:
        if t._a.ndim == 0 and t._a.dtype.kind == "f":
            return wrap(np.array(1, t._a.dtype))
        if t._a.dtype.kind == "c":
            raise AutogradError(
                "grad can be implicitly created only for real scalar outputs but got "
                f"torch.{t._a.dtype}",
                f"The tensor has shape {t._a.shape}.",
                "Take its real part or its size first, or give its gradient.",
            )
        if t._a.size != 1:
            raise AutogradError(
                "grad can be implicitly created only for scalar outputs",
                f"The tensor has shape {t._a.shape}.",
                "Reduce it first, for instance with .sum() or .mean(), or give its gradient.",
            )
        return wrap(np.ones(t._a.shape, t._a.dtype))
    if not isinstance(g, TensorBase):
        raise ArgumentError(
            f"gradients can be either Tensors, numbers or None, but got {type(g).__name__}"
        )
    if g._a.shape != t._a.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[0] has a shape of torch.Size({list(g._a.shape)}) and "
            f"output[0] has a shape of torch.Size({list(t._a.shape)}).",
            "In `backward`.",
            "A gradient has the shape of its tensor.",
            shapes=(g._a.shape, t._a.shape),
        )
    return g


def _start(run: Pass, tensors: Sequence[TensorBase], gradients: Sequence[Any]) -> None:
    for t, g in zip(tensors, gradients, strict=True):
        edge = leads_to(t)
        if edge is None:
            raise AutogradError(
                "element 0 of tensors does not require grad and does not have a grad_fn",
                f"The tensor has shape {t._a.shape}.",
                "Nothing it was computed from requires grad, or it was computed in no_grad().",
            )
        start = _first_gradient(t, g)
        if graph.journal is not None:
            graph.journal.begun(t, edge, start, g is not None, run.as_tensors)
        run.put(edge, t._port, start if run.as_tensors else start._a)


def _run(
    tensors: Sequence[TensorBase],
    gradients: Sequence[Any],
    retain: bool,
    create: bool,
    inputs: Sequence[TensorBase] | None,
) -> tuple[Pass, dict[int, dict[int, Any]]]:
    capture: dict[int, dict[int, Any]] = {}
    needed = None
    if inputs is not None:
        targets = set()
        for t in inputs:
            node = current_node(t)
            if node is not None:
                capture.setdefault(node.seq, {})[t._port] = None
                targets.add(node.seq)
            else:
                targets.add(-id(t))
        roots = [node for node in map(current_node, tensors) if node is not None]
        needed = engine.reachable(roots, targets)
    run = Pass(create, retain, needed)
    before = state.grad
    state.grad = create
    try:
        _start(run, tensors, gradients)
        run.run(capture)
    finally:
        state.grad = before
    return run, capture


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add to ``grad`` of each leaf the gradient of the sum of ``tensors``."""
    roots = _as_list(tensors)
    gradients = [None] * len(roots) if grad_tensors is None else _as_list(grad_tensors)
    targets = None if inputs is None else _as_list(inputs)
    if targets is not None and not targets:
        raise AutogradError("`inputs` argument to `backward()` cannot be empty.")
    retain = create_graph if retain_graph is None else retain_graph
    run, capture = _run(roots, gradients, retain, create_graph, targets)
    leaves = run.leaves
    if targets is not None:
        for t in targets:
            node = current_node(t)
            if node is not None:
                g = capture[node.seq][t._port]
                if g is not None:
                    key = -id(t)
                    run.grads[key], leaves[key] = g, t
        keep = {-id(t) for t in targets}
        leaves = {key: leaf for key, leaf in leaves.items() if key in keep}
    # Hooks on leaves run as everything in the pass does: recorded only with create_graph.
    before, state.grad = state.grad, create_graph
    try:
        engine.accumulate(leaves, run.grads, create_graph)
    finally:
        state.grad = before
    if graph.journal is not None:
        graph.journal.ended()


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradient of the sum of ``outputs`` for each of ``inputs``; no ``grad`` changes.

    An input the outputs do not depend on gives an error, None with ``allow_unused``, or zeros
    with ``materialize_grads``. With ``is_grads_batched``, the first dimension of each of
    ``grad_outputs`` counts through several passes, and that of each result their gradients.
    """
    if is_grads_batched:
        return _several_passes(
            (outputs, inputs), _as_list(grad_outputs), retain_graph, create_graph, allow_unused
        )
    roots, targets = _as_list(outputs), _as_list(inputs)
    if not targets:
        raise ValueRangeError("grad requires non-empty inputs.")
    for t in targets:
        if leads_to(t) is None:
            raise AutogradError(
                "One of the differentiated Tensors does not require grad",
                f"It has shape {t._a.shape}.",
                "Call requires_grad_() on it before it is used.",
            )
    gradients = [None] * len(roots) if grad_outputs is None else _as_list(grad_outputs)
    retain = create_graph if retain_graph is None else retain_graph
    run, capture = _run(roots, gradients, retain, create_graph, targets)
    results: list[Any] = []
    for t in targets:
        node = current_node(t)
        g = run.grads.get(-id(t)) if node is None else capture[node.seq][t._port]
        more = t._more
        if node is None and g is not None and more is not None and more.hooks:
            g = engine.call_hooks(more.hooks, g, create_graph)
        if g is None:
            if materialize_grads:
                g = np.zeros_like(t._a)
            elif not allow_unused:
                raise AutogradError(
                    f"The differentiated Tensor at index {len(results)} appears to not have been "
                    "used in the graph. Set allow_unused=True if this is the desired behavior.",
                    f"It has shape {t._a.shape}.",
                )
        if g is not None and not isinstance(g, TensorBase):
            g = wrap(g)
        results.append(g)
    if graph.journal is not None:
        graph.journal.taken(targets, [current_node(t) for t in targets], results)
        graph.journal.ended()
    return tuple(results)


def _several_passes(
    ends: tuple[Any, Any],
    batches: list[Any],
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool | None,
) -> tuple[Any, ...]:
    """Return the gradients of one pass for each position of the first dimension of ``batches``."""
    count = batches[0]._a.shape[0]
    passes = []
    for i in range(count):
        retain = True if i + 1 < count else retain_graph
        given = [batch[i] for batch in batches]
        passes.append(grad(*ends, given, retain, create_graph, allow_unused=allow_unused))
    return tuple(
        None if parts[0] is None else FUNCTIONS["stack"](list(parts))
        for parts in zip(*passes, strict=True)
    )
