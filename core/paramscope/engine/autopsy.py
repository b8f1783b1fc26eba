"""From an error of the user's code to evidence: its frames, and the Modules that were at hand.

Only what lies there is read; nothing of the user's is called again.
"""

import ast
import os
from collections import ChainMap
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from paramscope.census.failure import FailedFrame, Failure, Root
from paramscope.census.walk import Walk, join_path, walk_model
from paramscope.code.graph import Span
from paramscope.code.parse import syntax_tree
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.failures import Raised
from paramscope.engine.frames import owner_of, span_at
from paramscope.engine.leaves import is_leaf, requires_grad
from paramscope.engine.trail import Trail

MAX_FRAMES = 400
MAX_ROOTS = 12
MAX_GLOBALS = 2_000
_CONTAINERS = ("Sequential", "ModuleList")


def failure_of(
    raised: Raised,
    adapter: Adapter,
    model: Any = None,
    before: Walk | None = None,
    trail: Trail | None = None,
    names: Mapping[str, Any] | None = None,
) -> Failure:
    """Gather what is known of an error.

    ``trail`` is that of the step that failed, if it was traced; ``names`` the document's globals.
    """
    error, source = raised.error, raised.source
    frames = list(_frames(error.__traceback__, raised.filename, adapter))
    failure = Failure(
        kind=type(error).__name__,
        message=str(error),
        during=raised.during,
        frames=frames,
        source=source,
        roots=_roots(frames, source, adapter, model),
        before=before or Walk(),
        outside=_outside(names or {}, adapter),
    )
    if trail is not None:
        failure.is_traced = True
        failure.read = frozenset(trail.read)
        failure.gradient_of, failure.is_older = trail.gradient_of()
        failure.written_by = trail.written_by()
        failure.earlier_backward = trail.backward
    return failure


def _frames(trace: TracebackType | None, filename: str, adapter: Adapter) -> Iterator[FailedFrame]:
    folder = os.path.dirname(filename) + os.sep if os.path.isabs(filename) else ""
    count = 0
    while trace is not None and count < MAX_FRAMES:
        frame, code = trace.tb_frame, trace.tb_frame.f_code
        name = code.co_filename
        is_theirs = bool(folder) and name.startswith(folder) and "site-packages" not in name
        line = trace.tb_lineno or 1
        yield FailedFrame(
            function=code.co_name,
            filename=name,
            span=span_at(code, trace.tb_lasti) or Span(line, 0, line, 0),
            is_users=name == filename or is_theirs,
            is_document=name == filename,
            owner=owner_of(frame, adapter.is_module),
            names=ChainMap(dict(frame.f_locals), frame.f_globals),
        )
        trace = trace.tb_next
        count += 1


# The Modules at hand


def _roots(
    frames: list[FailedFrame], source: str, adapter: Adapter, model: Any
) -> tuple[Root, ...]:
    """Return the model or, while it is being built, each Module whose ``__init__`` has begun."""
    found: list[Root] = []
    seen: set[int] = set()

    def enter(module: Any, path: str, *, is_exact: bool) -> None:
        if id(module) not in seen and len(found) < MAX_ROOTS:
            seen.add(id(module))
            found.append(Root(path, is_exact, walk_model(module, adapter, path)))

    if model is not None:
        enter(model, "", is_exact=True)
    elif frames:
        for owner, path, is_exact in _under_way(frames, source):
            enter(owner, path, is_exact=is_exact)
        for frame in reversed([f for f in frames if f.is_document and f.owner is None]):
            modules = [(n, v) for n, v in frame.names.items() if adapter.is_module(v)]
            for name, module in modules:
                enter(module, name if frame.function == "<module>" else "", is_exact=True)
    return tuple(found)


def _under_way(frames: list[FailedFrame], source: str) -> Iterator[tuple[Any, str, bool]]:
    """Give the Modules whose methods were running, the outermost first, with their paths.

    A Module is given its name only when its ``__init__`` is done, so the name is read from
    the statement that waits for it.
    """
    path, is_exact = "", True
    last: Any = None
    for index, frame in enumerate(frames):
        if not frame.is_document:
            continue
        if frame.owner is not None and frame.owner is not last:
            last = frame.owner
            yield last, path, is_exact
        inner = next((f for f in frames[index + 1 :] if f.is_document), None)
        begins = inner is not None and inner.function == "__init__"
        name, is_direct = _awaited_name(frame, source)
        if inner is not None and inner.owner is not None and inner.owner is not last:
            is_exact = is_exact and is_direct and begins
            path = join_path(path, name) if frame.owner is not None or name.isdigit() else path
        elif inner is not None and inner.owner is None and frame.owner is not None:
            # A helper of the user's makes the Module: where it puts it is not known.
            path, is_exact = join_path(path, name.partition(".")[0]), False


def _awaited_name(frame: FailedFrame, source: str) -> tuple[str, bool]:
    """Return the name that the value of a frame's call is given, and whether it is all of it."""
    statement = _statement_at(source, frame.span)
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Return) and value is not None:
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        name = targets[0].attr if isinstance(targets[0], ast.Attribute) else ""
        slot = _slot(value, frame.span)
        if slot is not None:
            return join_path(name, slot), True
        return name, False
    for node in ast.walk(statement) if statement is not None else ():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if frame.owner is not None and frame.names.get(node.value.id) is frame.owner:
                return node.attr, False
    return "", False


def _slot(value: ast.expr, span: Span) -> str | None:
    """Return the index under which a container's call takes the call at ``span``."""
    if not isinstance(value, ast.Call):
        return None
    if _is_at(value, span):
        return ""
    called = value.func.attr if isinstance(value.func, ast.Attribute) else ""
    called = value.func.id if isinstance(value.func, ast.Name) else called
    if called not in _CONTAINERS:
        return None
    items = value.args
    if len(items) == 1 and isinstance(items[0], ast.List | ast.Tuple):
        items = items[0].elts
    for index, item in enumerate(items):
        slot = _slot(item, span)
        if slot is not None:
            return join_path(str(index), slot)
    return None


def _is_at(node: ast.expr, span: Span) -> bool:
    return (node.lineno, node.col_offset) == (span.line, span.column) and (
        node.end_lineno,
        node.end_col_offset,
    ) == (span.end_line, span.end_column)


def _statement_at(source: str, span: Span) -> ast.stmt | None:
    found = None
    for node in ast.walk(syntax_tree(source)):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            if node.lineno <= span.line and (node.end_lineno or 0) >= span.end_line:
                found = node
    return found


def _outside(names: Mapping[str, Any], adapter: Adapter) -> Mapping[str, Any]:
    """Return the calculated tensors that the document's globals hold, by name."""
    found: dict[str, Any] = {}
    for name, value in list(names.items())[:MAX_GLOBALS]:
        for tensor in _tensors_in(value, adapter):
            if requires_grad(tensor) and not is_leaf(tensor):
                found.setdefault(name, tensor)
    return found


def _tensors_in(value: object, adapter: Adapter, depth: int = 2) -> Iterator[Any]:
    if adapter.is_tensor(value):
        yield value
    elif depth and isinstance(value, list | tuple | dict):
        items = list(value.values()) if isinstance(value, dict) else list(value)
        for item in items[:MAX_GLOBALS]:
            yield from _tensors_in(item, adapter, depth - 1)
