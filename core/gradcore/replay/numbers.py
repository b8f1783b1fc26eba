"""Numbers that a step takes out of tensors, or is given: what it does with them is recorded.

While a step is recorded, ``item()`` hands out a number that notes what is worked out with it. A
comparison is a question, which each replay asks anew: there the step may branch.
"""

import math
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.journal import Noted
from gradcore.journal import plain as plain
from gradcore.replay.looks import is_own
from gradcore.replay.program import Number, Reading, Side, Value, Worked

_KINDS = (bool, int, float)
_BY_NUMPY = "works by NumPy with a number that is another one in each step"
_DIVIDING = (operator.truediv, operator.floordiv, operator.mod)


class Book:
    """Where numbers note what becomes of them, as long as a recording is made.

    ``ask(how, answer)`` notes a question, ``refuse`` what cannot be followed, ``leave`` a plain
    number that Python itself has made of one.
    """

    def __init__(
        self,
        ask: Callable[[Any, Any], None],
        refuse: Callable[[str], None],
        leave: Callable[[Any, Any], None],
    ) -> None:
        self._ask, self._refuse, self._leave = ask, refuse, leave
        self.is_open = True
        # What the library itself has taken for a number: its operations tell of that, others not.
        self.unseen: list[tuple[Any, Any]] = []

    def take(self, number: Any, how: Any) -> Any:
        """Return a number that notes what is done with it."""
        if not self.is_open or type(number) not in (int, float):
            return number
        return (TakenFloat if type(number) is float else TakenInt)(number, how, self)

    def leave(self, number: Any, how: Any) -> None:
        """Note a plain number that is one taken: it is known by its identity alone."""
        if self.is_open:
            self._leave(number, how)

    def ask(self, how: Any, answer: Any) -> Any:
        """Note a question, and return its answer."""
        if self.is_open:
            self._ask(how, answer)
        return answer

    def refuse(self, why: str) -> None:
        """Note that a number leaves where it cannot be followed."""
        if self.is_open:
            self._refuse(why)


def how(item: Any) -> Any:
    """Return how a number comes about: a `Worked`, a `Number`, or itself."""
    return item.how if isinstance(item, _Taken) else item


def _is_number(item: Any) -> bool:
    return type(item) in _KINDS or isinstance(item, _Taken)


def _other(self: Any, item: Any) -> Any:
    """Return what arithmetic with something that is no number gives: NumPy's are not followed."""
    if isinstance(item, np.generic):
        self.book.refuse(_BY_NUMPY)
    return NotImplemented


def _arithmetic(function: Callable[..., Any]) -> tuple[Any, Any]:
    def forward(self: Any, other: Any) -> Any:
        if not _is_number(other):
            return _other(self, other)
        return _work(function, self, other, self.book)

    def backward(self: Any, other: Any) -> Any:
        if not _is_number(other):
            return _other(self, other)
        return _work(function, other, self, self.book)

    return forward, backward


def _work(function: Callable[..., Any], a: Any, b: Any, book: Book) -> Any:
    if function in _DIVIDING and isinstance(b, _Taken):
        book.ask(Worked((operator.ne, b.how, 0)), plain(b) != 0)
    if function is operator.pow:
        book.ask(Worked((operator.gt, how(a), 0)), plain(a) > 0)
    return book.take(function(plain(a), plain(b)), Worked((function, how(a), how(b))))


def _comparison(function: Callable[..., Any]) -> Any:
    def compare(self: Any, other: Any) -> Any:
        if not _is_number(other):
            return _other(self, other)
        answer = function(plain(self), plain(other))
        return self.book.ask(Worked((function, self.how, how(other))), answer)

    return compare


def _single(function: Callable[..., Any]) -> Any:
    def work(self: Any) -> Any:
        return self.book.take(function(plain(self)), Worked((function, self.how)))

    return work


def _guarded(function: Callable[..., Any]) -> Any:
    """What gives something that cannot be followed is a question for that very thing."""

    def leave(self: Any, *args: Any) -> Any:
        answer = function(plain(self), *args)
        return self.book.ask(Worked((function, self.how, *args)), answer)

    return leave


def _text(function: Callable[..., Any]) -> Any:
    def write(self: Any, *args: Any) -> Any:
        self.book.refuse("makes text of a number that it has taken out of a tensor")
        return function(plain(self), *args)

    return write


