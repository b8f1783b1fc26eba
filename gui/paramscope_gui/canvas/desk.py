"""What every tool needs in its hands: the models, the scene, the view, and ways to speak.

Commands go through `perform`, so that a refusal is said where the user is looking.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF

from paramscope.code.commands import MoveNodes
from paramscope.code.graph import Graph, Node, PortRef
from paramscope.document.document import Command, Point
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.bubble import Bubble
from paramscope_gui.canvas.presenter import Presenter
from paramscope_gui.canvas.scene import CanvasScene
from paramscope_gui.canvas.search_popup import Found
from paramscope_gui.canvas.view import CanvasView


@dataclass(frozen=True)
class SearchWish:
    """What a search is for: where the node goes, and the port or wire it is wired to.

    ``is_placed`` says that the user has pointed at the place; else the layout chooses it.
    """

    place: QPointF
    source: PortRef | None = None
    target: PortRef | None = None
    is_placed: bool = True


@dataclass(frozen=True)
class Question:
    """What the popup asks: how it finds answers, what a chosen one does, and its words."""

    find: Callable[[str], Sequence[Found]]
    take: Callable[[Found], None]
    prompt: str
    nothing: str


@dataclass(frozen=True)
class Copied:
    """Which nodes the text on the clipboard was copied from, as long as it is there."""

    graph: str
    nodes: tuple[str, ...]
    text: str


@dataclass
class Desk:
    """Given to every tool. The callables are the canvas's own small editors."""

    workspace: Workspace
    selection: Selection
    presenter: Presenter
    scene: CanvasScene
    view: CanvasView
    bubble: Bubble
    open_search: Callable[[SearchWish], None]
    ask: Callable[[Question], None]
    edit_name: Callable[[str], None]
    edit_arguments: Callable[[str], None]
    glide: Callable[[Mapping[str, Point]], None]
    toggle_minimap: Callable[[], None]
    copied: Copied | None = None

    @property
    def graph(self) -> Graph:
        """The graph on the canvas."""
        return self.scene.graph

    @property
    def selected_node(self) -> Node | None:
        """The one selected node."""
        nodes = self.selection.nodes
        return self.scene.nodes_by_id.get(next(iter(nodes))) if len(nodes) == 1 else None

    def perform(self, command: Command, place: QPointF | None = None) -> bool:
        """Run a command; if it is refused, say why at ``place`` in the scene."""
        refusals: list[tuple[str, object]] = []

        def note(reason: str, repair: object) -> None:
            refusals.append((reason, repair))

        self.bubble.dismiss()
        self.workspace.refused.connect(note)
        try:
            done = self.workspace.execute(command)
        finally:
            self.workspace.refused.disconnect(note)
        for reason, repair in refusals:
            self.say(reason, repair, place)  # type: ignore[arg-type]  # the signal says object
        return done

    def say(self, reason: str, repair: Command | None = None, place: QPointF | None = None) -> None:
        """Say something at ``place`` in the scene, by default where the user last was."""
        where = place if place is not None else self.view.add_place
        self.bubble.say(reason, repair, self.view.mapFromScene(where))

    def pinned(self, moved: Mapping[str, QPointF]) -> MoveNodes:
        """Return the command that puts nodes elsewhere and leaves the rest where it is seen.

        The first node that the user places fixes the whole graph: an automatic layout that
        went on around it would move what the user has just looked at.
        """
        positions = self.presenter.unplaced()
        for key, place in moved.items():
            positions[key] = Point(place.x(), place.y())
        return MoveNodes(self.graph.name, positions)
