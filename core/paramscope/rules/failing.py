"""What the rules about errors share: which error it is, and from its frames to dotted paths."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure
from paramscope.census.walk import FoundTensor, join_path
from paramscope.code.graph import Span
from paramscope.code.parse import SourceError, syntax_tree

NO_GRAPH = "does not require grad and does not have a grad_fn"
NO_LOSS = "The loss of step"  # is NaN or infinite
_FUNCTIONS = {"loss": "loss", "train_step": "train_step", "optimizer": "optimizer"}
_FUNCTIONS |= {"build": "model", "evaluate": "model", "accuracy": "model", "<module>": "model"}


@dataclass(frozen=True, slots=True)
class Named:
    """A tensor that a line names, directly or by a variable that runs through many."""

    tensor: Any
    is_of_loop: bool


def failure_like(evidence: Evidence, *texts: str) -> Failure | None:
    """Return the error that was raised if its message holds one of ``texts``."""
    failure = evidence.failure
    if failure is None or not any(text in failure.message for text in texts):
        return None
    return failure


def has_no_graph(evidence: Evidence) -> bool:
    """Tell whether backward() was refused since the loss depends on nothing that is trained."""
    return failure_like(evidence, NO_GRAPH) is not None


def last_frame(failure: Failure) -> FailedFrame | None:
    """Return the innermost call of the document itself."""
    frames = failure.user_frames
    return frames[-1] if frames else None


def last_line(failure: Failure) -> int | None:
    """Return the line of the document in which it was raised."""
    frame = last_frame(failure)
    return frame.span.line if frame is not None else None


# Paths


def found_in(failure: Failure, tensor: Any, evidence: Evidence) -> FoundTensor | None:
    """Return what holds ``tensor``, or the memory that it is a view of."""
    for root in failure.roots:
        for found in root.walk.tensors:
            if found.tensor is tensor:
                return found
    storage = evidence.view.storage(tensor)
    for root in failure.roots if storage else ():
        for found in root.walk.tensors:
            if evidence.view.storage(found.tensor) == storage:
                return found
    return None


def path_of(failure: Failure, tensor: Any, evidence: Evidence) -> str | None:
    """Return the dotted path of a tensor that a Module holds, None if none does."""
    found = found_in(failure, tensor, evidence)
    if found is None:
        return None
    for root in failure.roots:
        if not root.is_exact and found in root.walk.tensors:
            return root.path or "model"
    return found.path


def module_path(failure: Failure, module: Any, attribute: str = "") -> str | None:
    """Return the path of a Module, or of its ``attribute``; None if it is not known."""
    for root in failure.roots:
        path = root.walk.module_paths.get(id(module))
        if path is not None:
            return (join_path(path, attribute) if root.is_exact else root.path) or "model"
    return None


def where_of(failure: Failure, frame: FailedFrame | None) -> str:
    """Name the function of the document or the Module in which ``frame`` ran."""
    frames = failure.user_frames
    if frame is not None and frame in frames:
        frames = frames[: frames.index(frame) + 1]
    for outer in reversed(frames):
        if outer.owner is not None:
            path = module_path(failure, outer.owner)
            if path is not None and path != "model":
                return path
            return "forward" if outer.function == "forward" else "model"
        if outer.function in _FUNCTIONS:
            return _FUNCTIONS[outer.function]
    return step_where(failure)


def step_where(failure: Failure) -> str:
    """Name the function that holds the training step."""
    has_step = any(frame.function == "train_step" for frame in failure.user_frames)
    return "train_step" if has_step else "loss"


def where_of_line(failure: Failure, evidence: Evidence, module: str | None, line: int) -> str:
    """Name the place of an operation: the path of its Module, or the function it stands in."""
    if module:
        return module
    if module == "":
        return "forward"
    return _FUNCTIONS.get(function_at(failure.source, line, outermost=True), step_where(failure))


def line_that_keeps(found: FoundTensor, failure: Failure, evidence: Evidence) -> int | None:
    """Return the line that puts a tensor into its attribute: the last outside of ``__init__``."""
    classes = {cls.__name__ for cls in type(found.owner).__mro__}
    lines: list[int] = []
    for node in ast.walk(tree_of(failure.source)):
        if isinstance(node, ast.ClassDef) and node.name in classes:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name != "__init__":
                    lines += _lines_that_keep(method, found.attribute)
    if lines:
        return max(lines)
    assigned = evidence.source.assignment(type(found.owner).__mro__, found.attribute)
    if assigned is not None:
        return assigned.line
    return evidence.source.attribute_lines.get(found.attribute)


def _lines_that_keep(method: ast.FunctionDef, attribute: str) -> Iterator[int]:
    """Give the lines of a method that assign to ``self.attribute``, or put something into it."""
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            held: ast.expr = node.value if isinstance(node, ast.Subscript) else node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in ("append", "appendleft", "update", "copy_", "add_"):
                continue
            held = node.func.value
        else:
            continue
        if isinstance(held, ast.Attribute) and held.attr == attribute:
            yield node.lineno


# What a line says


@lru_cache(maxsize=4)
def tree_of(source: str) -> ast.Module:
    """Return the syntax tree of ``source``, an empty one if it has none."""
    try:
        return syntax_tree(source)
    except SourceError:
        return ast.Module([], [])


def function_at(source: str, line: int, outermost: bool = False) -> str:
    """Return the name of the innermost (or outermost) function around a line, empty if none."""
    names = [
        node.name
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return names[0 if outermost else -1] if names else ""


def statement_at(source: str, span: Span) -> ast.stmt | None:
    """Return the innermost statement around ``span``; of a block, only its head counts."""
    found = None
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.stmt) and node.lineno <= span.line <= (node.end_lineno or 0):
            if found is None or node.lineno >= found.lineno:
                found = node
    return found


def text_of(failure: Failure, node: ast.AST) -> str:
    """Return the source of a node on one line."""
    return " ".join((ast.get_source_segment(failure.source, node) or "").split())


def assigned_attribute(failure: Failure, frame: FailedFrame) -> tuple[Any, str] | None:
    """Return the Module and the name that a line assigns to, or registers."""
    statement = statement_at(failure.source, frame.span)
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    for target in targets:
        if isinstance(target, ast.Subscript):
            target = target.value
        if isinstance(target, ast.Attribute):
            return resolve(target.value, frame), target.attr
    for node in ast.walk(statement) if statement is not None else ():
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        first = node.args[0] if node.args else None
        if node.func.attr.startswith(("register_", "add_module")) and isinstance(
            first, ast.Constant
        ):
            return resolve(node.func.value, frame), str(first.value)
        if node.func.attr in ("append", "extend", "insert") and isinstance(
            node.func.value, ast.Attribute
        ):
            return resolve(node.func.value.value, frame), node.func.value.attr
    return None


def named_tensors(failure: Failure, frame: FailedFrame, evidence: Evidence) -> Iterator[Named]:
    """Give the tensors that a line names: what it writes to first, then from left to right."""
    statement = statement_at(failure.source, frame.span)
    if statement is None:
        return
    loops = _loop_variables(failure.source, frame.span)
    nodes: list[ast.AST] = []
    for target in [getattr(statement, "target", None), *getattr(statement, "targets", ())]:
        if target is not None and not hasattr(statement, "body"):
            nodes.append(target)
    if hasattr(statement, "body"):
        nodes += [n for n in ast.walk(statement) if _is_within(n, frame.span)]
    else:
        nodes += ast.walk(statement)
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            value = resolve(node, frame)
            if evidence.view.is_tensor(value):
                root = _root_of(node)
                yield Named(value, root in loops and frame.names.get(root) is value)


def _loop_variables(source: str, span: Span) -> set[str]:
    """Return the names that loops around a line give one value after the other."""
    return {
        name.id
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.For) and node.lineno <= span.line <= (node.end_lineno or 0)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name)
    }


def _is_within(node: ast.AST, span: Span) -> bool:
    start, end = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return bool(start) and span.line <= start and end <= span.end_line


def _root_of(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def resolve(node: ast.AST, frame: FailedFrame) -> Any:
    """Return the object that an expression names, read without running any of the user's code.

    A view or a method of a tensor stands for the tensor itself.
    """
    if isinstance(node, ast.Name):
        return frame.names.get(node.id)
    if isinstance(node, ast.Call):
        made_from = resolve(node.func, frame) if isinstance(node.func, ast.Attribute) else None
        return made_from if hasattr(type(made_from), "requires_grad") else None
    if not isinstance(node, ast.Attribute | ast.Subscript):
        return None
    owner = resolve(node.value, frame)
    if owner is None or hasattr(type(owner), "requires_grad"):
        return owner if not isinstance(node, ast.Attribute) or node.attr != "grad" else None
    if isinstance(node, ast.Attribute):
        return _attribute(owner, node.attr)
    key = node.slice.value if isinstance(node.slice, ast.Constant) else None
    if isinstance(owner, list | tuple | dict):
        try:
            return owner[key]  # type: ignore[index]  # None is in no list
        except (KeyError, IndexError, TypeError):
            return None
    return _attribute(owner, str(key))


def _attribute(owner: object, name: str) -> Any:
    try:
        stored = object.__getattribute__(owner, "__dict__")
    except (AttributeError, TypeError):
        return None
    for table in (stored, *(stored.get(t) for t in ("_parameters", "_buffers", "_modules"))):
        if isinstance(table, dict) and name in table:
            return table[name]
    return None
