"""Warnings of the user's code, told at the user's own line.

A library names the frame that called it, and while a step is traced that frame is ours.
"""

import sys
import warnings
from types import FrameType
from typing import TextIO

from paramscope.engine.failures import is_own_file


def point_warnings_at_the_user() -> None:
    """Have each warning shown with the nearest frame outside this package, and only once."""
    seen: set[tuple[str, str]] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        key = (str(message), category.__name__)
        if key in seen:
            return
        seen.add(key)
        if is_own_file(filename):
            filename, lineno = _user_place(sys._getframe(1)) or (filename, lineno)
        text = warnings.formatwarning(message, category, filename, lineno, line)
        (file or sys.stderr).write(text)

    warnings.showwarning = show


def _user_place(frame: FrameType | None) -> tuple[str, int] | None:
    """Return the file and line of the first frame beyond the library's and our own."""
    has_passed_ours = False
    while frame is not None:
        is_ours = is_own_file(frame.f_code.co_filename)
        if has_passed_ours and not is_ours and "site-packages" not in frame.f_code.co_filename:
            return frame.f_code.co_filename, frame.f_lineno
        has_passed_ours = has_passed_ours or is_ours
        frame = frame.f_back
    return None
