"""The scene: nodes, wires and overlay of one graph, and the answers to where things lie.

It holds no document and no selection: the `Presenter` tells it what to show. All hit tests
are by geometry, so that tools, tests and drivers ask the same questions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import hypot

from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtWidgets import QGraphicsScene

from paramscope.code.graph import Graph, Node, PortRef, Wire
from paramscope.code.layout import Edge, Size
from paramscope.document.document import Point
from paramscope_gui.canvas.drawing import Drawing, Face, draw_up, width_of
from paramscope_gui.canvas.faces import NodeFace, TensorFace, WireFace
from paramscope_gui.canvas.ink import Ink
from paramscope_gui.canvas.node_item import NodeItem
from paramscope_gui.canvas.overlay import Marks, Overlay
from paramscope_gui.canvas.recent import Recent
from paramscope_gui.canvas.wire_layer import FarLayer, WireLayer
from paramscope_gui.canvas.wire_path import Router, WirePath, direct

PORT_REACH = 12.0
WIRE_REACH = 7.0
_MARGIN = 2000.0


@dataclass(frozen=True, slots=True)
class Hit:
    """What lies at a place: a port before its node, a node before a wire."""

    node: str | None = None
    side: str = ""
    port: int = -1
    wire: Wire | None = None
    part: str = ""
    tensor: TensorFace | None = None

    @property
    def is_port(self) -> bool:
        """Whether a port was hit."""
        return self.side != ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was hit."""
        return self.node is None and self.wire is None


