"""Exceptions of the user's code as plain values: their frames, their spans, their own traceback."""

import linecache
import os
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from types import TracebackType

from paramscope.census.failure import OperationCall
from paramscope.code.graph import Span
from paramscope.engine.frames import span_at
from paramscope.engine.protocol import Failed, TracebackLine
from paramscope.rules.failing import function_at
from paramscope.rules.finding import Finding

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAX_FRAMES = 50
MAX_TEXT = 20_000


class CannotTrainError(RuntimeError):
    """The document lacks what a training step needs; the message names it."""


class NonFiniteLossError(ArithmeticError):
    """The loss is NaN or infinite; training stops before a weight is moved by it."""

    def __init__(self, loss: float, step: int) -> None:
        super().__init__(
            f"The loss of step {step} is {loss}.\n"
            "  It comes from `loss(model, x, y)`.\n"
            "  No weight was moved by it: look for a division, log or sqrt of zero, or lower lr."
        )
        self.loss = loss


def has_frames(error: BaseException, filename: str) -> bool:
    """Tell whether an error went through any line of the document."""
    return next(_user_frames(error, filename), None) is not None


def remember_source(filename: str, source: str) -> None:
    """Have tracebacks show the document's text, although it may be on no disk."""
    lines = source.splitlines(keepends=True)
    # Without a time, linecache never compares the text with a file.
    linecache.cache[filename] = (len(source), None, lines, filename)


@dataclass(frozen=True, slots=True)
class Raised:
    """An error, and what was being done with which document when it was raised."""

    error: BaseException
    during: str
    filename: str = ""
    source: str = ""


def describe_failure(
    raised: Raised,
    revision: int,
    step: int = 0,
    place: OperationCall | None = None,
    findings: tuple[Finding, ...] = (),
) -> Failed:
    """Turn an exception into the event that the window shows.

    ``place`` is where it comes from if it went through no line of the user's.
    """
    error = raised.error
    frames = tuple(_user_frames(error, raised.filename))
    if not frames and place is not None and place.span is not None:
        frames = (_line_at(place.span, raised.filename),)
    if len(frames) > MAX_FRAMES:
        frames = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :]
    return Failed(
        revision=revision,
        during=raised.during,
        kind=type(error).__name__,
        message=_message_of(error),
        frames=frames,
        text=traceback_text(error, frames),
        step=step,
        findings=findings,
    )


def traceback_text(error: BaseException, frames: Sequence[TracebackLine] = ()) -> str:
    """Format the traceback as Python does, without the frames of this package and the engine.

    ``frames`` stand in where no other is left.
    """
    described = traceback.TracebackException.from_exception(error, max_group_depth=3)
    pending: list[traceback.TracebackException | None] = [described]
    seen = set()
    while pending:
        part = pending.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        part.stack[:] = [f for f in part.stack if not _is_trimmed(f.filename)]
        pending += [part.__cause__, part.__context__, *(part.exceptions or ())]
    if not described.stack and not isinstance(error, SyntaxError):
        described.stack[:] = [
            traceback.FrameSummary(f.filename, f.span.line, f.function, line=f.text) for f in frames
        ]
    text = "".join(described.format())
    if len(text) > MAX_TEXT:
        text = f"{text[: MAX_TEXT // 2]}\n  ...\n{text[-MAX_TEXT // 2 :]}"
    return text


def _message_of(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The code called sys.exit({error.code if error.code is not None else ''})."
    if isinstance(error, KeyboardInterrupt):
        return "Stopped."
    if isinstance(error, SyntaxError):
        return error.msg or "invalid syntax"
    try:
        text = str(error)
    except Exception as broken:  # the user's own __str__ may raise
        text = f"(its message cannot be shown: {type(broken).__name__})"
    return text[:MAX_TEXT]


def _user_frames(error: BaseException, filename: str) -> Iterator[TracebackLine]:
    folder = os.path.dirname(os.path.abspath(filename)) if os.path.exists(filename) else ""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        if error.__traceback__ is not None:
            yield from _frames_of(error.__traceback__, filename, folder)
        yield _syntax_line(error, filename)
        return
    if error.__traceback__ is not None:
        yield from _frames_of(error.__traceback__, filename, folder)


def _frames_of(trace: TracebackType | None, filename: str, folder: str) -> Iterator[TracebackLine]:
    while trace is not None:
        code = trace.tb_frame.f_code
        name = code.co_filename
        is_theirs = bool(folder) and name.startswith(folder + os.sep) and _is_own_code(name)
        if name == filename or is_theirs:
            line = trace.tb_lineno or 1
            span = span_at(code, trace.tb_lasti) or Span(line, 0, line, 0)
            text = linecache.getline(name, span.line).rstrip("\n")
            yield TracebackLine(name, code.co_name, span, text)
        trace = trace.tb_next


def _line_at(span: Span, filename: str) -> TracebackLine:
    text = linecache.getline(filename, span.line).rstrip("\n")
    source = "".join(linecache.getlines(filename))
    return TracebackLine(filename, function_at(source, span.line), span, text)


def _is_trimmed(name: str) -> bool:
    return is_own_file(name) or name.startswith(_engine_folders())


@cache
def _engine_folders() -> tuple[str, ...]:
    """Return where the engines lie; the user's code is not there."""
    folders = []
    for name in ("gradcore", "torch"):
        # Without importing it, and past the name that may stand for the other one.
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.origin is not None:
            folders.append(os.path.dirname(os.path.abspath(spec.origin)) + os.sep)
    return tuple(folders)


def is_own_file(name: str) -> bool:
    """Tell whether a file belongs to this package."""
    return name.startswith(_OWN_FOLDER)


def _is_own_code(name: str) -> bool:
    """Tell the user's files from the libraries and from this package in the same folder."""
    return "site-packages" not in name and not name.startswith(_OWN_FOLDER)


def _syntax_line(error: SyntaxError, filename: str) -> TracebackLine:
    line = error.lineno or 1
    text = (error.text or linecache.getline(filename, line)).rstrip("\n")
    start = max(0, (error.offset or 1) - 1)
    end = max(start, (error.end_offset or start + 1) - 1)
    column = len(text[:start].encode("utf-8", "replace"))
    end_column = len(text[:end].encode("utf-8", "replace"))
    return TracebackLine(
        error.filename or filename,
        "",
        Span(line, column, error.end_lineno or line, end_column),
        text,
    )
