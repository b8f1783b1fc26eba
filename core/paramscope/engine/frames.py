"""From the place an operation is called to the place in the document, frame by frame."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from paramscope.code.graph import Span

_positions: dict[CodeType, list[tuple[int | None, int | None, int | None, int | None]]] = {}
_MAX_CACHED = 5_000


@dataclass(frozen=True, slots=True)
class Site:
    """Where the document called an operation.

    ``module`` is the path of the nearest Module whose method was running, None if none was.
    ``in_init`` tells whether a Module's ``__init__`` was; ``class_name`` is then its class's.
    """

    span: Span | None
    module: str | None
    in_init: bool
    in_forward: bool


NOWHERE = Site(None, None, False, False)


def span_at(code: CodeType, instruction: int) -> Span | None:
    """Return the source span of the instruction at ``f_lasti`` or ``tb_lasti``."""
    positions = _positions.get(code)
    if positions is None:
        if len(_positions) >= _MAX_CACHED:
            _positions.clear()
        positions = _positions[code] = list(code.co_positions())
    index = instruction // 2
    if not 0 <= index < len(positions):
        return None
    line, end_line, column, end_column = positions[index]
    if line is None:
        return None
    return Span(line, column or 0, end_line or line, end_column or 0)


def find_site(
    filename: str, module_paths: Mapping[int, str], is_module: Any, skip: int = 1
) -> Site:
    """Walk out from the caller to the nearest frame of ``filename``, and on to its Module."""
    frame: FrameType | None = sys._getframe(skip)
    span: Span | None = None
    found = False
    in_init = False
    while frame is not None:
        code = frame.f_code
        if not found and code.co_filename == filename:
            span = span_at(code, frame.f_lasti)
            found = True
        if found and code.co_filename == filename and code.co_argcount:
            owner = frame.f_locals.get(code.co_varnames[0])
            if owner is not None and is_module(owner):
                in_init = in_init or code.co_name == "__init__"
                path = module_paths.get(id(owner))
                if path is not None:
                    return Site(span, path, in_init, code.co_name != "__init__")
                if code.co_name != "__init__":
                    return Site(span, None, in_init, code.co_name == "forward")
        frame = frame.f_back
    return Site(span, None, in_init, False) if found else NOWHERE
