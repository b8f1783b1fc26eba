"""Enter a Module's own canvas and leave it again."""

from paramscope.code.graph import Node
from paramscope_gui.bridge.selection import PROGRAM, Scope
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.tools.tool import ActionSpec, has_one_node


def enter(desk: Desk, node: Node) -> bool:
    """Show the canvas of the node's class; tells whether it has one."""
    if node.scope is None or node.scope not in desk.workspace.program.graphs:
        return False
    scope = desk.selection.scope
    if scope == PROGRAM:
        instance = ""
    elif node.path is None:
        instance = scope.instance
    else:
        instance = f"{scope.instance}.{node.path}" if scope.instance else node.path
    desk.selection.enter(Scope(node.scope, instance))
    return True


def enter_selected(desk: Desk) -> None:
    """Take an offered repair; else enter the node, or edit its arguments if it has no canvas."""
    if desk.bubble.repair is not None:
        desk.bubble.accept()
        return
    node = desk.selected_node
    if node is not None and not enter(desk, node):
        desk.edit_arguments(node.id)


def leave(desk: Desk) -> None:
    """Cancel a drag, else dismiss what was said, clear the selection or leave the Module."""
    if desk.view.cancel():
        return
    if desk.bubble.isVisible():
        desk.bubble.dismiss()
    elif desk.selection.nodes or desk.scene.chosen_wires:
        desk.scene.choose_wires([])
        desk.selection.select_nodes(())
    else:
        desk.selection.leave()


ACTIONS = (
    ActionSpec(
        "enter",
        "Enter Module or edit arguments",
        ("Return", "Enter"),
        "view",
        enter_selected,
        has_one_node,
    ),
    ActionSpec("leave", "Leave Module", ("Esc",), "view", leave),
)
