"""Move all wires of an output at once: Ctrl and drag from the output to another."""

from PySide6.QtCore import QPointF, Qt

from paramscope.code.commands import Together
from paramscope.code.graph import PortRef, Wire
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import connect, refusal
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.tool import Tool
from paramscope_gui.canvas.tools.wire import SNAP_PIXELS
from paramscope_gui.canvas.wire_path import direct


class BundleTool(Tool):
    """The wires of one output on their way to another."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._source = PortRef("", 0)
        self._wires: list[Wire] = []
        self._target: PortRef | None = None

    def takes(self, press: Press) -> bool:
        """Take Ctrl and the left button on an output that has wires."""
        return (
            press.button == Qt.MouseButton.LeftButton
            and press.has(Qt.KeyboardModifier.ControlModifier)
            and press.hit.side == "out"
            and bool(self._wires_at(press))
        )

    def begin(self, press: Press) -> None:
        """Take hold of the wires' beginnings."""
        assert press.hit.node is not None
        self._source = PortRef(press.hit.node, press.hit.port)
        self._wires = self._wires_at(press)
        self.drag(press.scene, press.modifiers)

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Let the wires follow, and snap to the nearest other output."""
        scene = self.desk.scene
        near = scene.nearest_port(place, SNAP_PIXELS / self.desk.view.zoom_factor, "out")
        is_other = near is not None and (near[0], near[2]) != self._source
        self._target = PortRef(near[0], near[2]) if near is not None and is_other else None
        scene.light_port(near if is_other else None)
        start = place
        if self._target is not None:
            start = scene.port_place(self._target.node, "out", self._target.port)
        scene.marks.cut = [scene.paths[wire] for wire in self._wires]
        scene.marks.moving = [
            (direct(start, scene.paths[wire].end), scene.wire_faces[wire]) for wire in self._wires
        ]
        scene.show_marks()

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Lay all wires from the other output, as one undo step, or say which cannot be."""
        wires, source, desk = self._wires, self._target, self.desk
        self.cancel()
        if source is None:
            return
        for wire in wires:
            refused = refusal(desk, source, wire.target)
            if refused is not None:
                desk.say(refused[0], refused[1], place)
                return
        commands = tuple(connect(desk.graph.name, source, wire.target) for wire in wires)
        label = f"Move {len(wires)} wires to {source.node}"
        desk.perform(commands[0] if len(wires) == 1 else Together(label, commands), place)

    def cancel(self) -> None:
        """Leave all wires as they are."""
        self._wires, self._target = [], None
        marks = self.desk.scene.marks
        marks.cut, marks.moving = (), ()
        self.desk.scene.light_port(None)
        self.desk.scene.show_marks()

    def _wires_at(self, press: Press) -> list[Wire]:
        port = (press.hit.node, press.hit.port)
        wires = self.desk.scene.wires_of(press.hit.node or "")
        return [wire for wire in wires if wire.source == port]
