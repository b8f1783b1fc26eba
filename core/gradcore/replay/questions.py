"""What a recorded step does by values anew each time: the questions it asks, the numbers it draws.

Stand-ins cannot follow either, so both stay one call when a program is inlined.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.journal import Moving
from gradcore.replay.finite import finite
from gradcore.replay.inline import UntraceableError, expect


class Asked:
    """A question whose answer must be the recorded one: else the step is given up."""

    __slots__ = ("_answer", "_function")
    is_question = True

    def __init__(self, function: Callable[..., Any], answer: Any) -> None:
        self._function, self._answer = function, answer

    def __call__(self, *arrays: Any) -> None:
        """Ask again; what the question itself raises gives the step up, too."""
        if self._function(*map(_plain, arrays)) != self._answer:
            raise UntraceableError


class Drawn:
    """A draw of random values from the stream that all share."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Return new values."""
        return self._function(*map(_plain, args), None)


class Key:
    """What stands between brackets, made of the numbers that are other ones in each step."""

    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        # Moving numbers in it are worked out of the values at these places.
        self._key = key

    def __call__(self, *numbers: Any) -> Any:
        """Return it for these numbers."""
        return _filled(self._key, iter(numbers))


def _filled(key: Any, numbers: Any) -> Any:
    if isinstance(key, Moving):
        return int(next(numbers))
    if type(key) is tuple:
        return tuple([_filled(part, numbers) for part in key])
    if type(key) is slice:
        return slice(*[_filled(part, numbers) for part in (key.start, key.stop, key.step)])
    return key


def moving_in(key: Any) -> list[Moving]:
    """Return the moving numbers in a key, in order."""
    if isinstance(key, Moving):
        return [key]
    if type(key) is slice:
        key = (key.start, key.stop, key.step)
    return [one for part in key for one in moving_in(part)] if type(key) is tuple else []


def settled(key: Any) -> Any:
    """Return a key with plain numbers in place of moving ones."""
    return _filled(key, iter(moving_in(key)))


class Picked:
    """The part of an array that a key selects, as a copy; other shapes give the step up."""

    __slots__ = ("_shape",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def __call__(self, a: Any, key: Any) -> Any:
        """Return it."""
        found = np.array(a[key])
        if found.shape != self._shape:
            raise UntraceableError
        return found


def _plain(item: Any) -> Any:
    # A stand-in counts as an array, but refuses to become one.
    return np.asarray(item) if isinstance(item, np.ndarray) else item


def is_doubtful(function: Any) -> bool:
    """Tell whether a call may give the step up."""
    return function is expect or function is finite or isinstance(function, (Asked, Picked))
