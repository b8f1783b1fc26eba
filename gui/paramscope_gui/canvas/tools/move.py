"""Move nodes: drag, arrow keys; Alt and drag leaves a copy; dropped on a wire, it is inserted."""

from functools import partial

from PySide6.QtCore import QPointF, QRectF, Qt

from paramscope.code.commands import Together
from paramscope.code.graph import NodeKind, PortRef, Wire
from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.edits import connect
from paramscope_gui.canvas.press import Press
from paramscope_gui.canvas.tools.duplicate import duplicated
from paramscope_gui.canvas.tools.tool import ActionSpec, Tool, has_nodes
from paramscope_gui.theme import GRID

# A press that moves less than this on the screen is a click.
CLICK_PIXELS = 4.0


class MoveTool(Tool):
    """Drag selected nodes; a press on another node selects it first."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._press: Press | None = None
        self._starts: dict[str, QPointF] = {}
        self._is_moving = False
        self._before: frozenset[str] = frozenset()
        self._wire: Wire | None = None

    def takes(self, press: Press) -> bool:
        """Take the left button on a node, but not on one of its ports."""
        return (
            press.button == Qt.MouseButton.LeftButton
            and press.hit.node is not None
            and not press.hit.is_port
        )

    def begin(self, press: Press) -> None:
        """Select as the modifiers say: Shift adds, Ctrl toggles."""
        node = press.hit.node
        assert node is not None
        selection = self.desk.selection
        self._press = press
        self._before = selection.nodes
        self._is_moving = False
        self.desk.scene.choose_wires([])
        if press.has(Qt.KeyboardModifier.ControlModifier):
            selection.select_nodes(selection.nodes ^ {node})
        elif press.has(Qt.KeyboardModifier.ShiftModifier):
            selection.select_nodes(selection.nodes | {node})
        elif node not in selection.nodes:
            selection.select_nodes({node})
        scene = self.desk.scene
        self._starts = {key: scene.node_rect(key).topLeft() for key in selection.nodes}

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Let the nodes follow on the grid; show the wire that a single one would join."""
        press = self._press
        if press is None or not self._starts:
            return
        shift = place - press.scene
        zoom = self.desk.view.zoom_factor
        if not self._is_moving and shift.manhattanLength() * zoom < CLICK_PIXELS:
            return
        self._is_moving = True
        self.desk.view.is_at_start = False
        self.desk.scene.drag_nodes(
            {key: _on_grid(start + shift) for key, start in self._starts.items()}
        )
        self._wire = self._wire_below()
        self.desk.scene.marks.joined = (
            [self.desk.scene.paths[self._wire]] if self._wire is not None else ()
        )
        self.desk.scene.show_marks()

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Place the nodes: one undo step, with the wires that an insertion takes."""
        press = self._press
        self._press = None
        if press is None or not self._is_moving:
            self._select_clicked(press)
            return
        scene, desk = self.desk.scene, self.desk
        moved = {key: scene.node_rect(key).topLeft() for key in self._starts}
        wire, self._wire = self._wire, None
        scene.marks.joined = ()
        if press.has(Qt.KeyboardModifier.AltModifier):
            self._put_back()
            command = duplicated(desk, moved)
            if command is not None:
                desk.perform(command, place)
            return
        command = desk.pinned(moved)
        if wire is not None:
            node = next(iter(moved))
            joined = (
                command,
                connect(desk.graph.name, wire.source, PortRef(node, 0)),
                connect(desk.graph.name, PortRef(node, 0), wire.target),
            )
            if desk.perform(Together(f"Insert {node} into the wire", joined), place):
                scene.end_drag()
                return
        if not desk.perform(command, place):
            self._put_back()
        scene.end_drag()

    def cancel(self) -> None:
        """Put everything back."""
        self._press = None
        self.desk.scene.marks.joined = ()
        self._put_back()
        self.desk.selection.select_nodes(self._before)

    def _select_clicked(self, press: Press | None) -> None:
        """A click without a drag: only this node, or the tensor of its row."""
        if press is None or press.hit.node is None:
            return
        plain = not press.modifiers & (
            Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        )
        if not plain:
            return
        tensor = press.hit.tensor
        if tensor is not None and tensor.row is not None:
            self.desk.selection.select_tensor(tensor.row.path)
        elif self.desk.selection.nodes != {press.hit.node}:
            self.desk.selection.select_nodes({press.hit.node})

    def _put_back(self) -> None:
        if self._is_moving:
            self.desk.scene.drag_nodes(self._starts)
        self._is_moving = False
        self.desk.scene.end_drag()

    def _wire_below(self) -> Wire | None:
        """The wire under the middle of a single node that has no wires of its own yet."""
        scene = self.desk.scene
        if len(self._starts) != 1:
            return None
        key = next(iter(self._starts))
        node = scene.nodes_by_id[key]
        fits = node.kind in (NodeKind.MODULE, NodeKind.OPERATION)
        if not fits or not node.inputs or not node.outputs or scene.wires_of(key):
            return None
        return scene.wire_at(scene.node_rect(key).center(), scene.node_rect(key).height() / 2)


def nudge(desk: Desk, dx: float, dy: float) -> None:
    """Move the selected nodes by steps of the grid."""
    scene = desk.scene
    shift = QPointF(dx * GRID, dy * GRID)
    moved = {key: scene.node_rect(key).topLeft() + shift for key in desk.selection.nodes}
    if desk.perform(desk.pinned(moved)):
        area = QRectF()
        for key in moved:
            area = area.united(scene.node_rect(key))
        desk.view.reveal(area)


def _on_grid(place: QPointF) -> QPointF:
    return QPointF(round(place.x() / GRID) * GRID, round(place.y() / GRID) * GRID)


def _nudges() -> tuple[ActionSpec, ...]:
    directions = (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1))
    specs = []
    for word, dx, dy in directions:
        key = word.capitalize()
        for prefix, name, step in (("", "nudge", 1), ("Shift+", "nudge_far", 10)):
            far = " far" if step > 1 else ""
            specs.append(
                ActionSpec(
                    f"{name}_{word}",
                    f"Nudge {word}{far}",
                    (f"{prefix}{key}",),
                    "nudge",
                    partial(nudge, dx=dx * step, dy=dy * step),
                    has_nodes,
                )
            )
    return tuple(specs)


ACTIONS = _nudges()
