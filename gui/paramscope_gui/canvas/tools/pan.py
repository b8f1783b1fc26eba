"""Pan and zoom: middle drag, Space and left drag, the keys of the zoom."""

from PySide6.QtCore import QPoint, QPointF, Qt

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.tool import ActionSpec, Tool, has_nodes
from paramscope_gui.canvas.view import ZOOM_STEP


class PanTool(Tool):
    """The canvas follows the mouse."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._start = QPoint()
        self._anchor = QPointF()

    def takes(self, press: Press) -> bool:
        """Take the middle button, or the left one while Space is held."""
        if press.button == Qt.MouseButton.MiddleButton:
            return True
        return press.button == Qt.MouseButton.LeftButton and self.desk.view.is_space_held

    def begin(self, press: Press) -> None:
        """Take hold of the point under the mouse."""
        self._anchor = press.scene
        self._start = press.view
        self.desk.view.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Keep that point under the mouse."""
        shift = place - self._anchor
        self.desk.view.pan_by(-shift.x(), -shift.y())

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Let go."""
        self.desk.view.viewport().unsetCursor()

    def cancel(self) -> None:
        """Go back to where the drag began."""
        self.desk.view.pan_to(self._anchor, self._start)
        self.desk.view.viewport().unsetCursor()


ACTIONS = (
    ActionSpec("zoom_in", "Zoom in", ("Ctrl+=",), "view", lambda d: d.view.zoom(ZOOM_STEP)),
    ActionSpec("zoom_out", "Zoom out", ("Ctrl+-",), "view", lambda d: d.view.zoom(1 / ZOOM_STEP)),
    ActionSpec("zoom_reset", "Actual size", ("Ctrl+0",), "view", lambda d: d.view.zoom_to(1.0)),
    ActionSpec("fit_all", "Fit all", ("Home",), "view", lambda d: d.view.fit_all()),
    ActionSpec(
        "fit_selection",
        "Fit selection",
        ("F",),
        "view",
        lambda d: d.view.fit_nodes(d.selection.nodes),
        has_nodes,
    ),
    ActionSpec(
        "toggle_minimap",
        "Show or hide the minimap",
        ("Alt+M",),
        "view",
        lambda d: d.toggle_minimap(),
    ),
)
