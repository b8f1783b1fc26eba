"""``Function``: an operation whose forward and backward the user writes."""

from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from gradcore import graph
from gradcore.errors import AutogradError, InplaceError, ShapeError
from gradcore.graph import Node, SavedOutput, TensorBase, counter, new, state, tick, wrap, written
from gradcore.ops.entry import Plan
from gradcore.ops.tape import leads_to


class Context:
    """What forward hands to backward: ``ctx``. Users may put attributes of their own on it."""

    def __init__(self, count: int) -> None:
        self.needs_input_grad: tuple[bool, ...] = (False,) * count
        self._saved: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._constant: tuple[Any, ...] = ()
        self._materialize = True
        self._node: Any = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward; that they stay unchanged is checked there."""
        self._saved = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs forward wrote to in place."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which outputs have no gradient."""
        self._constant = args

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether backward gets zeros (True) or None for outputs nobody used."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What ``save_for_backward`` kept."""
        node = None if self._node is None else self._node()
        out = []
        for item in self._saved:
            if isinstance(item, SavedOutput):
                if node is not None and item.vc is not None and item.vc.stamp > node.seq:
                    graph.raise_modified(node, item.vc, item.array.shape, item.array.dtype)
                item = _output(item, node)
            elif isinstance(item, TensorBase) and node is not None:
                vc = item._vc
                if vc is not None and vc.stamp > node.seq:
                    graph.raise_modified(node, vc, item._a.shape, item._a.dtype)
            out.append(item)
        return tuple(out)


def _output(item: SavedOutput, node: Any) -> Any:
    t = wrap(item.array)
    t._vc = item.vc
    if node is not None and state.grad:
        t._node, t._port = node, item.port
    return t


class _FunctionOperation:
    """Stands where an entry of the tables stands in a node: leads to the user's backward."""

    differentiable = True

    def __init__(self, function: Any) -> None:
        self.function = function
        self.name = function.__name__

    def node_name(self, node: Node) -> str:
        """Return PyTorch's name of such a node."""
        return f"{self.name}Backward"

    def saved_value(self, node: Node, name: str) -> None:
        """Return None: what was saved is in the context."""
        return None

    def vjp(self, node: Node, g: Any, values: Any, as_tensors: bool) -> list[Any]:
        """Call the user's backward and check what it returns."""
        context = values[0]
        parts = g if node.plan.many else [g]
        ends = []
        for i, part in enumerate(parts):
            if part is None and context._materialize:
                shape = node.shape[i] if node.plan.many else node.shape
                kind = node.dtype[i] if node.plan.many else node.dtype
                ends.append(graph.work_out(np.zeros, shape, kind))
            else:
                ends.append(part if as_tensors or part is None else wrap(part))
        before, state.grad = state.grad, as_tensors
        try:
            returned = self.function.backward(context, *ends)
        finally:
            state.grad = before
        found = returned if isinstance(returned, tuple) else (returned,)
        # As torch: trailing Nones may be too many.
        while len(found) > len(node.edges) and found[-1] is None:
            found = found[:-1]
        if len(found) != len(node.edges):
            raise AutogradError(
                f"function {self.name}Backward returned an incorrect number of gradients "
                f"(expected {len(node.edges)}, got {len(found)})",
                f"In `{self.name}.backward`.",
                "Return one for each argument of forward after ctx; None where there is none.",
            )
        for i, (item, edge) in enumerate(zip(found, node.edges, strict=True)):
            if item is not None and edge is not None:
                _check_gradient(f"{self.name}Backward", i, item, edge)
        return [item if as_tensors or item is None else item._a for item in found]


def _check_gradient(name: str, i: int, gradient: Any, edge: Any) -> None:
    """Refuse a gradient that cannot be summed down to the shape of its input."""
    if isinstance(edge, Node):
        port = 0 if not edge.plan.many else None
        shape = edge.shape if port == 0 else gradient._a.shape
    else:
        shape = edge._a.shape
    given = gradient._a.shape
    fits = len(given) >= len(shape) and all(
        b in (1, a) for a, b in zip(reversed(given), reversed(shape), strict=False)
    )
    if not fits:
        raise ShapeError(
            f"Function {name} returned an invalid gradient at index {i} - got {list(given)} but "
            f"expected shape compatible with {list(shape)}",
            f"In `{name.removesuffix('Backward')}.backward`.",
            "Return a gradient of the shape of the input.",
            shapes=(given, shape),
        )


