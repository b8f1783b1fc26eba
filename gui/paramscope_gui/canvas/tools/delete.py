"""Delete nodes or wires; with Ctrl, what stood before and after a node is joined."""

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import delete
from paramscope_gui.canvas.tools.cut import cut
from paramscope_gui.canvas.tools.tool import ActionSpec


def can_delete(desk: Desk) -> bool:
    """Whether a node or a wire is selected."""
    return bool(desk.selection.nodes or desk.scene.chosen_wires)


def delete_selected(desk: Desk, reconnect: bool) -> None:
    """Delete the selected nodes, or else the selected wires."""
    nodes = sorted(desk.selection.nodes)
    if nodes:
        place = desk.scene.node_rect(nodes[0]).center()
        desk.perform(delete(desk.graph.name, nodes, reconnect), place)
    else:
        cut(desk, sorted(desk.scene.chosen_wires, key=lambda wire: (wire.source, wire.target)))


ACTIONS = (
    ActionSpec(
        "delete",
        "Delete",
        ("Del", "Backspace"),
        "edit",
        lambda desk: delete_selected(desk, False),
        can_delete,
    ),
    ActionSpec(
        "delete_and_reconnect",
        "Delete and reconnect",
        ("Ctrl+Del", "Ctrl+Backspace"),
        "edit",
        lambda desk: delete_selected(desk, True),
        lambda desk: bool(desk.selection.nodes),
    ),
)
