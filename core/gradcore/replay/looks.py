"""Whether a number that a step takes out of a tensor is only handed out, not acted upon.

``return loss.item()`` is replayed: the number is worked out anew each time. But code that reads a
number may branch on it, and a recording holds one branch only. So from the first such look on, the
step is watched while it is recorded: its code may not branch, loop, nor call anything that could do
either. What is computed with the number shows when the recording is checked.
"""

import dis
import os
import sys
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_BRANCHES = ("POP_JUMP", "JUMP_IF", "JUMP_BACKWARD", "FOR_ITER", "SEND", "YIELD", "MATCH")
_OWN = "gradcore"
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@cache
def _branch_points(code: types.CodeType) -> tuple[int, ...]:
    """Return the offsets of instructions at which code may go more than one way."""
    found = []
    before = ""
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        # The way out of a ``with`` block that an error takes.
        if name.startswith(_BRANCHES) and before != "WITH_EXCEPT_START":
            found.append(instruction.offset)
        before = name
    return tuple(found)


def is_own(frame: types.FrameType) -> bool:
    """Tell whether code is the library's: from its files, or written by itself."""
    name = frame.f_globals.get("__name__")
    if name is None:
        return frame.f_code.co_filename.startswith((_FOLDER, "<gradients>", "<replay>"))
    return isinstance(name, str) and name.partition(".")[0] == _OWN


def _is_numpys(frame: types.FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "numpy"


def _frames(outermost: types.CodeType) -> Iterator[types.FrameType]:
    """Yield the frames of the user's code, from the innermost to that of the step."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if not is_own(frame):
            yield frame
        if frame.f_code is outermost:
            return
        frame = frame.f_back


class Looks:
    """The numbers that a step has taken out, and what it does from then on."""

    def __init__(self, step: Callable[..., Any]) -> None:
        function = getattr(step, "__func__", step)
        self._code: types.CodeType | None = getattr(function, "__code__", None)
        self.numbers: list[tuple[Any, Any]] = []
        self.refused = ""

    def add(self, number: Any, value: Any) -> None:
        """Note a number and how it comes about."""
        self.numbers.append((number, value))
        if self._code is None or (len(self.numbers) == 1 and sys.getprofile() is not None):
            self._refuse("looks at the values of a tensor (item), on which it may depend")
            return
        for frame in _frames(self._code):
            points = _branch_points(frame.f_code)
            if any(offset > frame.f_lasti for offset in points):
                self._refuse(
                    "looks at the values of a tensor (item), on which it may depend: "
                    f"`{frame.f_code.co_name}` has a branch or a loop after that"
                )
                return
        if len(self.numbers) == 1:
            sys.setprofile(self._watch)

    def _refuse(self, why: str) -> None:
        self.refused = self.refused or why

    def _watch(self, frame: types.FrameType, event: str, argument: Any) -> None:
        """Note calls that may act on a number: of the user's functions, and of Python's own."""
        if event == "call" and not is_own(frame) and self._comes_from_user(frame):
            self._refuse(f"calls `{frame.f_code.co_name}` after it has taken a number (item)")
        elif event == "c_call" and not is_own(frame):
            name = getattr(argument, "__name__", "?")
            if getattr(argument, "__module__", None) is not None and self._is_step_code(frame):
                self._refuse(f"calls `{name}` after it has taken a number (item)")

    def _comes_from_user(self, frame: types.FrameType) -> bool:
        """Tell whether a function was called by the user's code, not from inside the library."""
        if str(frame.f_globals.get("__name__")).startswith("namedtuple_"):
            return False
        back = frame.f_back
        while back is not None and _is_numpys(back):
            back = back.f_back
        return back is None or not is_own(back)

    def _is_step_code(self, frame: types.FrameType) -> bool:
        name = frame.f_globals.get("__name__", "")
        top = name.partition(".")[0] if isinstance(name, str) else ""
        return top not in ("numpy", _OWN) and top not in sys.stdlib_module_names

    def end(self) -> None:
        """Stop watching."""
        if sys.getprofile() == self._watch:
            sys.setprofile(None)

    def value_of(self, number: Any) -> Any:
        """Return how a number comes about; None if it was not taken out."""
        for known, value in self.numbers:
            if number is known:
                return value
        return None