class Function:
    """Base class: write ``forward(ctx, ...)`` and ``backward(ctx, *grads)``, call ``apply``."""

    _operation: _FunctionOperation | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a Function is called by its class."""
        raise AutogradError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method.",
            f"`{type(self).__name__}` was made and called as an object.",
            f"Call {type(self).__name__}.apply(...) instead.",
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; to be written by the subclass."""
        raise NotImplementedError("You must implement the forward function for custom Function.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return one gradient for each input of forward; to be written by the subclass."""
        raise NotImplementedError("You must implement the backward function for custom Function.")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward and record it."""
        context = Context(len(args))
        edges = [leads_to(x) if state.grad and isinstance(x, TensorBase) else None for x in args]
        context.needs_input_grad = tuple(edge is not None for edge in edges)
        result = cls._run_forward(context, args)
        outputs = list(result) if isinstance(result, tuple) else [result]
        tensors = [item for item in outputs if isinstance(item, TensorBase)]
        dirty = {id(item) for item in context._dirty}
        for i, item in enumerate(outputs):
            if any(item is x for x in args) and id(item) not in dirty:
                if isinstance(item, TensorBase):
                    outputs[i] = _alias(item)
        tensors = [item for item in outputs if isinstance(item, TensorBase)]
        for item in context._dirty:
            written(item, cls.__name__, any(edges))
        if any(edge is not None for edge in edges):
            cls._record(context, args, edges, tensors, dirty)
        told = tuple(tensors)
        if graph.journal is not None:
            graph.journal.applied(told)
        if graph.recorder is not None:
            graph.tell(cls.__name__, args, {}, told, context._node is not None)
        if isinstance(result, tuple):
            return tuple(outputs)
        return outputs[0]

    @classmethod
    def _run_forward(cls, context: Context, args: tuple[Any, ...]) -> Any:
        before, state.grad = state.grad, False
        try:
            setup = getattr(cls, "setup_context", None)
            if setup is not None:
                result = cls.forward(*args)
                setup(context, args, result)
                return result
            return cls.forward(context, *args)
        finally:
            state.grad = before

    @classmethod
    def _record(
        cls,
        context: Context,
        args: tuple[Any, ...],
        edges: list[Any],
        tensors: list[Any],
        dirty: set[int],
    ) -> None:
        if "_operation" not in cls.__dict__ or cls._operation is None:
            cls._operation = _FunctionOperation(cls)
        constant = {id(item) for item in context._constant}
        node = new(Node)
        node.op = cls._operation
        node.plan = _PLANS[len(tensors) > 1]
        node.edges = tuple(edges)
        ports = [x._port if isinstance(x, TensorBase) else 0 for x in args]
        node.ports = tuple(ports) if any(ports) else None
        node.hooks = None
        node.poison = ""
        node.seq = tick()
        node.shape = tuple(item._a.shape for item in tensors)
        node.dtype = tuple(item._a.dtype for item in tensors)
        if len(tensors) == 1:
            node.shape, node.dtype = node.shape[0], node.dtype[0]
        node.saved = (context,)
        context._node = ref(node)
        places = {id(item): i for i, item in enumerate(tensors)}
        context._saved = tuple(
            SavedOutput(item._a, counter(item), places[id(item)]) if id(item) in places else item
            for item in context._saved
        )
        for i, item in enumerate(tensors):
            if id(item) in constant or item._a.dtype.kind not in "fc":
                continue
            if item._rg and id(item) in dirty:
                raise InplaceError(
                    "a leaf Variable that requires grad is being used in an in-place operation.",
                    f"In `{cls.__name__}.forward`.",
                    "Write to a clone() instead.",
                )
            item._node, item._port = node, i
        context._dirty = context._constant = ()


def _alias(item: Any) -> Any:
    t = wrap(item._a)
    t._vc = counter(item)
    return t


def _plan(many: bool) -> Plan:
    plan = Plan()
    plan.many = many
    plan.calls = plan.joint = plan.pick = plan.gradients = plan.needing = None
    plan.outputs = ()
    plan.tensors = plan.inputs = ()
    plan.shapes = False
    plan.names = []
    return plan


_PLANS = {many: _plan(many) for many in (False, True)}


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a backward that uses plain arrays be: its result has no history."""

    def call(ctx: Any, *grads: Any) -> Any:
        before, state.grad = state.grad, False
        try:
            return function(ctx, *grads)
        finally:
            state.grad = before

    return call


FunctionCtx = Context
