"""What is selected, shared by every view: the scope shown, nodes, a tensor, a stretch of source.

A view tells the selection what the user picked in its own terms; the selection works out the
others (the tensor's node, the node's line), so that the views never need to know each other.
"""

from collections.abc import Iterable
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from paramscope.code.graph import Graph, Node, NodeKind, Span
from paramscope_gui.bridge.workspace import Workspace

_DEEPEST = 100  # scopes within each other
# Places of verdicts that are parts of the program, not of the model.
PARTS = {
    "loss": NodeKind.LOSS,
    "optimizer": NodeKind.OPTIMIZER,
    "train_step": NodeKind.OPTIMIZER,
}
MEMBER_KINDS = frozenset({NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR})


class Scope(NamedTuple):
    """A canvas: the name of its graph, and the dotted path of the model instance it shows.

    ``instance`` ends the ambiguity of a class that is used twice: it is the prefix of the
    tensors shown, ``""`` for the model itself and for the program.
    """

    graph: str
    instance: str = ""


PROGRAM = Scope("")


class Selection(QObject):
    """The selection of the whole window. Every change of it is told by one signal."""

    changed = Signal()
    scope_changed = Signal()
    problem_requested = Signal(str, str)

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._trail: tuple[Scope, ...] = (PROGRAM,)
        self._nodes: frozenset[str] = frozenset()
        self._tensor: str | None = None
        self._span: Span | None = None
        workspace.opened.connect(self._on_workspace_opened)
        workspace.program_changed.connect(self._on_workspace_program_changed)
        self._go_home()

    @property
    def scope(self) -> Scope:
        """The canvas that is shown."""
        return self._trail[-1]

    @property
    def trail(self) -> tuple[Scope, ...]:
        """The way from the program to the scope shown, for the breadcrumb."""
        return self._trail

    @property
    def nodes(self) -> frozenset[str]:
        """Ids of the selected nodes in the graph of the scope."""
        return self._nodes

    @property
    def tensor(self) -> str | None:
        """Dotted path of the selected tensor, from the model's root."""
        return self._tensor

    @property
    def span(self) -> Span | None:
        """The stretch of source that the selection stands for."""
        return self._span

    @property
    def graph(self) -> Graph | None:
        """The graph of the scope shown, if the program still has it."""
        return self._workspace.program.graphs.get(self.scope.graph)

    def select_nodes(self, ids: Iterable[str]) -> None:
        """Select nodes of the graph shown; one node that is a tensor selects that as well."""
        nodes = frozenset(ids)
        tensor: str | None = None
        span: Span | None = None
        if len(nodes) == 1:
            node = self._node(next(iter(nodes)))
            if node is not None:
                span = node.span or node.definition
                if node.kind in MEMBER_KINDS and node.path is not None:
                    tensor = self._absolute(node.path)
        self._set(nodes, tensor, span)

    def select_tensor(self, path: str | None) -> None:
        """Select a tensor by its dotted path, the node that holds it and the line that makes it."""
        if path is None:
            self._set(self._nodes, None, self._span)
            return
        node = self._holder(path)
        span = None if node is None else (node.definition or node.span)
        self._set(frozenset() if node is None else frozenset({node.id}), path, span)

    def select_span(self, span: Span | None) -> None:
        """Select a stretch of source and the innermost node of the graph shown that holds it."""
        node = None if span is None else self._node_at(span)
        self._set(frozenset() if node is None else frozenset({node.id}), None, span)

    def enter(self, scope: Scope) -> None:
        """Show the canvas of ``scope``; one that is on the trail already is gone back to."""
        if scope in self._trail:
            self._trail = self._trail[: self._trail.index(scope) + 1]
        else:
            self._trail = (*self._trail, scope)
        self.scope_changed.emit()
        self._set(frozenset(), None, None)

    def go_home(self) -> None:
        """Show the model's canvas, with nothing selected."""
        self._go_home()
        self.scope_changed.emit()
        self.changed.emit()

    def leave(self) -> None:
        """Show the canvas around the present one and select the node that was left."""
        if len(self._trail) == 1:
            return
        left = self._trail[-1]
        self._trail = self._trail[:-1]
        self.scope_changed.emit()
        graph = self.graph
        prefix = f"{self.scope.instance}." if self.scope.instance else ""
        for node in graph.nodes if graph else ():
            absolute = None if node.path is None else prefix + node.path
            if node.scope == left.graph and absolute in (None, left.instance):
                self.select_nodes({node.id})
                return
        self._set(frozenset(), None, None)

    def show_problem(self, rule: str, where: str) -> None:
        """Have the list of problems show one of them, by its rule and place."""
        self.problem_requested.emit(rule, where)

    def reveal(self, path: str, *, is_tensor: bool) -> None:
        """Show the canvas that holds a tensor or Module of the model, and select it there."""
        trail = self._trail_to(path)
        if trail != self._trail:
            self._trail = trail
            self.scope_changed.emit()
        if is_tensor:
            self.select_tensor(path)
            return
        node = self._part(path) if self.scope == PROGRAM else self._holder(path)
        self.select_nodes(() if node is None else (node.id,))

    def _trail_to(self, path: str) -> tuple[Scope, ...]:
        """Return the scopes from the program to the innermost canvas that holds a path."""
        program = self._workspace.program
        if path in PARTS or program.model not in program.graphs or program.model is None:
            return (PROGRAM,)
        trail = [PROGRAM, Scope(program.model)]
        while len(trail) < _DEEPEST:
            scope = trail[-1]
            node = _holder_in(program.graphs[scope.graph], scope.instance, path)
            if node is None or node.path is None or node.scope not in program.graphs:
                break
            inner = f"{scope.instance}.{node.path}" if scope.instance else node.path
            if inner == path or node.scope is None:
                break
            trail.append(Scope(node.scope, inner))
        return tuple(trail)

    def _part(self, path: str) -> Node | None:
        """Return the program's node that a verdict on ``loss`` or ``optimizer`` is about."""
        kind = PARTS.get(path, NodeKind.MODEL)
        graph = self.graph
        nodes = graph.nodes if graph is not None else ()
        return next((node for node in nodes if node.kind is kind), None)

    def _set(self, nodes: frozenset[str], tensor: str | None, span: Span | None) -> None:
        if (nodes, tensor, span) == (self._nodes, self._tensor, self._span):
            return
        self._nodes, self._tensor, self._span = nodes, tensor, span
        self.changed.emit()

    def _node(self, identifier: str) -> Node | None:
        graph = self.graph
        if graph is None:
            return None
        return next((node for node in graph.nodes if node.id == identifier), None)

    def _absolute(self, path: str) -> str:
        return f"{self.scope.instance}.{path}" if self.scope.instance else path

    def _holder(self, path: str) -> Node | None:
        graph = self.graph
        if graph is None or graph.name == "":
            return None
        return _holder_in(graph, self.scope.instance, path)

    def _node_at(self, span: Span) -> Node | None:
        graph = self.graph
        if graph is None:
            return None
        start = (span.line, span.column)
        best: tuple[int, int, Node] | None = None
        for node in graph.nodes:
            for place in (node.span, node.definition):
                if place is None:
                    continue
                if not (place.line, place.column) <= start <= (place.end_line, place.end_column):
                    continue
                size = (place.end_line - place.line, place.end_column - place.column)
                if best is None or size < best[:2]:
                    best = (*size, node)
        return None if best is None else best[2]

    def _go_home(self) -> None:
        model = self._workspace.program.model
        trail: tuple[Scope, ...] = (PROGRAM,)
        if model is not None and model in self._workspace.program.graphs:
            trail = (PROGRAM, Scope(model))
        self._trail = trail
        self._nodes, self._tensor, self._span = frozenset(), None, None

    def _on_workspace_opened(self) -> None:
        self.go_home()

    def _on_workspace_program_changed(self) -> None:
        graphs = self._workspace.program.graphs
        kept = tuple(scope for scope in self._trail if scope == PROGRAM or scope.graph in graphs)
        if kept != self._trail:
            self._trail = kept or (PROGRAM,)
            self.scope_changed.emit()
        graph = self.graph
        known = frozenset(node.id for node in graph.nodes) if graph else frozenset()
        self._set(self._nodes & known, self._tensor, self._span)


def _holder_in(graph: Graph, instance: str, path: str) -> Node | None:
    """Return the node of a Module's graph that holds most of a dotted path."""
    if instance and not path.startswith(f"{instance}."):
        return None
    relative = path[len(instance) + 1 :] if instance else path
    best: Node | None = None
    for node in graph.nodes:
        held = node.path
        if not held or not (relative == held or relative.startswith(f"{held}.")):
            continue
        if best is None or best.path is None or len(held) > len(best.path):
            best = node
    return best
