"""The arguments of a step: the tensors and numbers in them, and what calls have in common.

Tensors stand for themselves in a recording; all else is part of the key under which it is kept.
Numbers that are other ones at nearly every call become free: a recording takes them as they come.
"""

import dis
import types
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from gradcore.graph import INFERENCE, TensorBase
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.optim.optimizer import Optimizer
from gradcore.tensor import Tensor

_PLAIN = (bool, int, float, str, type(None))
_SEQUENCES = (tuple, list)
_TENSORS = (Tensor, Parameter)
DIFFERENT = 3
"""So many values of a number are recorded one by one before it becomes free."""


class Arguments:
    """How the arguments of one function are taken apart."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._unused = _unused(function)
        self.free: set[Any] = set()
        self._met: dict[Any, set[Any]] = {}

    def flat(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Sequence[Any], Any]:
        """Return the tensors and numbers in arguments, and their key; None: not understood."""
        leaves: list[Any] = []
        parts: list[Any] = []
        places = [*range(len(args)), *kwargs]
        for place, item in zip(places, [*args, *kwargs.values()], strict=True):
            kind = type(item)
            if kind is float or kind is int:
                leaves.append(item)
                parts.append(kind if self._is_free(place, item) else (kind, repr(item)))
            elif place in self._unused and not isinstance(item, TensorBase):
                leaves.append(None)
                parts.append("unused")
            elif not _add(item, leaves, parts, 0):
                return leaves, None
        arrays = [id(item._a) for item in leaves if isinstance(item, TensorBase)]
        if len(set(arrays)) != len(arrays):
            return leaves, None
        return leaves, (*parts, *kwargs) if kwargs else tuple(parts)

    def _is_free(self, place: Any, item: Any) -> bool:
        if place in self.free:
            return True
        met = self._met.setdefault(place, set())
        met.add(item)
        if len(met) <= DIFFERENT:
            return False
        self.free.add(place)
        return True

    def with_numbers(
        self, args: Sequence[Any], kwargs: dict[str, Any], leaves: Sequence[Any], make: Any
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments with what ``make`` gives for the free numbers among them."""
        given, named = list(args), dict(kwargs)
        for place in self.free:
            holder: Any = named if isinstance(place, str) else given
            if place in named or (isinstance(place, int) and place < len(given)):
                number = holder[place]
                if type(number) in (int, float):
                    at = next(i for i, item in enumerate(leaves) if item is number)
                    holder[place] = make(at, number)
        return given, named


def _add(item: Any, leaves: list[Any], parts: list[Any], depth: int) -> bool:
    """Add one argument; False where it is none that is understood."""
    if isinstance(item, TensorBase):
        a = item._a
        if item._rg or item._vc is INFERENCE or type(item) not in _TENSORS or item.__dict__:
            return False
        leaves.append(item)
        has = (item._node is not None, item._grad is not None)
        parts.append((a.shape, a.dtype, a.strides, *has))
        return True
    kind = type(item)
    if kind in _PLAIN:
        parts.append((kind, repr(item) if kind is float else item))
        return True
    if isinstance(item, (Module, Optimizer)):
        parts.append(_Same(item))
        return True
    if depth > 4:
        return False
    if kind in _SEQUENCES or (isinstance(item, (tuple, list)) and not hasattr(item, "__dict__")):
        parts.append((kind, len(item)))
        return all(_add(part, leaves, parts, depth + 1) for part in item)
    if kind is dict and all(type(key) is str for key in item):
        parts.append((dict, *item))
        return all(_add(part, leaves, parts, depth + 1) for part in item.values())
    return False


class _Same:
    """A part of a key: this very object, which it keeps alive."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def objects_in(key: Any) -> list[Any]:
    """Return the objects that a key names."""
    return [part.thing for part in key if isinstance(part, _Same)]


def _unused(function: Any) -> set[Any]:
    """Return places and names of the arguments that a function never reads."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if not isinstance(code, types.CodeType):
        return set()
    first = isinstance(function, types.MethodType)
    names = code.co_varnames[: code.co_argcount]
    unread = {name for name in names if name not in _read(code)}
    return unread | {number - first for number, name in enumerate(names) if name in unread}


@cache
def _read(code: types.CodeType) -> frozenset[str]:
    found = set(code.co_cellvars)
    for instruction in dis.get_instructions(code):
        if "FAST" in instruction.opname and isinstance(instruction.argval, (str, tuple)):
            argument = instruction.argval
            found |= {argument} if isinstance(argument, str) else set(argument)
    return frozenset(found)
