"""Editing an ``nn.Sequential`` in its list: its order is the order of its arguments."""

import ast

from paramscope.code.call_text import CallText
from paramscope.code.commands.imports import localized
from paramscope.code.commands.workspace import Key, Workspace, refuse
from paramscope.code.text_edit import Edit

ORDER = (
    "The Modules of an nn.Sequential run in the order of its list. Insert or delete there, "
    "or write a class with a forward for other wiring."
)


def is_sequence_graph(space: Workspace, graph: str) -> bool:
    """Whether a graph is that of an nn.Sequential."""
    return space.drawing(graph).sequence is not None


def insert_element(space: Workspace, graph: str, expression: str, behind: str | None) -> str:
    """Write a Module into the list behind a node (None: at the end); returns its id."""
    count = _count(space, graph)
    place = count if behind is None else 0 if behind == "input" else int(behind) + 1
    written = localized(space, expression)
    text = CallText(space.text, _call(space, graph))
    renamed = _shifted(graph, place, count, 1)
    if place >= count:
        space.edit(text.with_argument(written), renamed)
        return str(count)
    start, _ = text.slots[place]
    line, _ = space.text.position(start)
    gap = " "
    if not space.source[space.text.line_start(line) : start].strip():
        gap = space.text.newline(line) + space.text.indentation(line)
    space.edit([Edit(start, start, f"{written},{gap}")], renamed)
    return str(place)


def remove_elements(space: Workspace, graph: str, nodes: tuple[str, ...]) -> None:
    """Take Modules out of the list; those behind them move up."""
    for node in nodes:
        if not node.isdigit():
            refuse("The input and the output of an nn.Sequential stay.")
    for place in sorted({int(node) for node in nodes}, reverse=True):
        count = _count(space, graph)
        if count == 1:
            refuse("Nothing would be left of the nn.Sequential; delete it as a whole.")
        call = _call(space, graph)
        edits = CallText(space.text, call).without(call.args[place])
        space.edit(edits, _shifted(graph, place + 1, count, -1))


def _call(space: Workspace, graph: str) -> ast.Call:
    call = space.drawing(graph).sequence
    if call is None:
        refuse(f"`{graph}` is no nn.Sequential.")
    return call


def _count(space: Workspace, graph: str) -> int:
    return len(_call(space, graph).args)


def _shifted(graph: str, first: int, count: int, by: int) -> dict[Key, Key]:
    """The new ids of the elements from ``first`` on."""
    return {(graph, str(place)): (graph, str(place + by)) for place in range(first, count)}
