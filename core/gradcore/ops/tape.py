"""Putting operations on the tape: nodes for results, views and their bases."""

from typing import Any

from gradcore import graph
from gradcore.graph import (
    INFERENCE,
    Node,
    SavedOutput,
    TensorBase,
    View,
    counter,
    new,
    state,
    tick,
    wrap,
)
from gradcore.ops.entry import Operation, Plan
from gradcore.ops.numbers import broadcast_failed


def current_node(t: TensorBase) -> Node | None:
    """Return the node ``t`` came from; a view's is made anew after its base was written to."""
    view = t._view
    if view is not None:
        vc = view.base._vc
        if vc is not None and vc.rebased > view.stamp:
            _renew_view(t, view)
    return t._node


def _renew_view(t: TensorBase, view: View) -> None:
    before, state.grad = state.grad, True
    state.quiet += 1
    try:
        again: Any = view.base
        for op, attrs in view.chain:
            again = apply(op, (again,), attrs)
        t._node, t._port = again._node, again._port
        view.stamp = tick()
    finally:
        state.grad = before
        state.quiet -= 1


def leads_to(x: Any) -> Any:
    """Return the edge to a tensor: its node, itself if it is a leaf to be trained, or None."""
    node = x._node if x._view is None else current_node(x)
    if node is not None:
        return node
    return x if x._rg else None


def _edges(members: Any) -> tuple[list[Any], list[int] | None, int]:
    """Return the edges to the inputs, which outputs they are, and a bit for each that has one."""
    mask = 0
    bit = 1
    edges: list[Any] = []
    ports = None
    inference = False
    for x in members:
        edge: Any = None
        if isinstance(x, TensorBase):
            edge = x._node if x._view is None else current_node(x)
            if edge is not None:
                mask |= bit
                if x._port:
                    ports = ports or [0] * len(members)
                    ports[len(edges)] = x._port
            elif x._rg:
                edge = x
                mask |= bit
            if x._vc is INFERENCE:
                inference = True
        edges.append(edge)
        bit <<= 1
    if mask and inference:
        graph.refuse_inference()
    return edges, ports, mask


def is_saved(op: Operation, place: int, inputs: tuple[Any, ...]) -> bool:
    """Tell whether a node of an operation on ``inputs`` would save that one of them."""
    mask = _edges(inputs)[2]
    return bool(mask) and place in op.plan(0 if op.joint is not None else mask).inputs


def record(
    op: Operation,
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    attrs: tuple[Any, ...],
) -> bool:
    """Put one operation on the tape if an input asks for it; return whether it was."""
    members = inputs[0] if op.is_list else inputs
    edges, ports, mask = _edges(members)
    if not mask:
        return False
    plan = op.plan(0 if op.is_list or op.joint is not None else mask)
    if plan.calls == ():
        return False
    if not any_float(outputs):
        return False
    node = new(Node)
    node.op = op
    node.plan = plan
    node.edges = tuple(edges)
    node.ports = tuple(ports) if ports else None
    node.hooks = None
    node.poison = ""
    node.seq = tick()
    node.saved = _saved(op, plan, (tuple(members),) if op.is_list else inputs, outputs, attrs)
    settle(node, outputs)
    return True


def any_float(outputs: tuple[TensorBase, ...]) -> bool:
    """Tell whether a gradient can come back to one of these."""
    if outputs[0]._a.dtype.kind in "fc":
        return True
    return any(out._a.dtype.kind in "fc" for out in outputs)


def settle(node: Node, outputs: tuple[TensorBase, ...]) -> None:
    """Let ``outputs`` come from ``node``, as far as a gradient can come back to them."""
    shapes, kinds = [], []
    for port, out in enumerate(outputs):
        a = out._a
        shapes.append(a.shape)
        kinds.append(a.dtype)
        if a.dtype.kind in "fc":
            out._node = node
            out._port = port
    if node.plan.many:
        node.shape, node.dtype = tuple(shapes), tuple(kinds)
    else:
        node.shape, node.dtype = shapes[0], kinds[0]


def ports_of(inputs: tuple[Any, ...]) -> tuple[int, ...]:
    """Return which output of its node each input is; 0 where it is none."""
    return tuple([x._port if isinstance(x, TensorBase) else 0 for x in inputs])


def shapes_of(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the shape of each input, as gradients ask for it by ``<input>_shape``."""
    return tuple([_shape_of(x) for x in inputs])


def keep(plan: Plan, saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what is to be saved with the outputs among it as arrays: see ``SavedOutput``."""
    if len(plan.names) == 1:
        t = saved[0]
        one = SavedOutput(t._a, t._vc, plan.outputs[0][1])
        return one, one
    kept = list(saved)
    for i, port in plan.outputs:
        t = kept[i]
        kept[i] = SavedOutput(t._a, t._vc, port)
    return tuple(kept)


def _saved(
    op: Operation,
    plan: Plan,
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    attrs: tuple[Any, ...],
) -> tuple[Any, ...]:
    """Return what the gradients of a new node ask for."""
    if plan.pick is None:
        return ()
    shapes = shapes_of(inputs) if plan.shapes else ()
    count = len(op.outputs)
    # Where there are as many outputs as parts, none of them is saved: only places count.
    named = outputs if len(outputs) == count else (outputs * count)[:count]
    saved: tuple[Any, ...] = plan.pick(inputs + named + attrs + shapes)
    return keep(plan, saved) if plan.outputs else saved


def _shape_of(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return x._a.shape
    if type(x) is tuple:
        return shapes_of(x)
    return getattr(x, "shape", ())


def apply(op: Operation, inputs: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """Run an operation on tensors and return its result."""
    if op.is_list:
        arrays: list[Any] = [[_array(x) for x in inputs[0]]]
    else:
        arrays = [x._a if isinstance(x, TensorBase) else x for x in inputs]
    if op.adapt is not None:
        arrays = op.adapt(*arrays)
    try:
        result = op.kernel(*arrays, *attrs)
    except ValueError as error:
        if "could not be broadcast" not in str(error):
            raise
        raise broadcast_failed(op.name, arrays, error) from None
    if op.many:
        outputs = tuple([wrap(item) for item in result])
    else:
        outputs = (wrap(result),)
    if op.view:
        share(op, inputs[0], outputs[0], attrs)
    recorded = state.grad and op.differentiable and record(op, inputs, outputs, attrs)
    if graph.recorder is not None:
        named = dict(zip(op.attributes, attrs, strict=False))
        members = tuple(inputs[0]) if op.is_list else inputs
        graph.tell(op.name, members, named, outputs[: op.visible], recorded)
    if op.pack is not None:
        return op.pack(*outputs[: op.visible])
    return outputs[0] if op.visible == 1 else outputs[: op.visible]


def _array(x: Any) -> Any:
    return x._a if isinstance(x, TensorBase) else x


def share(op: Operation, source: TensorBase, out: TensorBase, attrs: tuple[Any, ...]) -> None:
    """Note that ``out`` is a view of ``source``."""
    if source._vc is not INFERENCE:
        out._vc = counter(source)
    view = source._view
    if view is None:
        out._view = View(source, ((op, attrs),), tick())
    else:
        out._view = View(view.base, (*view.chain, (op, attrs)), tick())
