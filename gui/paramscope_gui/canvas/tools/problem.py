"""Problem: a click on a node's badge shows it in the list of problems; so does a key."""

from PySide6.QtCore import QPointF, Qt

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.tool import ActionSpec, Tool


class ProblemTool(Tool):
    """Takes a press on a badge."""

    def takes(self, press: Press) -> bool:
        """Take the left button on a badge."""
        return press.button == Qt.MouseButton.LeftButton and press.hit.part == "badge"

    def begin(self, press: Press) -> None:
        """Select the node, and have its problem shown."""
        if press.hit.node is not None:
            self.desk.selection.select_nodes({press.hit.node})
            show_problem(self.desk)

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """A badge is not dragged."""

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The press has done it."""

    def cancel(self) -> None:
        """Nothing was changed."""


def has_problem(desk: Desk) -> bool:
    """An action on the one selected node, if it has a badge."""
    node = desk.selected_node
    return node is not None and desk.scene.drawing_of(node.id).face.badge is not None


def show_problem(desk: Desk) -> None:
    """Have the list show what is wrong with the selected node."""
    node = desk.selected_node
    badge = desk.scene.drawing_of(node.id).face.badge if node is not None else None
    if badge is not None:
        desk.selection.show_problem(badge.rule, badge.where)


ACTIONS = (
    ActionSpec("show_problem", "Show its problem", ("E",), "view", show_problem, has_problem),
)
