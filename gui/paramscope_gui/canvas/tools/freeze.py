"""Freeze a Module or a Parameter, or let it train again: Z, as in the tree."""

from paramscope.code.graph import Node, NodeKind
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import toggle_freeze
from paramscope_gui.canvas.tools.tool import ActionSpec


def selected_holder(desk: Desk) -> Node | None:
    """Return the one selected node if a class holds it and it may have Parameters."""
    node = desk.selected_node
    if node is None or node.path is None or not desk.graph.name:
        return None
    return node if node.kind in (NodeKind.MODULE, NodeKind.PARAMETER) else None


def freeze(desk: Desk) -> None:
    """Switch whether the selected node trains."""
    node = selected_holder(desk)
    if node is not None and node.path is not None:
        source = desk.workspace.document.source
        command = toggle_freeze(source, desk.graph.name, node.path)
        desk.perform(command, desk.scene.node_rect(node.id).center())


ACTIONS = (
    ActionSpec(
        "freeze",
        "Freeze or unfreeze",
        ("Z",),
        "edit",
        freeze,
        lambda desk: selected_holder(desk) is not None,
    ),
)
