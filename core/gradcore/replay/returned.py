"""What a replayed step returns, made of the arrays that it left."""

from typing import Any

import numpy as np

from gradcore.graph import FREED, Node, new, tick, wrap
from gradcore.replay.program import Number, Returned


def rebuilt(item: Any, arrays: Any) -> Any:
    """Return what the step returns, with new tensors on copies of ``arrays``."""
    if isinstance(item, Number):
        return next(arrays).item()
    if isinstance(item, Returned):
        t = wrap(np.array(next(arrays)))
        if item.node is not None:
            t._node, t._port = _passed(item.node), item.port
        return t
    if isinstance(item, (tuple, list)):
        return type(item)([rebuilt(part, arrays) for part in item])
    if isinstance(item, dict):
        return {key: rebuilt(part, arrays) for key, part in item.items()}
    return item


def _passed(node: Node) -> Node:
    """Return a node like ``node``, as backward leaves it behind."""
    made = new(Node)
    made.op, made.plan = node.op, node.plan
    made.edges, made.ports = node.edges, node.ports
    made.shape, made.dtype = node.shape, node.dtype
    made.hooks, made.poison = None, node.poison
    made.saved = FREED if node.saved else ()
    made.seq = tick()
    return made


def gather(result: Any, item: Any, tensors: list[Any]) -> None:
    """Add to ``tensors`` what ``result`` holds in the places that ``item`` names."""
    if isinstance(item, Returned):
        tensors.append(result._a)
    elif isinstance(item, Number):
        tensors.append(result)
    elif isinstance(item, (tuple, list)):
        for part, like in zip(result, item, strict=True):
            gather(part, like, tensors)
    elif isinstance(item, dict):
        for key, like in item.items():
            gather(result[key], like, tensors)
