"""A document as an immutable value: the Python source and where things lie on the canvas.

A command is a function from one document to the next, and the only way a document changes;
undo, dirty state, autosave and recovery are then lists of these values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Point(NamedTuple):
    """A place on the canvas in scene units (1 unit = 1 pixel at 100 %), y downwards."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where nodes lie, by ``scope/node id`` (``Net/fc1``), and settings of the view.

    A node without an entry is placed by the automatic layout and moves with it until the
    user places it. ``extra`` keeps what a newer version wrote, so that saving never loses it.
    """

    positions: Mapping[str, Point] = field(default_factory=dict)
    view: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """Python source and its layout. ``source`` is what runs and what the code view shows.

    The file on disk is ``source`` with the layout as the table ``[tool.paramscope]`` of its
    inline metadata block; :mod:`paramscope.document.layout_block` splits and joins the two.
    """

    source: str
    layout: Layout = field(default_factory=Layout)


class Command(Protocol):
    """A change of the document that can be undone; ``label`` names it in the menus."""

    @property
    def label(self) -> str: ...

    def apply(self, document: Document) -> Document:
        """Return the document after the change; raise `CommandRefused` to leave it as it is."""
        ...


class CommandRefused(ValueError):  # noqa: N818  (a refusal is an answer, not a fault)
    """A command does not fit the document: ``reason`` in the user's words, ``repair`` if any.

    ``repair`` is a command that makes the wish come true another way, offered as one key.
    """

    def __init__(self, reason: str, repair: Command | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.repair = repair
