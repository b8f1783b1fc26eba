"""What a recorded step is: values, calls on them, and how the whole is run again.

Made by ``recording``, run by ``compiled``. A program computes loss and gradients on arrays; it
knows neither tensors' history nor Python's control flow, both of which are settled when it is made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gradcore.graph import Node, TensorBase, written


class RefusalError(Exception):
    """A step holds something that cannot be replayed; the text says what."""


@dataclass(frozen=True, slots=True)
class Value:
    """One array of a program, by its number."""

    index: int


@dataclass(slots=True)
class Call:
    """``results = function(*arguments)``.

    ``arguments`` and ``results`` are Values, constants, or tuples and lists of them; None among
    ``results`` is not wanted. ``writes`` is the value that the call writes in place.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    results: Any
    writes: Value | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Gradient:
    """What arrives at a leaf: stored as a new tensor (``fresh``) or added to the one it has."""

    leaf: TensorBase
    value: Value
    fresh: bool
    was_there: bool
    kept: bool


@dataclass(slots=True)
class Returned:
    """A tensor that the step returns: a copy of ``value`` with the recorded node's history.

    Those of one number are one tensor, and those of one memory look at the same copy.
    """

    value: Value
    node: Node | None
    port: int
    number: int = 0
    memory: int = 0


@dataclass(slots=True)
class Number:
    """A Python number that the step returns: the one value of ``value``."""

    value: Value


class Worked(tuple[Any, ...]):
    """A Python number that is worked out: a function, and what it is given."""

    __slots__ = ()


class Side:
    """A number that stands in a place of Python, or among the arguments, as a step begins.

    What is only counted, compared or stored never enters a program. ``place`` is the number of
    the argument, or where it stands; ``path`` leads into lists there.
    """

    __slots__ = ("kind", "now", "path", "place")

    def __init__(self, place: Any, path: tuple[int, ...], number: Any) -> None:
        self.place, self.path = place, path
        self.kind, self.now = type(number), number

    def fetch(self, inputs: Sequence[Any]) -> bool:
        """Look what it is now; False: it is no number of that kind any more."""
        if type(self.place) is int:
            self.now = inputs[self.place]
        else:
            self.now = self.place.get()
            for part in self.path:
                self.now = self.now[part]
        return type(self.now) is self.kind


class Reading:
    """A setting at one time of a step's end: after what was called before this."""

    __slots__ = ("now", "place")

    def __init__(self, place: Any) -> None:
        self.place = place
        self.now: Any = None

    def __call__(self) -> None:
        """Read it."""
        self.now = self.place.get()


def parts_of(tree: Any) -> list[Any]:
    """Return what a number is worked out of."""
    if isinstance(tree, Worked):
        return [part for branch in tree[1:] for part in parts_of(branch)]
    return [tree]


def with_values(tree: Any, value_of: Callable[[Side], Any]) -> Any:
    """Return how a number is worked out, with what ``value_of`` gives in place of each `Side`."""
    if isinstance(tree, Worked):
        return Worked((tree[0], *[with_values(part, value_of) for part in tree[1:]]))
    return value_of(tree) if isinstance(tree, Side) else tree


@dataclass(slots=True)
class Program:
    """A step, ready to be run on other values of the same shapes.

    Before gradients are stored, those of ``cleared`` leaves are taken away and those of ``zeroed``
    ones set to zero. ``layouts`` holds shape, dtype and whether it lies row by row of every array
    in it, ``strides`` its strides; arrays with the same number in ``roots`` share memory.
    """

    calls: list[Call] = field(default_factory=list)
    constants: dict[Value, Any] = field(default_factory=dict)
    inputs: dict[Value, int] = field(default_factory=dict)
    captured: dict[Value, TensorBase] = field(default_factory=dict)
    gradients: list[Gradient] = field(default_factory=list)
    cleared: list[TensorBase] = field(default_factory=list)
    zeroed: list[TensorBase] = field(default_factory=list)
    written: list[tuple[TensorBase, str]] = field(default_factory=list)
    late: list[tuple[Callable[..., Any], tuple[Any, ...]]] = field(default_factory=list)
    returned: Any = None
    draws: bool = False
    count: int = 0
    layouts: dict[Value, tuple[tuple[int, ...], Any, bool]] = field(default_factory=dict)
    strides: dict[Value, tuple[int, ...]] = field(default_factory=dict)
    roots: dict[Value, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Take away, or set to zero, the gradients that a step no longer needs."""
        for t in self.cleared:
            t._grad = None
        for t in self.zeroed:
            t._grad._a.fill(0)
            written(t._grad, "zero_", False)

    def copy(self) -> "Program":
        """Return a program whose calls and gradients may be changed without changing these."""
        calls = [replace(call) for call in self.calls]
        gradients = [replace(one) for one in self.gradients]
        return replace(self, calls=calls, gradients=gradients, constants=dict(self.constants))

    def rename(self, names: dict[Value, Value]) -> None:
        """Let what the step returns be other values."""
        self.returned = _renamed(self.returned, names)


def _renamed(item: Any, names: dict[Value, Value]) -> Any:
    if isinstance(item, Returned):
        return replace(item, value=names.get(item.value, item.value))
    if isinstance(item, Number):
        return Number(names.get(item.value, item.value))
    if isinstance(item, (tuple, list)):
        return type(item)([_renamed(part, names) for part in item])
    if type(item) is dict:
        return {key: _renamed(part, names) for key, part in item.items()}
    return item


def members(item: Any) -> list[Value]:
    """Return every Value in a nest of tuples and lists."""
    if isinstance(item, Value):
        return [item]
    if isinstance(item, (tuple, list)):
        return [value for part in item for value in members(part)]
    if isinstance(item, slice):
        return members((item.start, item.stop, item.step))
    return []


def returned_values(item: Any) -> list[Value]:
    """Return the values that a step hands out, in order."""
    if isinstance(item, (Returned, Number)):
        return [item.value]
    if isinstance(item, (tuple, list)):
        return [value for part in item for value in returned_values(part)]
    if isinstance(item, dict):
        return [value for part in item.values() for value in returned_values(part)]
    return []
