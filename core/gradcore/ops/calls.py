"""From a call to its kernel: the public function of each operation, made once from its entry.

Nothing is looked up by name, and no signature is inspected, while it is called. Called with arrays
alone (as gradient functions do) it runs the kernel and nothing else.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.errors import ArgumentError, InplaceError
from gradcore.graph import (
    INFERENCE,
    Node,
    TensorBase,
    new,
    state,
    tick,
    wrap,
    written,
)
from gradcore.ops.entry import Operation
from gradcore.ops.forward import written_out
from gradcore.ops.numbers import broadcast_failed, dtype_refused, promoted
from gradcore.ops.tape import apply, current_node, keep

ndarray = np.ndarray


def bind(op: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return all arguments in the order of the kernel's parameters."""
    names = op.parameters
    count = len(op.inputs)
    if op.varargs and len(args) > count:
        first = args[count]
        if not isinstance(first, (tuple, list)):
            args = (*args[:count], args[count:])
    if len(args) > len(names):
        what = f"takes at most {len(names)} arguments, got {len(args)}"
        raise _bad_argument(op, what, "Leave out what is too much.")
    if not kwargs:
        missing = len(names) - len(args)
        if missing <= len(op.defaults):
            return args + op.defaults[len(op.defaults) - missing :] if missing else args
    values = list(args)
    left = dict(kwargs)
    for i in range(len(args), len(names)):
        name = names[i]
        other = _ALIASES.get(name)
        if name in left:
            values.append(left.pop(name))
        elif other is not None and other in left:
            values.append(left.pop(other))
        elif i >= op.required:
            values.append(op.defaults[i - op.required])
        else:
            raise _bad_argument(op, f"is missing its argument `{name}`", f"Give {name}=...")
    if left:
        what = f"got an unexpected keyword argument '{next(iter(left))}'"
        raise _bad_argument(op, what, "Check the spelling, or leave it out.")
    return tuple(values)


def _bad_argument(op: Operation, what: str, cure: str) -> ArgumentError:
    return ArgumentError(
        f"{op.name}() {what}",
        f"Its parameters are: {', '.join(op.parameters)}.",
        cure,
        function=op.name,
    )


_ALIASES = {"dim": "axis", "keepdim": "keepdims", "input": "self"}


def put_out(out: Any, result: Any) -> Any:
    """Write ``result`` into ``out=`` and return that."""
    if state.grad and (out.requires_grad or result.requires_grad):
        raise InplaceError(
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad.",
            "",
            "Leave out= away, or do it inside torch.no_grad().",
        )
    if out._a.shape != result._a.shape:
        out._a = np.empty(result._a.shape, out._a.dtype)
    np.copyto(out._a, result._a, casting="unsafe")
    written(out, "out=", False)
    return out


def make_general(op: Operation) -> Callable[..., Any]:
    """Return the public function of an operation with any arguments."""
    kernel, total = op.kernel, len(op.parameters)
    visible, many = op.visible, op.many
    varargs = op.varargs
    run: Any = None

    def plain(*args: Any) -> Any:
        _need_array(op, args[: len(op.inputs)])
        result = kernel(*args)
        if many:
            return result[0] if visible == 1 else result[:visible]
        return result

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        nonlocal run
        if run is None:
            run = written_out(op, plain)
        if kwargs or varargs or len(args) != total:
            args = bind(op, args, kwargs)
        return run(*args) if out is None else put_out(out, run(*args))

    return call


def _need_array(op: Operation, inputs: tuple[Any, ...]) -> None:
    for x in inputs:
        if isinstance(x, (ndarray, np.generic)):
            return
    first = inputs[0] if inputs else None
    raise ArgumentError(
        f"{op.name}(): argument '{op.inputs[0]}' (position 1) must be Tensor, "
        f"not {type(first).__name__}",
        "",
        "Turn it into a tensor with torch.tensor(...) first.",
        function=op.name,
    )


def make_sequence(op: Operation) -> Callable[..., Any]:
    """Return the public function of an operation whose first argument is a list of tensors."""
    kernel, total = op.kernel, len(op.parameters)

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if kwargs or len(args) != total:
            args = bind(op, args, kwargs)
        members = args[0]
        if isinstance(members, TensorBase):
            members = tuple(members)  # type: ignore[arg-type] # Tensor is iterable; its base is not
        for x in members:
            if isinstance(x, TensorBase):
                result = apply(op, (tuple(members),), args[1:])
                return result if out is None else put_out(out, result)
        return kernel(list(members), *args[1:])

    return call


