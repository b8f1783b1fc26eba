"""Functions of Python's own that a step calls, followed while it is recorded.

Mathematics on numbers that were taken is noted, single random numbers are drawn anew by each
replay, and whatever else acts on the world, or reads it, refuses the recording: as ``print`` does.
Branches that do not reach such calls are replayed.
"""

import builtins
import math
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Protocol

import numpy as np

from gradcore.journal import Noted
from gradcore.replay.looks import is_own
from gradcore.replay.numbers import Book, how, plain, worked_out
from gradcore.replay.program import Number, Reading, Side, Worked, parts_of
from gradcore.replay.slots import Place, purge

_MATH = {name: found for name, found in vars(math).items() if callable(found)}
STREAMS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "random": (random.getstate, random.setstate),
    "numpy.random": (np.random.get_state, np.random.set_state),
}
"""How the place of each stream of random numbers is asked for, and set."""


class _Now(Place):
    """Where a number that was drawn for this step stands."""

    __slots__ = ()

    def get(self) -> Any:
        """Return it."""
        return self.container.now


class Draw(Side):
    """A number that is drawn anew as each step begins."""

    __slots__ = ("_function", "_trees", "stream")

    def __init__(
        self, function: Callable[..., Any], trees: list[Any], stream: str, number: Any
    ) -> None:
        super().__init__(_Now(self, None), (), number)
        self._function, self._trees, self.stream = function, trees, stream

    @property
    def needs_tensors(self) -> bool:
        """Tell whether it is drawn by a number that was taken out of a tensor."""
        parts = parts_of(Worked((None, *self._trees)))
        return any(isinstance(part, (Number, Reading)) for part in parts)

    def fetch(self, inputs: Any) -> bool:
        """Draw it; False: it is no number of that kind any more."""
        self.now = self._function(*[worked_out(tree, {}) for tree in self._trees])
        return type(self.now) is self.kind


class _Listener(Protocol):
    book: Book

    def draws_number(self, draw: Draw) -> Any:
        """Return a number that notes what is done with the one that was drawn."""


@contextmanager
def followed(
    listener: _Listener, mentioned: set[str], functions: list[tuple[Place, str]]
) -> Iterator[None]:
    """Follow mathematics, and the functions in places, inside the ``with`` block.

    ``mentioned``: the names in the step's code; with each place, the name its function goes by.
    """
    book, thread = listener.book, get_ident()
    put: list[tuple[Place, Any]] = []

    def stand(place: Place, function: Callable[..., Any]) -> None:
        put.append((place, place.get()))
        place.put(function)

    try:
        stand(Place(vars(builtins), "round"), _noting(round, book, thread))
        for name in mentioned & _MATH.keys():
            stand(Place(vars(math), name), _noting(_MATH[name], book, thread))
        for place, label in functions:
            function = place.get()
            stream = label.rpartition(".")[0]
            if function in _MATH.values():
                stand(place, _noting(function, book, thread))
            elif stream in STREAMS:
                stand(place, _drawing(function, listener, thread, label))
            else:
                stand(place, _refusing(function, book, thread, label))
        yield
    finally:
        for place, function in reversed(put):
            place.put(function)


def _noting(function: Any, book: Book, thread: int) -> Callable[..., Any]:
    """Return a function that notes what it makes of numbers that were taken."""

    def call(*args: Any, **named: Any) -> Any:
        if named or thread != get_ident() or not any(isinstance(item, Noted) for item in args):
            return function(*args, **named)
        found = function(*map(plain, args))
        tree = Worked((function, *map(how, args)))
        if type(found) is bool:
            return book.ask(tree, found)
        if type(found) not in (int, float):
            book.refuse(f"works by `{function.__name__}` with a number that it has taken")
        return book.take(found, tree)

    return call


def _drawing(function: Any, listener: _Listener, thread: int, label: str) -> Callable[..., Any]:
    """Return a function that notes that a number is drawn."""

    def call(*args: Any, **named: Any) -> Any:
        if thread != get_ident() or is_own(sys._getframe(1)):
            return function(*args, **named)
        found = function(*map(plain, args), **named)
        if named or type(found) not in (int, float):
            listener.book.refuse(f"draws more than a number by `{label}`: draw by torch instead")
            return found
        stream = label.rpartition(".")[0]
        return listener.draws_number(Draw(function, [*map(how, args)], stream, found))

    return call


def _refusing(function: Any, book: Book, thread: int, label: str) -> Callable[..., Any]:
    """Return a function that refuses the recording: nobody knows what it does."""

    def call(*args: Any, **named: Any) -> Any:
        if thread == get_ident() and not is_own(sys._getframe(1)):
            caller = sys._getframe(1).f_code.co_name
            book.refuse(f"`{caller}` calls `{label}`, which may do anything")
        return function(*map(purge, args), **{key: purge(item) for key, item in named.items()})

    return call
