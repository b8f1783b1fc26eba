"""Deletes whole statements in one edit: most of what goes when many nodes are deleted.

Each step of `Delete` reads the source anew, which is too slow for a hundred nodes. What goes
here gives the same text; whatever is not simple is left to those steps.
"""

import ast
from collections.abc import Sequence
from itertools import pairwise

from paramscope.code.commands.statements import body_of, removed, stands_alone
from paramscope.code.commands.values import MEMBER_TENSORS, function_of, readers
from paramscope.code.commands.wires import input_edits
from paramscope.code.commands.workspace import Handle, Workspace
from paramscope.code.draft import Draft, Source
from paramscope.code.graph import NodeKind
from paramscope.code.text_edit import Edit

_SIMPLE = (NodeKind.MODULE, NodeKind.OPERATION)


def sweep(space: Workspace, graph: str, handles: Sequence[Handle], reconnect: bool) -> None:
    """Remove each statement ``name = ...`` of which every node is to go, all in one edit."""
    if not graph or space.drawing(graph).function is None:
        return
    gone = {id(space.draft(handle)) for handle in handles}
    function = function_of(space, graph)
    statements = [
        (statement, outer)
        for statement, outer in _candidates(space, graph, gone)
        if not reconnect or _reads_itself(space, statement, outer)
    ]
    if len(statements) < 2 or len(statements) >= len(body_of(function)):
        return
    edits = [removed(space.text, statement, function.body) for statement, _ in statements]
    if not reconnect:
        opened = _opened(space, graph, statements)
        if opened is None:
            return
        edits += opened
    space.edit(edits)


def _candidates(space: Workspace, graph: str, gone: set[int]) -> list[tuple[ast.Assign, Draft]]:
    """Statements with nothing in them but nodes that go, each with its outermost node."""
    inside: dict[ast.stmt, list[Draft]] = {}
    for draft in space.drawing(graph).drafts.values():
        if draft.statement is not None and draft.kind not in MEMBER_TENSORS:
            inside.setdefault(draft.statement, []).append(draft)
    found = []
    for statement, drafts in inside.items():
        if not isinstance(statement, ast.Assign) or not stands_alone(space.text, statement):
            continue
        outer = [draft for draft in drafts if draft.syntax is statement.value and draft.targets]
        is_whole = all(id(draft) in gone and draft.kind in _SIMPLE for draft in drafts)
        if is_whole and len(outer) == 1 and len(outer[0].outputs) == 1:
            if len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
                found.append((statement, outer[0]))
    return found


def _reads_itself(space: Workspace, statement: ast.Assign, outer: Draft) -> bool:
    """Whether it is ``x = f(g(x))``: what went in then stands under the same name."""
    node = outer
    while True:
        wired = [item for item in node.inputs if isinstance(item.value, Source) and item.reads]
        if not wired:
            return False
        inner = wired[0].value
        assert isinstance(inner, Source)
        if inner.node.statement is not statement or inner.node.kind in MEMBER_TENSORS:
            target = statement.targets[0]
            return isinstance(target, ast.Name) and target.id == space.text.text(wired[0].reads[0])
        node = inner.node


def _opened(
    space: Workspace, graph: str, statements: Sequence[tuple[ast.Assign, Draft]]
) -> list[Edit] | None:
    """The edits that leave holes where the values were read; None where that takes more."""
    drawing = space.drawing(graph)
    going = {statement for statement, _ in statements}
    edits: list[Edit] = []
    for _, outer in statements:
        for reader, port in readers(drawing, outer):
            if reader.statement in going:
                continue
            if reader.kind is NodeKind.CODE:
                return None
            edits += input_edits(space, reader, port, "...")
    ordered = sorted(edits)
    if any(one.end > other.start for one, other in pairwise(ordered)):
        return None
    return edits
