"""Rename in place: F2 or a double click on the title; arguments by Enter or on their line."""

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.tools.tool import ActionSpec, has_one_node


def rename(desk: Desk) -> None:
    """Open the editor over the title of the selected node."""
    node = desk.selected_node
    if node is not None:
        desk.edit_name(node.id)


def edit_arguments(desk: Desk) -> None:
    """Go to the first argument of the selected node."""
    node = desk.selected_node
    if node is not None:
        desk.edit_arguments(node.id)


ACTIONS = (
    ActionSpec("rename", "Rename", ("F2",), "edit", rename, has_one_node),
    ActionSpec(
        "edit_arguments", "Edit arguments", ("Shift+F2",), "edit", edit_arguments, has_one_node
    ),
)
