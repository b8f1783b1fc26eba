"""Automatic layout of the selection or of everything, as one undo step."""

from paramscope.code.commands import MoveNodes
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.tools.tool import ActionSpec


def tidy(desk: Desk) -> None:
    """Lay the selected nodes out anew, or all where fewer than two are selected."""
    only = desk.selection.nodes
    before = desk.scene.positions()
    points = desk.presenter.tidy(only)
    if desk.perform(MoveNodes(desk.graph.name, {**before, **points})):
        desk.glide(before)


ACTIONS = (
    ActionSpec(
        "auto_layout",
        "Lay out automatically",
        ("Ctrl+L",),
        "edit",
        tidy,
        lambda desk: bool(desk.graph.nodes),
    ),
)
