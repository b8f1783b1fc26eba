"""Changing the order of statements, so that a value is computed before it is used."""

import ast
from collections import Counter

from paramscope.code.commands.statements import body_of, stands_alone
from paramscope.code.commands.values import MEMBER_TENSORS, function_of
from paramscope.code.commands.workspace import Handle, Workspace, refuse
from paramscope.code.draft import Draft, Source
from paramscope.code.graph import NodeKind
from paramscope.code.parse import Drawing
from paramscope.code.text_edit import Edit, SourceText


def order(space: Workspace, giver: Handle, taker: Handle) -> None:
    """Move the taker and what depends on it behind the giver, if it stands before it.

    The wires must be the same afterwards; where a variable is used twice on the way they
    would not be, and the move is refused.
    """
    given, taken = space.draft(giver), space.draft(taker)
    if given.kind in (*MEMBER_TENSORS, NodeKind.INPUT) or given.statement is taken.statement:
        return
    body = body_of(function_of(space, giver.graph))
    first, last = _index(body, taken.statement), _index(body, given.statement)
    if last <= first:
        return
    if isinstance(taken.statement, ast.Return):
        refuse("The lines behind `return` never run; move them above it in the code.")
    part = body[first : last + 1]
    drawing = space.drawing(giver.graph)
    moved = _dependents(drawing, part)
    if not all(stands_alone(space.text, item) for item in part):
        refuse("The lines that have to move hold several statements; give each its own line.")
    wanted = wires_of(space, giver.graph)
    space.edit([_reordered(space.text, part, moved)])
    if wires_of(space, giver.graph) != wanted:
        refuse(
            f"`{given.id}` is computed after `{taken.id}`, and a variable between them is "
            "used twice, so their lines cannot change places. Give it two names first."
        )


def wires_of(space: Workspace, graph: str) -> Counter[tuple[str, int, str, str]]:
    """The wires by the text of their nodes, which an order of lines does not change."""
    return Counter(
        (_text(space.text, item.value.node), item.value.port, _text(space.text, draft), item.name)
        for draft in space.drawing(graph).drafts.values()
        for item in draft.inputs
        if isinstance(item.value, Source)
    )


def _index(body: list[ast.stmt], statement: ast.stmt | None) -> int:
    return next((index for index, item in enumerate(body) if item is statement), -1)


def _dependents(drawing: Drawing, part: list[ast.stmt]) -> list[ast.stmt]:
    """The first statement and those behind it that use what it gives, but for the last."""
    moved = [part[0]]
    for statement in part[1:-1]:
        reads = [
            item.value.node.statement
            for draft in drawing.drafts.values()
            if draft.statement is statement
            for item in draft.inputs
            if isinstance(item.value, Source)
        ]
        if any(read is item for read in reads for item in moved):
            moved.append(statement)
    return moved


def _reordered(text: SourceText, part: list[ast.stmt], moved: list[ast.stmt]) -> Edit:
    """One edit that puts the moved statements, each with the comments above it, last."""
    start = place = text.line_start(part[0].lineno)
    newline = text.newline(part[0].lineno)
    chunks: dict[int, str] = {}
    for statement in part:
        end = text.line_start((statement.end_lineno or statement.lineno) + 1)
        chunk = text.source[place:end]
        chunks[id(statement)] = chunk if chunk.endswith(("\n", "\r")) else chunk + newline
        place = end
    stay = [item for item in part if not any(item is other for other in moved)]
    result = "".join(chunks[id(item)] for item in [*stay, *moved])
    if not text.source[start:place].endswith(("\n", "\r")):
        result = result.removesuffix(newline)
    return Edit(start, place, result)


def _text(text: SourceText, node: Draft) -> str:
    return f"{node.path}" if node.syntax is None else text.text(node.syntax)
