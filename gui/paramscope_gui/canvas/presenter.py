"""Keeps the scene in step with the document, the selection and the run.

It is the only place of the canvas that reads the bridge's models in order to draw; the tools
read them in order to edit. Positions the user has not given are found here and kept for as
long as the graph is open, so that an edit moves nothing it does not concern.
"""

from collections.abc import Mapping

from PySide6.QtCore import QObject, QRectF, Signal

from paramscope.code.graph import Graph, PortRef
from paramscope.code.layout import Edge, Size, layered, place_missing
from paramscope.document.document import Point
from paramscope.engine.protocol import OperationRecord
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Scope, Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.evidence import Gatherer
from paramscope_gui.canvas.faces import node_face, wire_face
from paramscope_gui.canvas.recent import Recent
from paramscope_gui.canvas.scene import CanvasScene


class Presenter(QObject):
    """Shows the graph of the selection's scope on the scene and follows every change."""

    graph_shown = Signal()
    scope_shown = Signal()
    settled = Signal()

    def __init__(
        self, scene: CanvasScene, workspace: Workspace, selection: Selection, live: Live
    ) -> None:
        super().__init__(scene)
        self._scene = scene
        self._workspace = workspace
        self._selection = selection
        self._live = live
        self._gatherer = Gatherer()
        self._shown: Scope | None = None
        self._visible = QRectF()
        self._operations: tuple[OperationRecord, ...] | None = None
        self._inferred: dict[PortRef, tuple[int, ...]] | None = None
        self._seen: tuple[object, ...] = ()
        # Places found for nodes that have none in the document, by graph.
        self._found: dict[str, dict[str, Point]] = {}
        self._given: dict[str, Point] = {}
        # What was laid out last, and how: an edit of an argument moves nothing.
        self._laid_out = Recent[tuple[dict[str, Size], list[Edge]], Mapping[str, Point]]()
        workspace.program_changed.connect(self._on_workspace_program_changed)
        workspace.document_changed.connect(self._on_workspace_document_changed)
        workspace.opened.connect(self._on_workspace_opened)
        selection.changed.connect(self._on_selection_changed)
        selection.scope_changed.connect(self._on_selection_scope_changed)
        live.snapshot_arrived.connect(self._on_live_snapshot_arrived)
        self.show()

    @property
    def graph(self) -> Graph:
        """The graph that is shown."""
        return self._scene.graph

    @property
    def gatherer(self) -> Gatherer:
        """What is known of the graph shown."""
        return self._gatherer

    @property
    def is_placed_by_user(self) -> bool:
        """Whether any node of the graph shown has a place in the document."""
        return bool(self._given)

    def show(self) -> None:
        """Show the graph of the scope as it stands now."""
        scope = self._selection.scope
        graph = self._workspace.program.graphs.get(scope.graph) or Graph(name=scope.graph)
        gatherer = self._gatherer
        gatherer.show(self._workspace.program, graph, scope.instance)
        self._inferred = None
        self._operations = None
        self._read_run()
        evidence = gatherer.evidence
        nodes = {node.id: node for node in graph.nodes}
        faces = {node.id: node_face(node, evidence) for node in graph.nodes}
        wires = {wire: wire_face(wire, nodes[wire.source.node], evidence) for wire in graph.wires}
        self._given = self._places_given(graph.name)
        self._scene.show_graph(graph, faces, wires, self._place)
        self._scene.choose(self._selection.nodes)
        moved = scope != self._shown
        self._shown = scope
        self.graph_shown.emit()
        if moved:
            self.scope_shown.emit()

    def show_visible(self, area: QRectF) -> None:
        """Note which part of the scene is in view; only its nodes follow the run."""
        is_inside = self._visible.contains(area)
        self._visible = area
        if not is_inside and self._seen:
            self._refresh()

    def unplaced(self) -> dict[str, Point]:
        """Return the places of nodes that the document does not know."""
        return {
            key: point for key, point in self._scene.positions().items() if key not in self._given
        }

    def tidy(self, only: frozenset[str] = frozenset()) -> dict[str, Point]:
        """Return an automatic layout of the whole graph, or of some nodes where they stand."""
        sizes, edges = self._scene.sizes(), self._scene.edges()
        if len(only) < 2:
            return layered(sizes, edges)
        before = {key: point for key, point in self._scene.positions().items() if key in only}
        points = layered({key: size for key, size in sizes.items() if key in only}, edges)
        left, top = min(p.x for p in before.values()), min(p.y for p in before.values())
        return {key: Point(p.x + left, p.y + top) for key, p in points.items()}

    def _place(self, sizes: Mapping[str, Size], edges: list[Edge]) -> Mapping[str, Point]:
        name = self._scene.graph.name
        if not self._given:
            given = (dict(sizes), edges)
            known = self._laid_out.find(given)
            points = layered(sizes, edges) if known is None else known
            if known is None:
                self._laid_out.keep(given, points)
        else:
            kept = {**self._found.get(name, {}), **self._given}
            points = place_missing(sizes, edges, {k: p for k, p in kept.items() if k in sizes})
        self._found[name] = dict(points)
        return points

    def _places_given(self, graph: str) -> dict[str, Point]:
        prefix = f"{graph}/"
        positions = self._workspace.document.layout.positions
        return {
            key[len(prefix) :]: point for key, point in positions.items() if key.startswith(prefix)
        }

    def _read_run(self) -> None:
        live, gatherer = self._live, self._gatherer
        gatherer.take_rows(live.rows)
        if live.operations is not self._operations:
            self._operations = live.operations
            gatherer.take_operations(live.operations)
            known = {port: item.shape for port, item in gatherer.evidence.traced.items()}
            if known != self._inferred:  # shapes seldom change from step to step
                self._inferred = known
                gatherer.infer(self._workspace.program, self._workspace.document.source)
        gatherer.take_findings(live.findings)
        gatherer.take_facts(live.lr, live.optimizer)

    def _refresh(self) -> None:
        """Bring what is in view up to date with the run."""
        scene, evidence = self._scene, self._gatherer.evidence
        resized = False
        for key in scene.nodes_in(self._visible):
            resized |= scene.set_face(key, node_face(scene.nodes_by_id[key], evidence))
        for wire in scene.wires_near(self._visible):
            source = scene.nodes_by_id[wire.source.node]
            scene.set_wire_face(wire, wire_face(wire, source, evidence))
        if resized:
            self._settle()

    def _settle(self) -> None:
        """Nodes have grown: those that nobody has placed make room."""
        scene = self._scene
        if self._given:
            scene.reroute()
        else:
            scene.move_nodes(self._place(scene.sizes(), scene.edges()))
        self.settled.emit()

    def _on_workspace_program_changed(self) -> None:
        self.show()

    def _on_workspace_document_changed(self) -> None:
        given = self._places_given(self._scene.graph.name)
        if given != self._given:
            self._given = given
            self._scene.move_nodes(self._place(self._scene.sizes(), self._scene.edges()))

    def _on_workspace_opened(self) -> None:
        self._found.clear()
        self._shown = None

    def _on_selection_changed(self) -> None:
        self._scene.choose(self._selection.nodes)

    def _on_selection_scope_changed(self) -> None:
        if not self._workspace.is_opening:  # else it is shown once, when all is known
            self.show()

    def _on_live_snapshot_arrived(self) -> None:
        live = self._live
        seen = (live.rows, live.operations, live.findings, live.lr)
        if all(a is b for a, b in zip(seen, self._seen, strict=False)) and self._seen:
            return  # another loss only
        self._seen = seen
        self._read_run()
        self._refresh()
