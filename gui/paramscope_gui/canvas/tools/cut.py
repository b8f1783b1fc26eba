"""Cut wires: Alt+click on a wire or port, and the knife (Ctrl and right drag)."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, Qt

from paramscope.code.commands import Together
from paramscope.code.graph import PortRef, Wire
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import disconnect
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.tool import Tool


class CutTool(Tool):
    """Alt+click: what lies there is cut when the button comes up."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._wires: list[Wire] = []

    def takes(self, press: Press) -> bool:
        """Take Alt and the left button on a wire or a port."""
        return (
            press.button == Qt.MouseButton.LeftButton
            and press.has(Qt.KeyboardModifier.AltModifier)
            and (press.hit.is_port or press.hit.wire is not None)
        )

    def begin(self, press: Press) -> None:
        """Show what will be cut."""
        self._wires = [press.hit.wire] if press.hit.wire is not None else self._at_port(press)
        scene = self.desk.scene
        scene.marks.cut = [scene.paths[wire] for wire in self._wires]
        scene.show_marks()

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """A cut is a click: nothing follows the mouse."""

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Cut."""
        wires = self._wires
        self.cancel()
        cut(self.desk, wires, place)

    def cancel(self) -> None:
        """Cut nothing."""
        self._wires = []
        self.desk.scene.marks.cut = ()
        self.desk.scene.show_marks()

    def _at_port(self, press: Press) -> list[Wire]:
        hit = press.hit
        assert hit.node is not None
        port = PortRef(hit.node, hit.port)
        return [
            wire
            for wire in self.desk.scene.wires_of(hit.node)
            if (wire.target if hit.side == "in" else wire.source) == port
        ]


class KnifeTool(Tool):
    """Every wire that the drawn line crosses is cut."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._line: list[QPointF] = []
        self._wires: dict[Wire, None] = {}

    def takes(self, press: Press) -> bool:
        """Take Ctrl and the right button."""
        return press.button == Qt.MouseButton.RightButton and press.has(
            Qt.KeyboardModifier.ControlModifier
        )

    def begin(self, press: Press) -> None:
        """Put the knife down."""
        self._line = [press.scene]
        self._wires = {}

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Draw the line and mark what it crosses."""
        scene = self.desk.scene
        last = self._line[-1]
        for wire, path in scene.paths.items():
            if wire not in self._wires and _crosses(last, place, path.points):
                self._wires[wire] = None
        self._line.append(place)
        scene.marks.knife = self._line
        scene.marks.cut = [scene.paths[wire] for wire in self._wires]
        scene.show_marks()

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Cut all that was crossed, as one undo step."""
        wires = list(self._wires)
        self.cancel()
        cut(self.desk, wires, place)

    def cancel(self) -> None:
        """Lift the knife."""
        self._line, self._wires = [], {}
        marks = self.desk.scene.marks
        marks.knife, marks.cut = (), ()
        self.desk.scene.show_marks()


def cut(desk: Desk, wires: Sequence[Wire], place: QPointF | None = None) -> None:
    """Disconnect wires as one undo step."""
    if not wires:
        return
    commands = tuple(disconnect(desk.graph.name, wire) for wire in wires)
    if len(commands) == 1:
        desk.perform(commands[0], place)
    else:
        desk.perform(Together(f"Cut {len(commands)} wires", commands), place)


def _crosses(a: QPointF, b: QPointF, points: Sequence[QPointF]) -> bool:
    last = points[0]
    for point in points[1:]:
        if _meet(a, b, last, point):
            return True
        last = point
    return False


def _meet(a: QPointF, b: QPointF, c: QPointF, d: QPointF) -> bool:
    """Whether two segments cross: each has its ends on both sides of the other."""
    return _side(a, b, c) != _side(a, b, d) and _side(c, d, a) != _side(c, d, b)


def _side(a: QPointF, b: QPointF, p: QPointF) -> bool:
    return (b.x() - a.x()) * (p.y() - a.y()) > (b.y() - a.y()) * (p.x() - a.x())