def make_unary(op: Operation) -> Callable[..., Any]:
    """Return the public function of an element-wise operation on one tensor."""
    kernel, adapt = op.kernel, op.adapt
    differentiable = op.differentiable
    plan: Any = None

    def call(input: Any, *, out: Any = None) -> Any:
        nonlocal plan
        if not isinstance(input, TensorBase):
            if type(input) is not ndarray:
                _need_array(op, (input,))
            return kernel(input)
        a = input._a
        if adapt is not None and a.dtype.kind in "iub":
            (a,) = adapt(a)
        try:
            t = wrap(kernel(a))
        except TypeError as error:
            raise dtype_refused(op.name, (a,), error) from None
        recorded = False
        if differentiable and state.grad:
            edge: Any = input._node if input._view is None else current_node(input)
            if edge is None and input._rg:
                edge = input
            if edge is not None and t._a.dtype.kind in "fc":
                if input._vc is INFERENCE:
                    graph.refuse_inference()
                if plan is None:
                    plan = op.plan(1)
                t._node = node = new(Node)
                node.op = op
                node.plan = plan
                node.edges = (edge,)
                node.ports = (input._port,) if input._port else None
                node.hooks = None
                node.poison = ""
                node.shape = t._a.shape
                node.dtype = t._a.dtype
                node.seq = tick()
                pick = plan.pick
                if pick is None:
                    node.saved = ()
                else:
                    node.saved = pick((input, t, a.shape))
                    if plan.outputs:
                        node.saved = keep(plan, node.saved)
                recorded = True
        if graph.recorder is not None:
            graph.tell(op.name, (input,), {}, (t,), recorded)
        return t if out is None else put_out(out, t)

    return call


def make_binary(op: Operation) -> Callable[..., Any]:
    """Return the public function of an element-wise or matrix operation on two tensors."""
    kernel = op.kernel
    meet = op.adapt or promoted
    # Two integers may still become floats, as in a division.
    adapts = op.adapt is not None and op.adapt is not promoted
    name = op.name
    differentiable = op.differentiable
    failed = op.failed or broadcast_failed
    plans: list[Any] = [None] * 4

    def call(input: Any, other: Any, *, out: Any = None) -> Any:
        # Written out, not divided up: this is the path that small networks spend their time in.
        y: Any
        left = isinstance(input, TensorBase)
        right = isinstance(other, TensorBase)
        if left:
            x = input._a
            if right:
                y = other._a
                if x.dtype is not y.dtype or (adapts and x.dtype.kind in "iub"):
                    x, y = meet(x, y)
            elif type(other) is float and x.dtype.kind == "f":
                y = other
            else:
                x, y = meet(x, other)
        elif right:
            x, y = meet(input, other._a)
        else:
            if type(input) is not ndarray and type(other) is not ndarray:
                _need_array(op, (input, other))
            return kernel(input, other)
        try:
            a = kernel(x, y)
        except ValueError as error:
            raise failed(name, (x, y), error) from None
        except TypeError as error:
            raise dtype_refused(name, (x, y), error) from None
        if type(a) is not ndarray:
            a = np.asarray(a)
        t = new(graph.TENSOR)
        t._a = a
        t._node = t._grad = t._view = t._more = t._vc = None
        t._port = 0
        t._rg = False
        recorded = False
        if not state.grad:
            if state.inference:
                t._vc = INFERENCE
        elif differentiable:
            mask = ports = 0
            first: Any = None
            second: Any = None
            if left:
                first = input._node if input._view is None else current_node(input)
                if first is not None:
                    mask = 1
                    ports = input._port
                elif input._rg:
                    first = input
                    mask = 1
            if right:
                second = other._node if other._view is None else current_node(other)
                if second is not None:
                    mask += 2
                    ports += other._port
                elif other._rg:
                    second = other
                    mask += 2
            if mask:
                plan = plans[mask]
                if plan is None:
                    plan = plans[mask] = op.plan(mask)
                if plan.calls:
                    if (left and input._vc is INFERENCE) or (right and other._vc is INFERENCE):
                        graph.refuse_inference()
                    t._node = node = new(Node)
                    node.op = op
                    node.plan = plan
                    node.edges = (first, second)
                    node.ports = _ports(input, other) if ports else None
                    node.hooks = None
                    node.poison = ""
                    node.shape = a.shape
                    node.dtype = a.dtype
                    node.seq = tick()
                    pick = plan.pick
                    if pick is None:
                        node.saved = ()
                    elif plan.outputs or plan.shapes:
                        node.saved = pick((input, other, t, _shape(input), _shape(other)))
                        if plan.outputs:
                            node.saved = keep(plan, node.saved)
                    else:
                        node.saved = pick((input, other))
                    recorded = True
        if graph.recorder is not None:
            graph.tell(name, (input, other), {}, (t,), recorded)
        return t if out is None else put_out(out, t)

    return call


def _ports(input: Any, other: Any) -> tuple[int, int]:
    return getattr(input, "_port", 0), getattr(other, "_port", 0)


def _shape(x: Any) -> Any:
    return x._a.shape if isinstance(x, TensorBase) else ()
