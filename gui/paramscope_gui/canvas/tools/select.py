"""Select: a click, a box drawn over empty canvas, everything, and along the wires."""

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, Qt

from paramscope.code.graph import Wire
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.tool import ActionSpec, Tool, has_nodes


class SelectTool(Tool):
    """Box select on empty canvas (live), a click on a wire selects it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._start = QPointF()
        self._before: frozenset[str] = frozenset()
        self._wire: Wire | None = None

    def takes(self, press: Press) -> bool:
        """Take the left button on empty canvas or on a wire."""
        return press.button == Qt.MouseButton.LeftButton and press.hit.node is None

    def begin(self, press: Press) -> None:
        """Clear the selection unless Shift or Ctrl is held."""
        self._start = press.scene
        self._wire = press.hit.wire
        keeps = press.has(Qt.KeyboardModifier.ShiftModifier) or press.has(
            Qt.KeyboardModifier.ControlModifier
        )
        self._before = self.desk.selection.nodes if keeps else frozenset()
        self.desk.scene.choose_wires([self._wire] if self._wire else [])
        self.desk.selection.select_nodes(self._before)

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Select what the box touches; with Ctrl it is toggled."""
        if self._wire is not None:
            return
        scene = self.desk.scene
        box = QRectF(self._start, place).normalized()
        scene.marks.box = box
        scene.show_marks()
        inside = frozenset(scene.nodes_in(box))
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self.desk.selection.select_nodes(self._before ^ inside)
        else:
            self.desk.selection.select_nodes(self._before | inside)

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Keep what the box has selected."""
        self.desk.scene.marks.box = None
        self.desk.scene.show_marks()

    def cancel(self) -> None:
        """Take the box away and select what was selected before it."""
        self.finish(self._start, Qt.KeyboardModifier.NoModifier)
        self.desk.selection.select_nodes(self._before)


def select_all(desk: Desk) -> None:
    """Select every node of the graph."""
    desk.selection.select_nodes(desk.scene.items_by_id)


def select_along(desk: Desk, downstream: bool) -> None:
    """Add everything that the selected nodes lead to, or that leads to them."""
    found = reached(desk.selection.nodes, desk.scene.graph.wires, downstream)
    desk.selection.select_nodes(found)


def reached(start: Iterable[str], wires: Iterable[Wire], downstream: bool) -> set[str]:
    """Return the nodes that ``start`` leads to, or that lead to it, with those of ``start``."""
    following: dict[str, list[str]] = {}
    for wire in wires:
        first, then = wire.source.node, wire.target.node
        if not downstream:
            first, then = then, first
        following.setdefault(first, []).append(then)
    found = set(start)
    waiting = list(found)
    while waiting:
        for then in following.get(waiting.pop(), ()):
            if then not in found:
                found.add(then)
                waiting.append(then)
    return found


ACTIONS = (
    ActionSpec("select_all", "Select all", ("Ctrl+A",), "select", select_all),
    ActionSpec(
        "select_downstream",
        "Select downstream",
        ("L",),
        "select",
        lambda desk: select_along(desk, True),
        has_nodes,
    ),
    ActionSpec(
        "select_upstream",
        "Select upstream",
        ("Shift+L",),
        "select",
        lambda desk: select_along(desk, False),
        has_nodes,
    ),
)
