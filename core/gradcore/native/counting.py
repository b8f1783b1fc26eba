"""How native optimizers count their writes: noted at once, told to the tensors when one is asked.

To go through the counters of a hundred tensors takes longer than to step a small model. A counter
of class ``Pending`` knows its group, and is brought up to date by whoever first reads it.
"""

from typing import Any

from gradcore.graph import INFERENCE, Counter, TensorBase, counter, tick

_SLOTS: Any = vars(Counter)
_WHERE = _SLOTS["where"]
_NAMES = ("count", "stamp", "what", "where")


def _reading(name: str) -> property:
    slot = _SLOTS[name]

    def read(self: Any) -> Any:
        _settle(self)
        return slot.__get__(self)

    def write(self: Any, value: Any) -> None:
        _settle(self)
        slot.__set__(self, value)

    return property(read, write)


class Pending(Counter):
    """A counter that is behind: its group knows by how much."""

    __slots__ = ()
    count, stamp, what, where = map(_reading, _NAMES)


def _settle(one: Pending) -> None:
    steps = _WHERE.__get__(one)
    if type(steps) is Steps:
        steps.tell()


class Steps:
    """The steps of an optimizer over some tensors, and the counters that may not know of them."""

    def __init__(self, tensors: list[TensorBase]) -> None:
        found = {id(one): one for one in map(counter, tensors) if one is not INFERENCE}
        self._counters = list(found.values())
        self._count = self._stamp = 0
        self._is_pending = False

    def add(self, times: int) -> None:
        """Note that all tensors were written so many times."""
        self._count += times
        self._stamp = tick()
        if not self._is_pending:
            self._is_pending = True
            for one in self._counters:
                # Another group may have been behind with it.
                one.what = "step"
                _WHERE.__set__(one, self)
                one.__class__ = Pending  # the layout is the same

    def tell(self) -> None:
        """Bring the counters up to date."""
        count, self._count, self._is_pending = self._count, 0, False
        for one in self._counters:
            if type(one) is Pending and _WHERE.__get__(one) is self:
                one.__class__ = Counter  # type: ignore[assignment]  # it is one no more
                one.count += count
                one.stamp, one.where = self._stamp, ""
