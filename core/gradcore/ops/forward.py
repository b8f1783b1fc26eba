"""What an operation does when it is called, written out as text for each number of inputs.

A call has to find out which inputs are tensors and which of them lead back to something that is
trained. Written out, that takes no list that is thrown away and no loop over two or three inputs.
What else an entry has (other outputs, a cast, a view) decides which lines there are. Operations
that agree in all that share one text, which is made when the first of them is called.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.graph import INFERENCE, Node, TensorBase, new, state, tick, wrap
from gradcore.ops.entry import Operation
from gradcore.ops.numbers import broadcast_failed
from gradcore.ops.tape import (
    any_float,
    current_node,
    keep,
    ports_of,
    settle,
    shapes_of,
    share,
)

Run = Callable[..., Any]
# Where tracebacks and recorders ask, the text belongs to this folder.
_PLACE = __file__.removesuffix(".py") + ".text"
_SPACE: dict[str, Any] = {
    "__name__": __name__, "graph": graph, "TensorBase": TensorBase, "Node": Node, "new": new,
    "wrap": wrap, "ndarray": np.ndarray, "asarray": np.asarray, "state": state, "tick": tick,
    "INFERENCE": INFERENCE, "refuse_inference": graph.refuse_inference, "keep": keep,
    "ports_of": ports_of, "shapes_of": shapes_of, "settle": settle, "share": share,
    "current_node": current_node, "broadcast_failed": broadcast_failed, "any_float": any_float,
}  # fmt: skip

_START = """
def make(op, kernel, adapt, plain, plans, name, visible, pack):
  def run({inputs}, *attributes):
    {are_tensors}
    if not ({any_tensor}): return plain({inputs}, *attributes)
    {arrays}
    {cast}
    try:
        result = kernel({given}, *attributes)
    except ValueError as error:
        if "could not be broadcast" not in str(error): raise
        raise broadcast_failed(name, ({given},), error) from None"""
_ONE = """
    t = new(graph.TENSOR)
    t._a = a = result if type(result) is ndarray else asarray(result)
    t._node = t._grad = t._view = t._more = t._vc = None
    t._port = 0
    t._rg = False"""
_MANY = """
    outputs = tuple([wrap(item) for item in result])"""
_VIEW = """
    if state.inference: t._vc = INFERENCE
    share(op, x0, t, attributes)"""
_EDGE = """
        e{i} = None
        if is{i}:
            e{i} = x{i}._node if x{i}._view is None else current_node(x{i})
            if e{i} is not None:
                mask |= {bit}
                ports |= x{i}._port
            elif x{i}._rg:
                e{i} = x{i}
                mask |= {bit}"""
_NODE = """
        if mask:
            plan = plans[mask]
            if plan is None: plan = plans[mask] = op.plan(0 if op.joint is not None else mask)
            if plan.calls != () and {is_float}:
                if {in_inference}: refuse_inference()
                node = new(Node)
                node.op = op
                node.plan = plan
                node.edges = ({edges},)
                node.ports = ports_of(({inputs},)) if ports else None
                node.hooks = None
                node.poison = ""
                node.seq = tick()
                pick = plan.pick
                if pick is None: node.saved = ()
                elif plan.shapes:
                    node.saved = pick(({inputs}, {outputs}, *attributes, *shapes_of(({inputs},))))
                else: node.saved = pick(({inputs}, {outputs}, *attributes))
                if plan.outputs: node.saved = keep(plan, node.saved)
                {settle}
                recorded = True"""
_ONE_RESULT = {
    "is_float": 'a.dtype.kind in "fc"',
    "outputs": "t",
    "settle": "t._node = node; node.shape = a.shape; node.dtype = a.dtype",
}
_MANY_RESULTS = {
    "is_float": "any_float(outputs)", "outputs": "*outputs", "settle": "settle(node, outputs)",
}  # fmt: skip
_GIVEN = (
    "pack(*outputs[:visible]) if pack is not None else "
    "outputs[0] if visible == 1 else outputs[:visible]"
)
_END = """
    if graph.recorder is not None:
        named = dict(zip(op.attributes, attributes, strict=False))
        graph.tell(name, ({inputs},), named, {seen}, recorded)
    return {given_back}
  return run
"""


@functools.cache
def _maker(
    count: int, is_many: bool, casts: bool, is_view: bool, is_followed: bool
) -> Callable[..., Run]:
    """Return the function that makes a run from an entry with so many inputs.

    ``is_many``: it has several outputs; ``casts``: it adapts its inputs; ``is_followed``: it has a
    gradient.
    """
    numbers = range(count)
    names = {
        "inputs": ", ".join(f"x{i}" for i in numbers),
        "given": ", ".join(f"a{i}" for i in numbers),
        "edges": ", ".join(f"e{i}" for i in numbers),
    }
    lines = [
        _START.format(
            are_tensors="; ".join(f"is{i} = isinstance(x{i}, TensorBase)" for i in numbers),
            any_tensor=" or ".join(f"is{i}" for i in numbers),
            arrays="; ".join(f"a{i} = x{i}._a if is{i} else x{i}" for i in numbers),
            cast=f"{names['given']}, = adapt({names['given']})" if casts else "",
            **names,
        ),
        _MANY if is_many else _ONE,
        _VIEW if is_view else "",
        "    recorded = False",
    ]
    if is_followed:
        in_inference = " or ".join(f"is{i} and x{i}._vc is INFERENCE" for i in numbers)
        result = _MANY_RESULTS if is_many else _ONE_RESULT
        lines += ["    if state.grad:", "        mask = ports = 0"]
        lines += [_EDGE.format(i=i, bit=1 << i) for i in numbers]
        lines.append(_NODE.format(in_inference=in_inference, **result, **names))
    if not is_many and not is_view:
        lines.append("    if state.inference: t._vc = INFERENCE")
    seen, given = ("outputs[:visible]", _GIVEN) if is_many else ("(t,)", "t")
    lines.append(_END.format(seen=seen, given_back=given, **names))
    space = dict(_SPACE)
    exec(compile("\n".join(lines), _PLACE, "exec"), space)
    made: Callable[..., Run] = space["make"]
    return made


def written_out(op: Operation, plain: Run) -> Run:
    """Return ``run(*arguments)`` of an entry, which takes all arguments by position.

    ``plain`` is what it does where no input is a tensor.
    """
    count = len(op.inputs)
    make = _maker(count, op.many, op.adapt is not None, op.view, op.differentiable)
    plans = [None] * (1 << count)
    made: Run = make(op, op.kernel, op.adapt, plain, plans, op.name, op.visible, op.pack)
    return made
