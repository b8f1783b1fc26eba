"""Backward: one loop over the reached nodes, newest first.

Gradients are plain arrays unless a graph of the gradients is asked for (``create_graph``), in which
case they are tensors and the same gradient functions record themselves.
"""

import math
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.errors import AutogradError
from gradcore.graph import FREED, Node, TensorBase, wrap
from gradcore.ops.sums import sum_of_rows
from gradcore.ops.unpacking import unpack

ndarray = np.ndarray
Fit = Callable[[Any, tuple[int, ...], Any], Any]
_fit_tensor: Fit


def use_fit(fit: Fit) -> None:
    """Set how a gradient *tensor* is summed and cast to the shape and dtype of its input."""
    global _fit_tensor
    _fit_tensor = fit


def fit_array(g: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Sum ``g`` over broadcast axes down to ``shape`` and cast it to ``dtype``."""
    if g.ndim == 2 and g.dtype is dtype and g.shape[1:] == shape and dtype.char in "fd":
        # The common case, a row that was added to each row.
        return sum_of_rows(g)
    if g.shape != shape:
        extra = g.ndim - len(shape)
        if extra < 0:
            return fit_array(np.broadcast_to(g, shape), shape, dtype)
        if g.shape[extra:] == shape and g.dtype is dtype and dtype.char in "fd" and g.size:
            return sum_of_rows(g.reshape((-1, math.prod(shape)))).reshape(shape)
        axes = tuple(range(extra)) + tuple(
            extra + i for i, size in enumerate(shape) if size == 1 and g.shape[extra + i] != 1
        )
        g = np.add.reduce(g, axis=axes, keepdims=True).reshape(shape)
    if g.dtype != dtype:
        if g.dtype.kind == "c" and dtype.kind != "c":
            g = g.real
        g = g.astype(dtype)
    return g


class Pass:
    """One backward pass: the gradients on their way, and where they are to arrive."""

    __slots__ = ("as_tensors", "retain", "grads", "nodes", "heap", "leaves", "owned", "needed")

    def __init__(self, as_tensors: bool, retain: bool, needed: set[int] | None) -> None:
        self.as_tensors = as_tensors
        self.retain = retain
        self.grads: dict[int, Any] = {}
        self.nodes: dict[int, Node] = {}
        self.heap: list[int] = []
        self.leaves: dict[int, TensorBase] = {}
        # Keys of gradients that this pass has added up itself, and may therefore add to in place.
        self.owned: set[int] = set()
        self.needed = needed

    def put(self, edge: Any, port: int, g: Any) -> None:
        """Add ``g`` to what is on its way to ``edge``."""
        if isinstance(edge, Node):
            key = edge.seq
            if key not in self.nodes:
                self.nodes[key] = edge
                heappush(self.heap, -key)
            if edge.plan.many:
                parts = self.grads.setdefault(key, [None] * len(edge.shape))
                shape, dtype = edge.shape[port], edge.dtype[port]
                g = self._fit(_as_array(g), shape, dtype)
                parts[port] = g if parts[port] is None else parts[port] + g
                return
            g = self._fit(g, edge.shape, edge.dtype)
        else:
            # Leaves are kept beside the nodes: negative keys never meet a node's number.
            key = -id(edge)
            self.leaves[key] = edge
            g = self._fit(g, edge._a.shape, edge._a.dtype)
        held = self.grads.get(key)
        if held is None:
            self.grads[key] = g
        elif key in self.owned:
            np.add(held, g, out=held)
        else:
            g = held + g
            self.grads[key] = g
            if type(g) is np.ndarray:
                self.owned.add(key)

    def _fit(self, g: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if self.as_tensors:
            a = g._a
            return g if a.shape == shape and a.dtype is dtype else _fit_tensor(g, shape, dtype)
        return g if g.shape == shape and g.dtype is dtype else fit_array(g, shape, dtype)

    def run(self, capture: dict[int, dict[int, Any]]) -> None:
        """Pass all nodes, newest first. ``capture[seq][port]`` is filled where asked for."""
        # Written out, not divided up: this is where small networks spend their time.
        heap, nodes, grads, leaves = self.heap, self.nodes, self.grads, self.leaves
        owned, retain, put, add = self.owned, self.retain, self.put, np.add
        is_slow = self.needed is not None or self.as_tensors or graph.state.anomaly
        # The newest node that waits, where that is known: in a chain, no other waits.
        next_node: Any = None
        next_g: Any = None
        while True:
            if next_node is None:
                if not heap:
                    return
                key = -heappop(heap)
                node = nodes.pop(key)
                g = grads.pop(key)
            else:
                node, g = next_node, next_g
                next_node = None
                if heap and -heap[0] >= node.seq:
                    put(node, 0, g)
                    continue
            plan = node.plan
            gradients = plan.gradients
            if is_slow or gradients is None or node.hooks is not None or graph.recorder is not None:
                self._pass_carefully(node, g, capture)
                continue
            edges, ports = node.edges, node.ports
            if type(g) is not ndarray and not plan.many:
                # NumPy makes numbers of arrays without axes; gradient functions tell them apart.
                g = np.asarray(g)
            results = gradients(node, g)
            if not retain:
                node.saved = node.saved and FREED
            for i, gi in zip(plan.needing, results):  # noqa: B905 - as many of both, and it costs
                if gi is None:
                    continue
                edge = edges[i]
                if isinstance(edge, Node):
                    if ports is not None or edge.plan.many:
                        put(edge, ports[i] if ports else 0, gi)
                        continue
                    if gi.shape != edge.shape or gi.dtype is not edge.dtype:
                        gi = fit_array(gi, edge.shape, edge.dtype)
                    if next_node is None and (not heap or edge.seq not in grads):
                        next_node, next_g = edge, gi
                    elif edge is next_node:
                        next_g = next_g + gi
                    else:
                        put(edge, 0, gi)
                    continue
                if edge is None:
                    continue
                a = edge._a
                if gi.shape != a.shape or gi.dtype is not a.dtype:
                    gi = fit_array(gi, a.shape, a.dtype)
                key = -id(edge)
                if key in owned:
                    held = grads[key]
                    add(held, gi, held)
                    continue
                held = grads.get(key)
                if held is None:
                    leaves[key] = edge
                    grads[key] = gi
                else:
                    grads[key] = held + gi
                    owned.add(key)

    def _pass_carefully(self, node: Node, g: Any, capture: dict[int, dict[int, Any]]) -> None:
        """Pass one node with everything that is rare: hooks, captures, joint gradients, tensors."""
        as_tensors, needed = self.as_tensors, self.needed
        g = _as_array(g)
        # What users' functions do with gradients is told as operations on these arrays.
        is_users = node.hooks is not None or node.plan.calls is node.plan.joint
        journal = graph.journal if is_users and not as_tensors else None
        if journal is not None:
            journal.reached(node, g)
        if node.hooks is not None:
            g = _before(node, g, as_tensors)
            if journal is not None:
                journal.led_on(node, g)
        wanted = capture.get(node.seq)
        if wanted is not None:
            for port in wanted:
                wanted[port] = g[port] if node.plan.many else g
        edges, ports = node.edges, node.ports
        if needed is not None and not any(e is not None and _leads(e, needed) for e in edges):
            return
        values = unpack(node, as_tensors) if node.saved else ()
        results = node.op.vjp(node, g, values, as_tensors)
        if graph.state.anomaly:
            _refuse_nan(node, results)
        if node.hooks is not None:
            if journal is not None and node.hooks.after:
                journal.passed(node, results)
            results = _after(node, results, g, as_tensors)
        if graph.recorder is not None:
            _tell_gradients(node, results)
        for i, gi in enumerate(results):
            edge = edges[i]
            if gi is None or edge is None or (needed is not None and not _leads(edge, needed)):
                continue
            self.put(edge, ports[i] if ports else 0, gi)
        if node.saved and not self.retain:
            node.saved = FREED


def _as_array(g: Any) -> Any:
    """Return a number of NumPy's as an array without axes, anything else as it is."""
    return np.asarray(g) if isinstance(g, np.generic) else g


def _refuse_nan(node: Node, results: Any) -> None:
    for i, item in enumerate(results):
        a = item._a if isinstance(item, TensorBase) else item
        if a is not None and np.isnan(a).any():
            raise AutogradError(
                f"Function '{node.name()}' returned nan values in its {i}th output.",
                f"Its output had shape {node.shape}.",
                "Look at what this operation was given: 0/0, log(0) or inf - inf make nan.",
            )


def _leads(edge: Any, needed: set[int]) -> bool:
    return (edge.seq if isinstance(edge, Node) else -id(edge)) in needed


def _tell_gradients(node: Node, results: Any) -> None:
    listener = graph.recorder
    if listener is None:
        return
    graph.recorder = None
    try:
        listener.gradients(node, tuple(results))
    finally:
        graph.recorder = listener


def _as_tensor(g: Any, as_tensors: bool) -> Any:
    return g if as_tensors or g is None else wrap(g)


def _as_before(t: Any, as_tensors: bool) -> Any:
    return t if as_tensors or t is None else t._a


def call_hooks(hooks: dict[int, Callable[[Any], Any]], g: Any, as_tensors: bool) -> Any:
    """Pass ``g`` through tensor hooks; one that returns something replaces it."""
    t = _as_tensor(g, as_tensors)
    for hook in list(hooks.values()):
        returned = hook(t)
        if returned is not None:
            if not isinstance(returned, TensorBase):
                raise AutogradError(
                    f"a tensor's hook must return None or a tensor, not {type(returned).__name__}",
                    "",
                    "Return the changed gradient, or nothing.",
                )
            t = returned
    return _as_before(t, as_tensors)


def _before(node: Node, g: Any, as_tensors: bool) -> Any:
    hooks = node.hooks
    if hooks is None:
        return g
    many = node.plan.many
    parts = list(g) if many else [g]
    for port, port_hooks in hooks.outputs.items():
        if parts[port] is not None and port_hooks:
            parts[port] = call_hooks(port_hooks, parts[port], as_tensors)
    for port, keep in hooks.retained.items():
        if parts[port] is not None:
            keep(_as_tensor(parts[port], as_tensors))
    for hook in list(hooks.before.values()):
        returned = hook(tuple(_as_tensor(part, as_tensors) for part in parts))
        if returned is not None:
            parts = [_as_before(part, as_tensors) for part in _tuple(returned)]
    return parts if many else parts[0]


def _after(node: Node, results: Sequence[Any], g: Any, as_tensors: bool) -> Any:
    hooks = node.hooks
    if hooks is None or not hooks.after:
        return results
    inputs = tuple(_as_tensor(result, as_tensors) for result in results)
    outputs = tuple(_as_tensor(part, as_tensors) for part in (g if node.plan.many else [g]))
    for hook in list(hooks.after.values()):
        returned = hook(inputs, outputs)
        if returned is not None:
            inputs = _tuple(returned)
    return [_as_before(result, as_tensors) for result in inputs]


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _alone(grads: dict[int, Any], key: int) -> int:
    g = grads.pop(key)
    return getrefcount(g)


# How many references an array has that nobody else holds: this differs by Python version.
_ALONE = _alone({0: np.zeros(1)}, 0)


def accumulate(leaves: dict[int, TensorBase], grads: dict[int, Any], as_tensors: bool) -> None:
    """Add the gradients that arrived at leaves to their ``grad``."""
    for key, leaf in leaves.items():
        # As `_alone`.
        g = grads.pop(key)
        mine = getrefcount(g) <= _ALONE
        more = leaf._more
        if more is not None and more.hooks:
            journal = None if as_tensors else graph.journal
            if journal is not None:
                journal.arrived(leaf, g)
            g = call_hooks(more.hooks, g, as_tensors)
            mine = False
            if journal is not None:
                journal.arrived_as(leaf, g)
        held = leaf._grad
        if held is None:
            if as_tensors:
                leaf._grad = g
            else:
                owned = mine and g.base is None and g.flags.c_contiguous
                leaf._grad = wrap(g if owned else np.array(g, order="C"))
        elif as_tensors:
            leaf._grad = held + g
        else:
            np.add(held._a, g, out=held._a)
            graph.written(held, "backward", False)
        if graph.recorder is not None:
            listener = graph.recorder
            graph.recorder = None
            try:
                listener.accumulated(leaf, g)
            finally:
                graph.recorder = listener
        if more is not None and more.after:
            for hook in list(more.after.values()):
                hook(leaf)


def reachable(roots: Sequence[Node], targets: set[int]) -> set[int]:
    """Return the numbers of the nodes (and targets) from which a target can be reached."""
    seen: dict[int, Node] = {root.seq: root for root in roots}
    stack = list(seen.values())
    while stack:
        for edge in stack.pop().edges:
            if isinstance(edge, Node) and edge.seq not in seen:
                seen[edge.seq] = edge
                stack.append(edge)
    needed = set(targets)
    # Oldest first: everything a node leads to has been decided before it.
    for key in sorted(seen):
        for edge in seen[key].edges:
            if edge is not None and _leads(edge, needed):
                needed.add(key)
                break
    return needed