class CanvasScene(QGraphicsScene):
    """Shows one graph; ids and wires are those of the graph."""

    wires_chosen = Signal()

    def __init__(self, ink: Ink) -> None:
        super().__init__()
        self.ink = ink
        self.graph = Graph(name="")
        self.items_by_id: dict[str, NodeItem] = {}
        self.nodes_by_id: dict[str, Node] = {}
        self.paths: dict[Wire, WirePath] = {}
        self.wire_faces: dict[Wire, WireFace] = {}
        self._chosen_nodes: frozenset[str] = frozenset()
        self._chosen_wires: frozenset[Wire] = frozenset()
        self._moving: frozenset[Wire] = frozenset()
        self._by_node: dict[str, list[Wire]] = {}
        # The ways of wires by where nodes and ports lay; only the text around them may differ.
        self._routed = Recent[tuple[object, ...], tuple[list[WirePath], QRectF]]()
        self._content: QRectF | None = None
        self._is_far = False
        self._wires = WireLayer(ink)
        self._far = FarLayer(ink)
        self.marks = Marks()
        self._overlays = (Overlay(ink, self.marks, False), Overlay(ink, self.marks, True))
        for item in (self._wires, self._far, *self._overlays):
            self.addItem(item)
        self._far.setVisible(False)

    # What the presenter tells

    def show_graph(
        self,
        graph: Graph,
        faces: Mapping[str, NodeFace],
        wire_faces: Mapping[Wire, WireFace],
        place: Callable[[Mapping[str, Size], list[Edge]], Mapping[str, Point]],
    ) -> None:
        """Show ``graph``; ``place`` finds the positions once the nodes are measured."""
        self.graph = graph
        self.nodes_by_id = {node.id: node for node in graph.nodes}
        for gone in [key for key in self.items_by_id if key not in self.nodes_by_id]:
            self.removeItem(self.items_by_id.pop(gone))
        for node in graph.nodes:
            item = self.items_by_id.get(node.id)
            if item is None:
                item = NodeItem(node.id, draw_up(faces[node.id]), self.ink)
                # No parent for all nodes: the scene's index holds top-level items only.
                self.addItem(item)
                item.setVisible(not self._is_far)
                self.items_by_id[node.id] = item
            elif item.drawing.face != faces[node.id]:
                item.set_drawing(draw_up(faces[node.id]))
        self._by_node = {}
        for wire in graph.wires:
            self._by_node.setdefault(wire.source.node, []).append(wire)
            self._by_node.setdefault(wire.target.node, []).append(wire)
        self.wire_faces = dict(wire_faces)
        for key, point in place(self.sizes(), self.edges()).items():
            self.items_by_id[key].put(QPointF(point.x, point.y))
        self._chosen_wires &= frozenset(graph.wires)
        self.choose(self._chosen_nodes)
        self.reroute()

    def set_face(self, identifier: str, face: NodeFace) -> bool:
        """Show another face on a node; tells whether its size changed."""
        item = self.items_by_id.get(identifier)
        if item is None or item.drawing.face == face:
            return False
        self._content = None
        before = item.drawing.size
        item.set_drawing(draw_up(face))
        return item.drawing.size != before

    def set_wire_face(self, wire: Wire, face: WireFace) -> None:
        """Show another look of a wire."""
        if self.wire_faces.get(wire) != face and wire in self.paths:
            self.wire_faces[wire] = face
            self._wires.repaint_wire(wire)

    def move_nodes(self, positions: Mapping[str, Point]) -> None:
        """Put nodes elsewhere and lead all wires anew."""
        for key, point in positions.items():
            if key in self.items_by_id:
                self.items_by_id[key].put(QPointF(point.x, point.y))
        self.reroute()

    def drag_nodes(self, positions: Mapping[str, QPointF]) -> None:
        """Move nodes while they are dragged: only their own wires follow, drawn on top."""
        for key, point in positions.items():
            self.items_by_id[key].put(point)
        self._content = None
        touched = {wire for key in positions for wire in self._by_node.get(key, ())}
        if touched != self._moving:
            self._moving = frozenset(touched)
            self._hide_marked()
        self.marks.moving = [
            (direct(*self._ends(wire)), self.wire_faces[wire]) for wire in self._moving
        ]
        self.show_marks()

    def end_drag(self) -> None:
        """Lead all wires anew after a drag."""
        self._moving = frozenset()
        self.marks.moving = ()
        self.reroute()

    def choose(self, nodes: Iterable[str]) -> None:
        """Show which nodes are selected."""
        self._chosen_nodes = frozenset(nodes) & self.items_by_id.keys()
        for key, item in self.items_by_id.items():
            item.set_chosen(key in self._chosen_nodes)
        self._refresh_far()

    def choose_wires(self, wires: Iterable[Wire]) -> None:
        """Show which wires are selected."""
        self._chosen_wires = frozenset(wires) & self.paths.keys()
        self._mark_chosen_wires()
        self.wires_chosen.emit()

    def set_far(self, far: bool) -> None:
        """Draw all nodes by the far layer, or each by itself."""
        if far == self._is_far:
            return
        self._is_far = far
        for item in self.items_by_id.values():
            item.setVisible(not far)
        self._far.setVisible(far)
        self._refresh_far()

    def refresh_theme(self) -> None:
        """Paint everything with the colours of another theme."""
        self.ink.refresh()
        self.update()

    def reroute(self) -> None:
        """Find the way of every wire among the nodes as they stand."""
        areas = [item.area for item in self.items_by_id.values()]
        ends = {wire: self._ends(wire) for wire in self.graph.wires}
        routed = (areas, [(wire.source, wire.target, *ends[wire]) for wire in self.graph.wires])
        known = self._routed.find(routed)
        if known is None:
            router = Router(areas)
            wires = sorted(ends, key=lambda wire: abs(ends[wire][1].x() - ends[wire][0].x()))
            self.paths = {wire: router.route(*ends[wire]) for wire in wires}
            self._content = self._find_content()
            ways = [self.paths[wire] for wire in self.graph.wires]
            self._routed.keep(routed, (ways, self._content))
        else:
            self.paths = dict(zip(self.graph.wires, known[0], strict=True))
            self._content = known[1]
        self._wires.show_wires(self.paths, self.wire_faces)
        self._mark_chosen_wires()
        self._refresh_far()
        area = self.content_rect()
        self.setSceneRect(area.adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN))

    # Where things lie

    @property
    def chosen_wires(self) -> frozenset[Wire]:
        """The selected wires."""
        return self._chosen_wires

    def show_marks(self) -> None:
        """Draw `marks` as they are now; whoever changes them calls this."""
        for overlay in self._overlays:
            overlay.show_marks()

    def node_rect(self, identifier: str) -> QRectF:
        """Return the area of a node in the scene."""
        return self.items_by_id[identifier].area

    def drawing_of(self, identifier: str) -> Drawing:
        """Return what a node shows."""
        return self.items_by_id[identifier].drawing

    def port_place(self, identifier: str, side: str, index: int) -> QPointF:
        """Return the middle of a port (side ``in`` or ``out``) in the scene."""
        return self.items_by_id[identifier].port(side, index)

    def content_rect(self) -> QRectF:
        """Return the area that all nodes take up."""
        if self._content is None:
            self._content = self._find_content()
        return QRectF(self._content)

    def _find_content(self) -> QRectF:
        bounds = QRectF()
        for item in self.items_by_id.values():
            bounds = bounds.united(item.area)
        for path in self.paths.values():
            bounds = bounds.united(path.path.boundingRect())
        return bounds

    def wires_of(self, identifier: str) -> list[Wire]:
        """Return the wires at a node."""
        return self._by_node.get(identifier, [])

    def wires_near(self, area: QRectF) -> list[Wire]:
        """Return the wires that may be seen in an area."""
        return self._wires.wires_near(area)

    def wire_into(self, port: PortRef) -> Wire | None:
        """Return the wire at an input, if it has one."""
        return next((w for w in self.wires_of(port.node) if w.target == port), None)

    def sizes(self) -> dict[str, Size]:
        """Return the measured sizes of all nodes, for the layout."""
        return {
            key: Size(item.drawing.size.width(), item.drawing.size.height())
            for key, item in self.items_by_id.items()
        }

    def edges(self) -> list[Edge]:
        """Return the wires as the layout wants them."""
        edges = []
        for wire in self.graph.wires:
            source = self.drawing_of(wire.source.node).outputs[wire.source.port]
            target = self.drawing_of(wire.target.node).inputs[wire.target.port]
            text = self.wire_faces[wire].text if wire in self.wire_faces else ""
            label = width_of(text, Face.SHAPE) if text else 0.0
            edges.append(Edge(wire.source.node, wire.target.node, source.y(), target.y(), label))
        return edges

    def positions(self) -> dict[str, Point]:
        """Return where all nodes lie."""
        return {
            key: Point(item.place.x(), item.place.y()) for key, item in self.items_by_id.items()
        }

    def nodes_in(self, area: QRectF) -> list[str]:
        """Return the nodes that touch an area."""
        return [key for key, item in self.items_by_id.items() if item.area.intersects(area)]

    def hit(self, place: QPointF, scale: float = 1.0) -> Hit:
        """Return what lies at ``place``; ports and wires are reached from a few pixels away."""
        reach = max(PORT_REACH, 9.0 / scale)
        port = self.nearest_port(place, reach)
        if port is not None and not self._is_far:
            return Hit(node=port[0], side=port[1], port=port[2])
        for key, item in reversed(self.items_by_id.items()):
            if item.badge_area(scale).contains(place - item.place):
                return Hit(node=key, part="badge")
            if item.area.contains(place):
                return self._hit_node(key, item, place)
        wire = self.wire_at(place, max(WIRE_REACH, WIRE_REACH / scale))
        return Hit(wire=wire)

    def nearest_port(
        self, place: QPointF, reach: float, side: str | None = None
    ) -> tuple[str, str, int] | None:
        """Return the port nearest to ``place`` within ``reach``: node, side, number."""
        best: tuple[float, tuple[str, str, int]] | None = None
        for key, item in self.items_by_id.items():
            if not item.area.adjusted(-reach, -reach, reach, reach).contains(place):
                continue
            local = place - item.place
            for which, places in (("in", item.drawing.inputs), ("out", item.drawing.outputs)):
                if side not in (None, which):
                    continue
                for index, port in enumerate(places):
                    away = hypot(port.x() - local.x(), port.y() - local.y())
                    if away <= reach and (best is None or away < best[0]):
                        best = (away, (key, which, index))
        return None if best is None else best[1]

    def wire_at(self, place: QPointF, reach: float) -> Wire | None:
        """Return the wire nearest to ``place`` within ``reach``."""
        best: tuple[float, Wire] | None = None
        for wire, path in self.paths.items():
            if path.bounds.adjusted(-reach, -reach, reach, reach).contains(place):
                away = path.distance(place)
                if away <= reach and (best is None or away < best[0]):
                    best = (away, wire)
        return None if best is None else best[1]

    def light_port(self, port: tuple[str, str, int] | None) -> None:
        """Highlight one port and no other."""
        for key, item in self.items_by_id.items():
            item.light_port((port[1], port[2]) if port is not None and port[0] == key else None)

    def _hit_node(self, key: str, item: NodeItem, place: QPointF) -> Hit:
        local = place - item.place
        drawing = item.drawing
        if drawing.title and local.y() < 32.0:
            return Hit(node=key, part="title")
        if drawing.caption.contains(local):
            return Hit(node=key, part="caption")
        for area, tensor in drawing.rows:
            if area.contains(local):
                return Hit(node=key, part="row", tensor=tensor)
        return Hit(node=key, part="body")

    def _ends(self, wire: Wire) -> tuple[QPointF, QPointF]:
        return (
            self.port_place(wire.source.node, "out", wire.source.port),
            self.port_place(wire.target.node, "in", wire.target.port),
        )

    def _mark_chosen_wires(self) -> None:
        self._chosen_wires &= self.paths.keys()
        self.marks.chosen = [
            (self.paths[wire], self.wire_faces[wire])
            for wire in self._chosen_wires
            if wire not in self._moving
        ]
        self._hide_marked()
        self.show_marks()

    def _hide_marked(self) -> None:
        self._wires.hide_wires(self._chosen_wires | self._moving)

    def _refresh_far(self) -> None:
        if not self._is_far:
            return
        items = self.items_by_id.values()
        self._far.show_nodes(
            [(item.area, item.drawing.face.family) for item in items],
            [item.area for item in items if item.is_chosen],
            [item.area for item in items if item.drawing.face.problem],
        )
