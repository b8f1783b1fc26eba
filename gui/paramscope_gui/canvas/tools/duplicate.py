"""Duplicate the selected nodes, with their arguments and the wires between them."""

from collections.abc import Mapping

from PySide6.QtCore import QPointF

from paramscope.code.commands import Together
from paramscope.document.document import Command
from paramscope_gui.canvas.copies import AddCopies, wires_to_copy
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import add_expression, expression_of
from paramscope_gui.canvas.tools.tool import ActionSpec, has_nodes

OFFSET = QPointF(24.0, 24.0)


def duplicated(
    desk: Desk, places: Mapping[str, QPointF], with_inputs: bool = False, word: str = "Duplicate"
) -> Command | None:
    """Return the command that adds a copy of each node at its place; None if none can be."""
    additions: list[tuple[str, Command]] = []
    # In the graph's order, so that a copy stands in the source behind those it takes from.
    for key in (node.id for node in desk.graph.nodes if node.id in places):
        expression = expression_of(desk, key)
        if expression is not None:
            additions.append((key, add_expression(desk, expression, places[key])))
    if not additions:
        desk.say("Only layers, operations and tensors can be duplicated.")
        return None
    keys = [key for key, _ in additions]
    label = f"{word} {len(keys)} nodes" if len(keys) > 1 else f"{word} {keys[0]}"
    wires = wires_to_copy(desk.graph, keys, with_inputs)
    copies = AddCopies(label, desk.graph.name, tuple(additions), wires)
    return Together(label, (desk.pinned({}), copies))


def duplicate_selected(desk: Desk) -> None:
    """Put a copy of each selected node a little below it, and select the copies."""
    scene = desk.scene
    before = frozenset(scene.nodes_by_id)
    places = {key: scene.node_rect(key).topLeft() + OFFSET for key in desk.selection.nodes}
    command = duplicated(desk, places)
    if command is not None and desk.perform(command):
        desk.selection.select_nodes(frozenset(scene.nodes_by_id) - before)


ACTIONS = (
    ActionSpec("duplicate", "Duplicate", ("Ctrl+D",), "edit", duplicate_selected, has_nodes),
)
