"""Duplicate the selected nodes, with their arguments and without their wires."""

from collections.abc import Mapping

from PySide6.QtCore import QPointF

from paramscope.code.commands import Together
from paramscope.document.document import Command
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import add_expression, expression_of
from paramscope_gui.canvas.tools.tool import ActionSpec, has_nodes

OFFSET = QPointF(24.0, 24.0)


def duplicated(desk: Desk, places: Mapping[str, QPointF]) -> Command | None:
    """Return the command that adds a copy of each node at its place; None if none can be."""
    commands: list[Command] = []
    for key, place in places.items():
        expression = expression_of(desk, key)
        if expression is not None:
            commands.append(add_expression(desk, expression, place))
    if not commands:
        desk.say("Only layers, operations and tensors can be duplicated.")
        return None
    many = f"{len(commands)} nodes" if len(commands) > 1 else next(iter(places))
    return Together(f"Duplicate {many}", (desk.pinned({}), *commands))


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
