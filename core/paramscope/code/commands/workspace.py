"""A document under the hands of a command: edits, fresh analyses, positions carried along.

A command makes a `Workspace`, edits it in steps (each step is parsed anew), and takes the
finished document. Nodes that it works with are `Handle`s, which follow their node through
the edits although ids such as ``relu#2`` may change.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from paramscope.code.draft import Draft
from paramscope.code.graph import NodeKind
from paramscope.code.parse import Analysis, Drawing, SourceError, analyze
from paramscope.code.text_edit import Edit, SourceText, apply_edits
from paramscope.document.document import Command, CommandRefused, Document, Point

Key = tuple[str, str]  # graph name, node id
_MEMBER_KINDS = (NodeKind.MODULE, NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR)


def refuse(reason: str, repair: Command | None = None) -> NoReturn:
    """Leave the document as it is and say why."""
    raise CommandRefused(reason, repair)


@dataclass(slots=True)
class Handle:
    """A node that a command holds on to; ``id`` is None once the node is gone."""

    graph: str
    id: str | None


class Workspace:
    """Source and positions while a command changes them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._handles: list[Handle] = []
        self.positions = dict(document.layout.positions)
        try:
            self.analysis: Analysis = analyze(document.source)
        except SourceError as error:
            refuse(f"The source cannot be read as Python ({error}). Correct that line first.")

    @property
    def source(self) -> str:
        """The source as edited so far."""
        return self.analysis.source

    @property
    def text(self) -> SourceText:
        """The source with its offsets."""
        return self.analysis.text

    def drawing(self, graph: str) -> Drawing:
        """The drawing of a graph; refuses a name that the document does not have."""
        found = self.analysis.drawings.get(graph)
        if found is None:
            refuse(f"There is no class `{graph}` in this document.")
        return found

    def handle(self, graph: str, node: str) -> Handle:
        """Hold on to a node; refuses an id that the graph does not have."""
        if node not in self.drawing(graph).drafts:
            refuse(f"`{graph or 'the program'}` has no node `{node}`.")
        held = Handle(graph, node)
        self._handles.append(held)
        return held

    def draft(self, handle: Handle) -> Draft:
        """The node of a handle as it is now."""
        if handle.id is None:
            refuse("The node is gone.")
        return self.drawing(handle.graph).drafts[handle.id]

    def edit(self, edits: Iterable[Edit], renamed: Mapping[Key, Key] | None = None) -> None:
        """Make edits, parse the result, and carry positions and handles to it."""
        edits = [edit for edit in edits if self.source[edit.start : edit.end] != edit.text]
        if not edits:
            return
        try:
            after = analyze(apply_edits(self.source, edits))
        except SourceError as error:
            refuse(f"That would leave source which Python cannot read ({error}).")
        moved = follow(self.analysis, after, edits, renamed or {})
        self.positions = carried(self.positions, moved)
        for handle in self._handles:
            if handle.id is not None:
                found = moved.get((handle.graph, handle.id))
                handle.graph, handle.id = found if found is not None else (handle.graph, None)
        self.analysis = after

    def place(self, graph: str, node: str, position: Point | None) -> None:
        """Put a node at a place of the canvas."""
        if position is not None:
            self.positions[f"{graph}/{node}"] = position

    def document(self) -> Document:
        """The document as edited."""
        layout = self._document.layout
        if self.positions != layout.positions:
            layout = replace(layout, positions=self.positions)
        return Document(self.source, layout)


def carried(
    positions: Mapping[str, Point], moved: Mapping[Key, Key | None], keep: bool = False
) -> dict[str, Point]:
    """Positions under the new ids; of nodes that are gone only with ``keep``."""
    result: dict[str, Point] = {}
    spare: dict[str, Point] = {}
    for key, point in positions.items():
        graph, _, node = key.partition("/")
        if (graph, node) not in moved:
            spare[key] = point
            continue
        found = moved[graph, node]
        if found is not None:
            result["/".join(found)] = point
        elif keep:
            spare[key] = point
    return {**spare, **result}


def follow(
    before: Analysis, after: Analysis, edits: Iterable[Edit], renamed: Mapping[Key, Key]
) -> dict[Key, Key | None]:
    """Where each node of ``before`` is after the edits; None if it is gone.

    A node is known again by the stretch of source it stands in; one whose text was replaced
    or moved, by its id.
    """
    edits = sorted(edits, key=lambda edit: (edit.start, edit.end))
    moved: dict[Key, Key | None] = {}
    for graph, drawing in before.drawings.items():
        names = {key[0]: value[0] for key, value in renamed.items() if key[0] == graph}
        target = after.drawings.get(names.get(graph, graph))
        places = _places(after, target) if target is not None else {}
        left: list[str] = []
        taken: set[str] = set()
        for node, draft in drawing.drafts.items():
            key = (graph, node)
            found = renamed[key][1] if key in renamed else None
            for place in _moved_places(before, draft, edits) if found is None else ():
                here = places.get((draft.kind, *place))
                if here is not None and here not in taken:
                    found = here
                    break
            if target is None or found is None or found not in target.drafts:
                left.append(node)
            else:
                moved[key] = (target.graph.name, found)
                taken.add(found)
        for node in left:
            draft = drawing.drafts[node]
            same = target.drafts.get(node) if target is not None else None
            known = same is not None and node not in taken and _is_like(draft, same)
            moved[graph, node] = (target.graph.name, node) if known and target else None
            taken.add(node)
    return moved


def _is_like(before: Draft, after: Draft) -> bool:
    if before.kind in _MEMBER_KINDS and after.kind in _MEMBER_KINDS:
        return before.path == after.path
    return before.kind is after.kind


def _places(analysis: Analysis, drawing: Drawing) -> dict[tuple[NodeKind, int, int], str]:
    places = {}
    for node, draft in drawing.drafts.items():
        if draft.syntax is not None and draft.kind not in _MEMBER_KINDS[1:]:
            places[draft.kind, *analysis.text.node_range(draft.syntax)] = node
    return places


def _moved_places(
    analysis: Analysis, draft: Draft, edits: Iterable[Edit]
) -> Iterator[tuple[int, int]]:
    """Where a node's stretch of source may be after the edits, the likeliest first.

    Text inserted right at one of its ends may have become part of it or not; where an end was
    deleted, the node is not followed by its place.
    """
    if draft.syntax is None or draft.kind in _MEMBER_KINDS[1:]:
        return
    start, end = analysis.text.node_range(draft.syntax)
    first = last = before = behind = 0
    for edit in edits:
        change = len(edit.text) - (edit.end - edit.start)
        if edit.start < start < edit.end or edit.start < end < edit.end:
            return
        if edit.start < edit.end and not edit.text:
            if edit.start <= start < edit.end or edit.start < end <= edit.end:
                return
        if edit.end <= start:
            first += change
            last += change
            before += change if edit.start == start else 0
        elif edit.start < end:
            last += change
        elif edit.start == edit.end == end:
            behind += change
    for grown in dict.fromkeys((0, before)):
        for longer in dict.fromkeys((0, behind)):
            yield start + first - grown, end + last + longer
