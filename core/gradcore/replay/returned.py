"""What a replayed step returns, made of the arrays that it left."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from gradcore.graph import FREED, Node, TensorBase, counter, new, tick, wrap
from gradcore.replay.program import Number, Reading, Returned, Side, Worked


def rebuilt(item: Any, arrays: Any, made: dict[int, Any] | None = None) -> Any:
    """Return what the step returns, with new tensors on copies of ``arrays``.

    ``made``: the tensors that are there already, by their number, and by their memory's less one.
    """
    if isinstance(item, Number):
        number = next(arrays)
        return number.item() if hasattr(number, "item") else number
    if isinstance(item, Worked):
        return item[0](*[rebuilt(part, arrays, made) for part in item[1:]])
    if isinstance(item, (Side, Reading)):
        return item.now
    if isinstance(item, Returned):
        return _tensor(item, next(arrays), {} if made is None else made)
    made = {} if made is None else made
    if isinstance(item, (tuple, list)):
        return type(item)([rebuilt(part, arrays, made) for part in item])
    if isinstance(item, dict):
        return {key: rebuilt(part, arrays, made) for key, part in item.items()}
    return item


def _tensor(item: Returned, array: Any, made: dict[int, Any]) -> TensorBase:
    if item.number in made:
        found: TensorBase = made[item.number]
        return found
    beside = made.get(~item.memory)
    t: TensorBase = wrap(np.array(array) if beside is None else beside._a)
    if beside is not None:
        t._vc = counter(beside)
    if item.node is not None:
        t._node, t._port = passed(item.node), item.port
    made[item.number] = t
    made.setdefault(~item.memory, t)
    return t


def passed(node: Node) -> Node:
    """Return a node like ``node``, as backward leaves it behind."""
    made = new(Node)
    made.op, made.plan = node.op, node.plan
    made.edges, made.ports = node.edges, node.ports
    made.shape, made.dtype = node.shape, node.dtype
    made.hooks, made.poison = None, node.poison
    made.saved = FREED if node.saved else ()
    made.seq = tick()
    return made


def is_same(a: Any, b: Any) -> bool:
    """Tell whether two results are alike to the last bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, TensorBase):
        x, y = a._a, b._a
        same = x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes()
        return bool(same and (a._node is None) == (b._node is None))
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(is_same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(is_same, a.values(), b.values()))
    if is_dataclass(a):
        names = [one.name for one in fields(a)]
        return all(is_same(getattr(a, name), getattr(b, name)) for name in names)
    return bool(a == b or (a != a and b != b))
