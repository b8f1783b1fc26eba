"""The open document: its history, its file, and the graph of the last source that parsed.

All changes go through `Workspace.execute`; the views follow its signals.
"""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from paramscope.code.graph import Program
from paramscope.code.parse import SourceError, parse
from paramscope.document.document import Command, CommandRefused, Document

UNTITLED = "untitled.py"


class History:
    """The documents that were, and those that were undone; the last of ``done`` is shown."""

    def __init__(self, document: Document) -> None:
        self._done: list[tuple[Document, str]] = [(document, "")]
        self._undone: list[tuple[Document, str]] = []
        self._saved = document

    @property
    def document(self) -> Document:
        return self._done[-1][0]

    @property
    def is_dirty(self) -> bool:
        return self.document != self._saved

    @property
    def undo_label(self) -> str | None:
        return self._done[-1][1] if len(self._done) > 1 else None

    @property
    def redo_label(self) -> str | None:
        return self._undone[-1][1] if self._undone else None

    def execute(self, command: Command) -> None:
        self._done.append((command.apply(self.document), command.label))
        self._undone.clear()

    def undo(self) -> None:
        self._undone.append(self._done.pop())

    def redo(self) -> None:
        self._done.append(self._undone.pop())

    def mark_saved(self) -> None:
        self._saved = self.document


class Workspace(QObject):
    """The document that the window shows. A source that doesn't parse keeps the last good graph."""

    document_changed = Signal()
    program_changed = Signal()
    opened = Signal()
    saved = Signal()
    refused = Signal(str, object)
    file_failed = Signal(str)

    def __init__(self, document: Document | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._program = Program(graphs={})
        self._error: SourceError | None = None
        self._path: Path | None = None
        self._name = UNTITLED
        self._revision = 0
        self._last_label = ""
        self._history = History(document or Document(source=""))
        self._read_program()

    @property
    def document(self) -> Document:
        """The document as it stands."""
        return self._history.document

    @property
    def program(self) -> Program:
        """The graphs of the last source that parsed."""
        return self._program

    @property
    def source_error(self) -> SourceError | None:
        """Why the present source does not parse, or None."""
        return self._error

    @property
    def path(self) -> Path | None:
        """The file the document lives in; None for a new one."""
        return self._path

    @property
    def name(self) -> str:
        """What the title shows: the file's name, or that of the example it began as."""
        return self._path.name if self._path else self._name

    @property
    def filename(self) -> str:
        """The name that tracebacks give the source."""
        return str(self._path) if self._path else self._name

    @property
    def is_dirty(self) -> bool:
        """Whether there is something that a save would write."""
        return self._history.is_dirty

    @property
    def revision(self) -> int:
        """Counts the sources that were shown; the worker's messages name it."""
        return self._revision

    @property
    def last_label(self) -> str:
        """What the last change was, in words."""
        return self._last_label

    @property
    def undo_label(self) -> str | None:
        """What undo would take back, or None."""
        return self._history.undo_label

    @property
    def redo_label(self) -> str | None:
        """What redo would do again, or None."""
        return self._history.redo_label

    def execute(self, command: Command) -> bool:
        """Apply a command; a refusal is told by `refused` and leaves everything as it was."""
        try:
            self._history.execute(command)
        except CommandRefused as refusal:
            self.refused.emit(refusal.reason, refusal.repair)
            return False
        self._last_label = command.label
        self._follow()
        return True

    def undo(self) -> None:
        """Take the last command back."""
        label = self._history.undo_label
        if label is not None:
            self._history.undo()
            self._last_label = f"undo {label}"
            self._follow()

    def redo(self) -> None:
        """Do again what was taken back last."""
        label = self._history.redo_label
        if label is not None:
            self._history.redo()
            self._last_label = label
            self._follow()

    def new(self, document: Document, name: str = UNTITLED) -> None:
        """Show a document that has no file yet."""
        self._show(document, None, name)

    def _show(self, document: Document, path: Path | None, name: str) -> None:
        self._history = History(document)
        self._path, self._name = path, name
        self._last_label = ""
        self._program = Program(graphs={})
        self._revision += 1
        self._read_program()
        self.opened.emit()
        self.program_changed.emit()
        self.document_changed.emit()

    def _follow(self) -> None:
        before = self._program
        self._revision += 1
        self._read_program()
        if self._program != before:
            self.program_changed.emit()
        self.document_changed.emit()

    def _read_program(self) -> None:
        try:
            self._program = parse(self.document.source)
        except SourceError as error:
            self._error = error
        else:
            self._error = None
