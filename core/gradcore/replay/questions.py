"""What a recorded step does by values anew each time: the questions it asks, the numbers it draws.

Stand-ins cannot follow either, so both stay one call when a program is inlined.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

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


def _plain(item: Any) -> Any:
    # A stand-in counts as an array, but refuses to become one.
    return np.asarray(item) if isinstance(item, np.ndarray) else item


def is_doubtful(function: Any) -> bool:
    """Tell whether a call may give the step up."""
    return function is expect or function is finite or isinstance(function, Asked)
