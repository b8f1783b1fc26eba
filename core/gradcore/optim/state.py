"""What optimizers keep for their tensors, in dictionaries that count every change.

Replayed steps, and the blocks in which state stands, rely on finding it as they left it. To look up
every entry before each step would cost more than the step; they ask the one count instead.
"""

from collections import defaultdict
from typing import Any

from gradcore.counting import counting

edits = [0]
"""How often the state of any optimizer has been changed so far, the tensors in it left aside."""


def _count() -> None:
    edits[0] += 1


@counting(dict, _count)
class State(dict[str, Any]):
    """The state of one tensor."""

    __slots__ = ()


@counting(defaultdict, _count)
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
