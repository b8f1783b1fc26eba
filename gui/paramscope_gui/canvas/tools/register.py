"""Register a plain tensor as Parameter, or a Parameter as plain tensor: R, as in the tree."""

from paramscope.code.graph import Node, NodeKind
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import toggle_register
from paramscope_gui.canvas.tools.tool import ActionSpec

_TENSORS = (NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR)


def selected_tensor(desk: Desk) -> Node | None:
    """Return the one selected node if it is a tensor."""
    node = desk.selected_node
    return node if node is not None and node.kind in _TENSORS else None


def register(desk: Desk) -> None:
    """Switch what the selected tensor is."""
    node = selected_tensor(desk)
    if node is not None:
        command = toggle_register(desk.graph.name, node)
        desk.perform(command, desk.scene.node_rect(node.id).center())


ACTIONS = (
    ActionSpec(
        "register",
        "Register or unregister",
        ("R",),
        "edit",
        register,
        lambda desk: selected_tensor(desk) is not None,
    ),
)
