"""What a node saved, as its gradient functions get it: checked to be unchanged, then unpacked."""

from typing import Any

from gradcore import graph
from gradcore.errors import GraphFreedError
from gradcore.graph import FREED, Node, SavedOutput, TensorBase, wrap


def unpack(node: Node, as_tensors: bool) -> list[Any]:
    """Return what the node saved, as arrays or as tensors, after checking that it is unchanged."""
    saved = node.saved
    if saved is FREED:
        raise GraphFreedError(
            "Trying to backward through the graph a second time (or directly access saved tensors "
            "after they have already been freed). Saved intermediate values of the graph are freed "
            "when you call .backward() or autograd.grad().",
            f"At {node.name()}.",
            "Specify retain_graph=True if you need to backward through the graph a second time "
            "or if you need to access saved tensors after calling backward.",
        )
    if node.poison:
        graph.raise_modified(node, None, _first_shape(node), node.dtype)
    seq = node.seq
    plan = node.plan
    values = list(saved)
    for i in plan.tensors:
        item = values[i]
        if isinstance(item, TensorBase):
            vc = item._vc
            if vc is not None and vc.stamp > seq:
                graph.raise_modified(node, vc, item._a.shape, item._a.dtype)
            if not as_tensors:
                values[i] = item._a
        elif type(item) is tuple:
            values[i] = unpack_tuple(node, item, as_tensors)
    for i, _port in plan.outputs:
        item = values[i]
        if item.vc is not None and item.vc.stamp > seq:
            graph.raise_modified(node, item.vc, item.array.shape, item.array.dtype)
        values[i] = _output(node, item) if as_tensors else item.array
    return values


def _first_shape(node: Node) -> tuple[int, ...]:
    shape: tuple[Any, ...] = node.shape
    return shape[0] if shape and isinstance(shape[0], tuple) else shape


def _output(node: Node, item: SavedOutput) -> Any:
    """Return a saved output as the tensor it was, with this node as its history."""
    t = wrap(item.array)
    if item.array.dtype.kind in "fc":
        t._node = node
        t._port = item.port
    t._vc = item.vc
    return t


def unpack_tuple(node: Node, items: tuple[Any, ...], as_tensors: bool) -> tuple[Any, ...]:
    """Do the same with a list of tensors that the node saved."""
    out = []
    for item in items:
        if isinstance(item, TensorBase):
            vc = item._vc
            if vc is not None and vc.stamp > node.seq:
                graph.raise_modified(node, vc, item._a.shape, item._a.dtype)
            item = item if as_tensors else item._a
        out.append(item)
    return tuple(out)
