"""Draw a wire: from an output or a free input to a port; from an occupied input it is detached.

While the wire is dragged it snaps to the port it would join; one that it cannot join says why
at once, before anything is changed.
"""

from PySide6.QtCore import QPointF, Qt

from paramscope.code.graph import PortRef, Wire
from paramscope.document.document import Command
from paramscope_gui.canvas.desk import Desk, SearchWish
from paramscope_gui.canvas.edits import connect, disconnect, refusal
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.tool import Tool
from paramscope_gui.canvas.wire_path import direct

SNAP_PIXELS = 28.0


class WireTool(Tool):
    """One wire on its way from ``_fixed``, which is an output unless ``_backward``."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._fixed = PortRef("", 0)
        self._backward = False
        self._start = QPointF()
        self._detached: Wire | None = None
        self._target: PortRef | None = None
        self._refusal: tuple[str, Command | None] | None = None

    def takes(self, press: Press) -> bool:
        """Take the left button on a port; with Alt the wires of the port are cut instead."""
        return (
            press.button == Qt.MouseButton.LeftButton
            and press.hit.is_port
            and not press.has(Qt.KeyboardModifier.AltModifier)
        )

    def begin(self, press: Press) -> None:
        """Begin at the port; at an occupied input take hold of the wire's end."""
        hit, scene = press.hit, self.desk.scene
        assert hit.node is not None
        port = PortRef(hit.node, hit.port)
        self._backward = hit.side == "in"
        self._detached = scene.wire_into(port) if self._backward else None
        if self._detached is not None:
            port, self._backward = self._detached.source, False
        self._fixed, self._target, self._refusal = port, None, None
        self._start = scene.port_place(port.node, "in" if self._backward else "out", port.port)
        if self._detached is not None:
            scene.choose_wires([])
            scene.marks.cut = [scene.paths[self._detached]]
        self.drag(press.scene, press.modifiers)

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the mouse and snap to the nearest port on the other side."""
        scene = self.desk.scene
        end = place
        target = self._port_near(place)
        if target != self._target:
            self._target = target
            self._refusal = None
            self.desk.bubble.dismiss()
            if target is not None:
                self._judge(target, place)
        if target is not None:
            side = "out" if self._backward else "in"
            end = scene.port_place(target.node, side, target.port)
            scene.light_port((target.node, side, target.port))
        else:
            scene.light_port(None)
        first, last = (end, self._start) if self._backward else (self._start, end)
        scene.marks.draft = direct(first, last)
        scene.marks.draft_fits = self._refusal is None
        scene.show_marks()

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Join, detach, or ask what to add at the loose end."""
        self._clear()
        detached, target, desk = self._detached, self._target, self.desk
        self._detached = self._target = None
        graph = desk.graph.name
        if target is not None:
            source, end = (target, self._fixed) if self._backward else (self._fixed, target)
            if detached is not None and detached.target == end:
                return
            if self._refusal is not None:
                reason, repair = self._refusal
                desk.say(reason, repair, place)
                return
            desk.perform(connect(graph, source, end, moved_from=detached), place)
        elif detached is not None:
            if self._has_left(detached, place):
                desk.perform(disconnect(graph, detached), place)
        elif self._has_left_port(place):
            if self._backward:
                desk.open_search(SearchWish(place, target=self._fixed))
            else:
                desk.open_search(SearchWish(place, source=self._fixed))

    def cancel(self) -> None:
        """Leave all wires as they are."""
        self._clear()
        self._detached = self._target = None
        self.desk.bubble.dismiss()

    def _clear(self) -> None:
        marks = self.desk.scene.marks
        marks.draft, marks.cut = None, ()
        self.desk.scene.light_port(None)
        self.desk.scene.show_marks()

    def _judge(self, target: PortRef, place: QPointF) -> None:
        """Say at once whether the wire can be, and what would make it possible."""
        source, end = (target, self._fixed) if self._backward else (self._fixed, target)
        self._refusal = refusal(self.desk, source, end)
        if self._refusal is not None:
            self.desk.say(self._refusal[0], self._refusal[1], place)

    def _port_near(self, place: QPointF) -> PortRef | None:
        """The port within reach; a free input is preferred to replacing an occupied one."""
        scene = self.desk.scene
        reach = SNAP_PIXELS / self.desk.view.zoom_factor
        side = "out" if self._backward else "in"
        exact = scene.nearest_port(place, max(9.0, 9.0 / self.desk.view.zoom_factor), side)
        near = exact or scene.nearest_port(place, reach, side)
        if near is None:
            key = next((k for k in scene.items_by_id if scene.node_rect(k).contains(place)), None)
            near = None if key is None else self._first_port(key, side)
        if near is None or near[0] == self._fixed.node:
            return None
        if exact is None and side == "in":
            near = self._free_input(near)
        return PortRef(near[0], near[2])

    def _first_port(self, key: str, side: str) -> tuple[str, str, int] | None:
        drawing = self.desk.scene.drawing_of(key)
        ports = drawing.inputs if side == "in" else drawing.outputs
        return (key, side, 0) if ports else None

    def _free_input(self, near: tuple[str, str, int]) -> tuple[str, str, int]:
        scene = self.desk.scene
        if scene.wire_into(PortRef(near[0], near[2])) is None:
            return near
        for index in range(len(scene.drawing_of(near[0]).inputs)):
            if scene.wire_into(PortRef(near[0], index)) is None:
                return (near[0], "in", index)
        return near

    def _has_left(self, wire: Wire, place: QPointF) -> bool:
        port = self.desk.scene.port_place(wire.target.node, "in", wire.target.port)
        return (place - port).manhattanLength() * self.desk.view.zoom_factor > 12.0

    def _has_left_port(self, place: QPointF) -> bool:
        return (place - self._start).manhattanLength() * self.desk.view.zoom_factor > 24.0
