"""Copies of nodes with the wires between them, as one command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paramscope.code.commands import Connect
from paramscope.code.commands.workspace import follow
from paramscope.code.graph import Graph, PortRef, Wire
from paramscope.code.parse import analyze
from paramscope.code.text_edit import difference
from paramscope.document.document import Command, CommandRefused, Document


@dataclass(frozen=True)
class AddCopies:
    """Add nodes and wire the copies as the originals are wired.

    ``additions`` adds the copy of each node by the original's id. A wire from a node that is
    not copied comes from that node itself.
    """

    label: str
    graph: str
    additions: tuple[tuple[str, Command], ...]
    wires: tuple[tuple[PortRef, PortRef], ...] = ()

    def apply(self, document: Document) -> Document:
        """Add, see what is new, and connect; ids such as ``relu#2`` may change on the way."""
        names = {ref.node: ref.node for wire in self.wires for ref in wire}
        copies: dict[str, str] = {}
        for original, addition in self.additions:
            after = addition.apply(document)
            moved = self._moved(document, after)
            names, copies = _renamed(names, moved), _renamed(copies, moved)
            new = self._new(after, moved)
            if new is not None:
                copies[original] = new
            document = after
        for source, target in self.wires:
            giver = copies.get(source.node, names.get(source.node))
            taker = copies.get(target.node)
            if giver is None or taker is None:
                continue
            wire = Connect(self.graph, PortRef(giver, source.port), PortRef(taker, target.port))
            try:
                after = wire.apply(document)
            except CommandRefused:
                continue  # the copy stays, with this input open
            moved = self._moved(document, after)
            names, copies = _renamed(names, moved), _renamed(copies, moved)
            document = after
        return document

    def _moved(self, before: Document, after: Document) -> dict[str, str]:
        """Where each node of the graph is after an edit; what is gone is left out."""
        old, new = analyze(before.source), analyze(after.source)
        places = follow(old, new, difference(before.source, after.source), {})
        return {
            node: place[1]
            for (graph, node), place in places.items()
            if graph == self.graph and place is not None
        }

    def _new(self, after: Document, moved: Mapping[str, str]) -> str | None:
        known = set(moved.values())
        drafts = analyze(after.source).drawings[self.graph].drafts
        return next((node for node in drafts if node not in known), None)


def wires_to_copy(
    graph: Graph, copied: Sequence[str], with_inputs: bool
) -> tuple[tuple[PortRef, PortRef], ...]:
    """Return the wires that copies keep: those between them, or all that lead into them."""
    inside = frozenset(copied)

    def is_kept(wire: Wire) -> bool:
        return wire.target.node in inside and (with_inputs or wire.source.node in inside)

    return tuple((wire.source, wire.target) for wire in graph.wires if is_kept(wire))


def _renamed(names: Mapping[str, str], moved: Mapping[str, str]) -> dict[str, str]:
    return {key: moved[name] for key, name in names.items() if name in moved}