def _is_called_by_library(frame: types.FrameType | None) -> bool:
    """Tell whether NumPy was called from inside the library, perhaps through its own Python."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] != "numpy":
            return is_own(frame)
        frame = frame.f_back
    return False


def _is_used_by_library(frame: types.FrameType) -> bool:
    """Tell whether the library takes a number for itself, not for ``float(tensor)``."""
    return _is_called_by_library(frame) and frame.f_code.co_name not in ("__float__", "__int__")


def _stripped(item: Any) -> Any:
    if type(item) in (tuple, list):
        return type(item)([_stripped(part) for part in item])
    return plain(item)


class _Taken(Noted):
    """What both kinds of numbers do.

    They are no floats and integers, though they say so: NumPy and Python's own functions, as
    ``range``, would take the number of such unseen. So they have to ask for it.
    """

    __slots__ = ("book", "how")

    def __init__(self, number: Any, how: Any, book: Book) -> None:
        self.number, self.how, self.book = number, how, book

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.number, name)
        self.book.ask(self.how, self.number)
        return found

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.book.ask(self.how, self.number)
        return np.asarray(self.number, dtype)

    __add__, __radd__ = _arithmetic(operator.add)
    __sub__, __rsub__ = _arithmetic(operator.sub)
    __mul__, __rmul__ = _arithmetic(operator.mul)
    __truediv__, __rtruediv__ = _arithmetic(operator.truediv)
    __floordiv__, __rfloordiv__ = _arithmetic(operator.floordiv)
    __mod__, __rmod__ = _arithmetic(operator.mod)
    __pow__, __rpow__ = _arithmetic(operator.pow)
    __neg__, __pos__, __abs__ = _single(operator.neg), _single(operator.pos), _single(abs)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)
    __hash__ = _guarded(hash)
    __bool__ = _guarded(bool)
    __int__: Any = _guarded(int)
    __trunc__ = _guarded(int)
    __round__ = _guarded(round)
    __divmod__ = _guarded(divmod)
    __str__, __repr__, __format__ = _text(str), _text(repr), _text(format)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        # NumPy takes only numbers of exactly Python's types for what they are. Inside of an
        # operation that is all; its recording knows the number. Elsewhere nobody would.
        if not _is_called_by_library(sys._getframe(1)):
            self.book.refuse(_BY_NUMPY)
        self.book.unseen += [(one.how, one.number) for one in inputs if isinstance(one, _Taken)]
        return getattr(ufunc, method)(*map(plain, inputs), **options)

    def __array_function__(self, function: Any, kinds: Any, args: Any, options: Any) -> Any:
        if not _is_called_by_library(sys._getframe(1)):
            self.book.refuse(_BY_NUMPY)
        given = [*args, *options.values()]
        self.book.unseen += [(one.how, one.number) for one in given if isinstance(one, _Taken)]
        named = {key: _stripped(value) for key, value in options.items()}
        return function(*map(_stripped, args), **named)

    def __float__(self) -> float:
        if _is_used_by_library(sys._getframe(1)):
            self.book.ask(self.how, self.number)
            return float(self.number)
        # Python asks for a float that is nothing but that: it is known by its identity.
        number = float(self.number) + 0.0
        self.book.leave(number, self.how)
        return number

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self.number), (self.number,)


class TakenFloat(_Taken):
    """A float that notes what is worked out with it."""

    __slots__ = ()
    __class__ = float  # type: ignore[assignment]  # as ``isinstance`` is to find it
    __floor__, __ceil__ = _guarded(math.floor), _guarded(math.ceil)


class TakenInt(_Taken):
    """A whole number that notes what is worked out with it."""

    __slots__ = ()
    __class__ = int  # type: ignore[assignment]  # as ``isinstance`` is to find it
    __index__ = _guarded(int)
    __floor__ = __ceil__ = _single(operator.pos)

    def __int__(self) -> int:
        number: int = self.number
        if _is_used_by_library(sys._getframe(1)):
            self.book.ask(self.how, number)
        else:
            self.book.leave(number, self.how)
        return number

    __and__, __rand__ = _arithmetic(operator.and_)
    __or__, __ror__ = _arithmetic(operator.or_)
    __xor__, __rxor__ = _arithmetic(operator.xor)
    __lshift__, __rlshift__ = _arithmetic(operator.lshift)
    __rshift__, __rrshift__ = _arithmetic(operator.rshift)
    __invert__ = _single(operator.invert)


def numbers_in(tree: Any) -> list[Value]:
    """Return the values that a number is worked out of."""
    if isinstance(tree, Number):
        return [tree.value]
    if isinstance(tree, Worked):
        return [value for part in tree[1:] for value in numbers_in(part)]
    return []


class Evaluate:
    """Works a number out of the arrays, or numbers, that it depends on."""

    __slots__ = ("_tree", "_values")

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self._values = list(dict.fromkeys(numbers_in(tree)))

    @property
    def values(self) -> list[Value]:
        """The values it is to be given."""
        return self._values

    def __call__(self, *given: Any) -> Any:
        """Return the number."""
        return worked_out(self._tree, dict(zip(self._values, given, strict=True)))


def worked_out(tree: Any, found: dict[Value, Any]) -> Any:
    """Return a number from what it is worked out of."""
    if isinstance(tree, Number):
        item = found[tree.value]
        return item.item() if hasattr(item, "item") else item
    if isinstance(tree, Worked):
        return tree[0](*[worked_out(part, found) for part in tree[1:]])
    return tree.now if isinstance(tree, (Side, Reading)) else tree
