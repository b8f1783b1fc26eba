"""Commands that replace the text or move nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from paramscope.code.commands.workspace import carried, follow
from paramscope.code.parse import SourceError, analyze
from paramscope.code.text_edit import difference
from paramscope.document.document import Command, Document, Point


@dataclass(frozen=True, slots=True)
class MoveNodes:
    """Put nodes of a graph at places of the canvas; the source does not change."""

    graph: str
    positions: Mapping[str, Point] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"Move {next(iter(self.positions))}" if len(self.positions) == 1 else "Move nodes"

    def apply(self, document: Document) -> Document:
        """Note the positions in the layout."""
        placed = {f"{self.graph}/{node}": Point(*at) for node, at in self.positions.items()}
        positions = {**document.layout.positions, **placed}
        return replace(document, layout=replace(document.layout, positions=positions))


@dataclass(frozen=True, slots=True)
class Together:
    """Several commands as one step; the first refusal refuses all."""

    label: str
    commands: tuple[Command, ...]

    def apply(self, document: Document) -> Document:
        """Apply one after the other."""
        for command in self.commands:
            document = command.apply(document)
        return document


@dataclass(frozen=True, slots=True)
class ReplaceDocument:
    """Take another document whole, as one step: what was restored, or came from the disk."""

    document: Document
    label: str

    def apply(self, document: Document) -> Document:
        """Return the other one."""
        return self.document


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """Replace the whole source: what the user typed in the code view, readable or not."""

    source: str
    label: str = "Edit code"

    def apply(self, document: Document) -> Document:
        """Take the text; positions follow their nodes as far as both texts can be read."""
        layout = document.layout
        if layout.positions and self.source != document.source:
            try:
                before, after = analyze(document.source), analyze(self.source)
            except SourceError:
                return replace(document, source=self.source)
            edits = difference(document.source, self.source)
            moved = follow(before, after, edits, {})
            layout = replace(layout, positions=carried(layout.positions, moved, keep=True))
        return Document(self.source, layout)
