"""What optimizers keep for their tensors, in dictionaries that count every change.

Replayed steps, and the blocks in which state stands, rely on finding it as they left it. To look up
every entry before each step would cost more than the step; they ask the one count instead.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

edits = [0]
"""How often the state of any optimizer has been changed so far, the tensors in it left aside."""
_CHANGING = (
    "__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"
)  # fmt: skip


def _counting(base: type) -> Callable[[type], type]:
    """Let a class count the calls of every method that changes a dictionary."""

    def method(name: str) -> Callable[..., Any]:
        change = getattr(base, name)

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            edits[0] += 1
            return change(self, *args, **kwargs)

        call.__name__ = name
        call.__doc__ = change.__doc__
        return call

    def decorate(kind: type) -> type:
        for name in _CHANGING:
            setattr(kind, name, method(name))
        return kind

    return decorate


@_counting(dict)
class State(dict[str, Any]):
    """The state of one tensor."""

    __slots__ = ()


@_counting(defaultdict)
class States(defaultdict[Any, dict[str, Any]]):
    """The state of all tensors of an optimizer."""

    __slots__ = ()

    def __init__(self, factory: Any = State, *entries: Any) -> None:
        super().__init__(factory, *entries)

    def __repr__(self) -> str:
        return repr(defaultdict(dict, self))


def is_watched(states: Any) -> bool:
    """Tell whether every change of these states is counted."""
    return type(states) is States and all(type(one) is State for one in states.values())
