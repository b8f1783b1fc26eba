"""From the place an operation is called to the place in the document, frame by frame."""

import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import NamedTuple

from paramscope.code.graph import Span

_positions: dict[CodeType, list[Span | None]] = {}
_methods: dict[tuple[CodeType, type], bool] = {}
_MAX_CACHED = 5_000


class Site(NamedTuple):
    """Where the document called an operation.

    ``module`` is the path of the nearest Module whose method was running, None if none was.
    ``in_init`` tells whether a Module's ``__init__`` was, ``in_forward`` whether any other
    method of one of the model's Modules was, the library's included.
    """

    span: Span | None
    module: str | None
    in_init: bool
    in_forward: bool


NOWHERE = Site(None, None, in_init=False, in_forward=False)


def span_at(code: CodeType, instruction: int) -> Span | None:
    """Return the source span of the instruction at ``f_lasti`` or ``tb_lasti``."""
    positions = _positions.get(code)
    if positions is None:
        if len(_positions) >= _MAX_CACHED:
            _positions.clear()
        positions = _positions[code] = [
            None if line is None else Span(line, column or 0, end_line or line, end_column or 0)
            for line, end_line, column, end_column in code.co_positions()
        ]
    index = instruction // 2
    return positions[index] if 0 <= index < len(positions) else None


def find_site(
    filename: str, module_paths: Mapping[int, str], is_module: Callable[[object], bool], skip: int
) -> Site:
    """Walk out from the caller to the nearest frame of ``filename``, and on to its Module."""
    frame: FrameType | None = sys._getframe(skip)
    span: Span | None = None
    is_found = in_init = in_forward = False
    while frame is not None:
        code = frame.f_code
        is_document = code.co_filename == filename
        if is_document and not is_found:
            span = span_at(code, frame.f_lasti)
            is_found = True
        # Frames of the library count as the model's forward, but have no place to show.
        owner = owner_of(frame, is_module) if is_document or not (is_found or in_forward) else None
        if owner is not None:
            path = module_paths.get(id(owner))
            if code.co_name == "__init__":
                in_init = True
            elif is_document:
                return Site(span, path, in_init, in_forward or path is not None or not module_paths)
            elif path is not None:
                in_forward = True
        frame = frame.f_back
    return Site(span, None, in_init, in_forward) if is_found else NOWHERE


def owner_of(frame: FrameType, is_module: Callable[[object], bool]) -> object | None:
    """Return the Module whose method runs in ``frame``, None for any other function."""
    code = frame.f_code
    if not code.co_argcount or "." not in code.co_qualname:
        return None
    owner = frame.f_locals.get(code.co_varnames[0])
    if owner is None or not is_module(owner):
        return None
    key = (code, type(owner))
    is_method = _methods.get(key)
    if is_method is None:
        if len(_methods) >= _MAX_CACHED:
            _methods.clear()
        holder = code.co_qualname.rpartition(".")[0]
        is_method = any(cls.__qualname__ == holder for cls in type(owner).__mro__)
        _methods[key] = is_method
    return owner if is_method else None
