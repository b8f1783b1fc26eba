"""The open document: its history, its file, and the graph of the last source that parsed.

All changes go through `Workspace.execute`; the views follow its signals.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from paramscope.check.target import Target, harness_of, is_made_up
from paramscope.code.commands import ReplaceDocument, ReplaceText
from paramscope.code.graph import Program
from paramscope.code.merge import merged
from paramscope.code.misfits import MisfitProblem, misfits
from paramscope.code.model_choice import class_made_by
from paramscope.code.parse import SourceError, parse
from paramscope.document.document import Command, CommandRefused, Document, Layout
from paramscope.document.files import (
    FileError,
    OpenedFile,
    Stamp,
    changed_outside,
    open_file,
    save_file,
)
from paramscope.document.history import History
from paramscope.document.journal import Kept
from paramscope.document.layout_block import split
from paramscope.document.layout_store import LayoutStore
from paramscope.document.run_settings import RunSettings, run_settings

UNTITLED = "untitled.py"


# Asked at each snapshot of a run; making it reads the whole source.
_harness_of = lru_cache(maxsize=4)(harness_of)


class Workspace(QObject):
    """The document that the window shows. A source that doesn't parse keeps the last good graph."""

    document_changed = Signal()
    program_changed = Signal()
    opened = Signal()
    flush_requested = Signal()  # views hand over what is typed and not yet a command
    saved = Signal()
    refused = Signal(str, object)
    file_failed = Signal(str)

    def __init__(
        self,
        document: Document | None = None,
        layouts: LayoutStore | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._layouts = layouts
        self._stamp: Stamp | None = None
        self._has_bom = False
        self._saved = document or Document(source="")
        self._program = Program(graphs={})
        self._error: SourceError | None = None
        self._misfits: tuple[MisfitProblem, ...] | None = None  # not looked for yet
        self._path: Path | None = None
        self._name = UNTITLED
        self._revision = 0
        self._last_label = ""
        self._is_flushing = False
        self._is_opening = False
        self._history = History(self._saved)
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
    def misfits(self) -> tuple[MisfitProblem, ...]:
        """Places of the model that cannot run with what ``batch()`` gives, as the source has it."""
        if self._misfits is None:
            is_whole = self._error is None
            self._misfits = misfits(self._program, self.document.source) if is_whole else ()
        return self._misfits

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
    def run_settings(self) -> RunSettings:
        """What of the document is run, and on which engine."""
        return run_settings(self.document.layout)

    @property
    def harness(self) -> str:
        """The lines that are run behind the source where it lacks what a document has."""
        chosen = self.run_settings
        target = Target(self.name, Path(self.filename), chosen.model, chosen.input)
        return _harness_of(target, self.document.source)

    @property
    def has_made_up_training(self) -> bool:
        """Whether loss or optimizer are not the document's own, and say nothing about it."""
        return is_made_up(self.harness)

    @property
    def is_dirty(self) -> bool:
        """Whether there is something that a save would write."""
        return self._history.is_dirty

    @property
    def has_work_to_lose(self) -> bool:
        """Whether closing would lose work; positions alone of a file are kept by `keep_layout`."""
        if self._path is None:
            return self._history.is_dirty
        return self._history.is_dirty and self.document.source != self._saved.source

    @property
    def saved_document(self) -> Document:
        """The document as it was opened or last saved."""
        return self._saved

    @property
    def revision(self) -> int:
        """Counts the sources that were shown; the worker's messages name it."""
        return self._revision

    @property
    def is_opening(self) -> bool:
        """Whether `program_changed` is about to tell what `opened` tells now."""
        return self._is_opening

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

    def execute(self, command: Command, merge_key: str | None = None) -> bool:
        """Apply a command; a refusal is told by `refused` and leaves everything as it was.

        Commands with one ``merge_key`` that follow each other are one step of undo.
        """
        self.flush()
        try:
            self._history.execute(command, merge_key)
        except CommandRefused as refusal:
            self.refused.emit(refusal.reason, refusal.repair)
            return False
        self._last_label = command.label
        self._follow()
        return True

    def end_merge(self) -> None:
        """Let the next command begin a step of its own."""
        self._history.end_merge()

    def undo(self) -> None:
        """Take the last command back."""
        self.flush()
        label = self._history.undo_label
        if label is not None:
            self._history.undo()
            self._last_label = f"undo {label}"
            self._follow()

    def undo_all(self) -> None:
        """Go back to how the document was opened, as a talk that is given again needs it."""
        self.flush()
        if self._history.undo_label is None:
            return
        while self._history.undo_label is not None:
            self._history.undo()
        self._last_label = "undo everything"
        self._follow()

    def redo(self) -> None:
        """Do again what was taken back last."""
        self.flush()
        label = self._history.redo_label
        if label is not None:
            self._history.redo()
            self._last_label = label
            self._follow()

    def flush(self) -> None:
        """Have the views hand over what was typed and is not in the document yet."""
        if not self._is_flushing:
            self._is_flushing = True
            self.flush_requested.emit()
            self._is_flushing = False

    def new(self, document: Document, name: str = UNTITLED) -> None:
        """Show a document that has no file yet."""
        self.keep_layout()
        self._stamp, self._has_bom = None, False
        self._show(document, None, name)

    def open_file(self, path: Path) -> bool:
        """Open a file without running it; what keeps it from opening is told by `file_failed`."""
        try:
            opened = open_file(path)
        except FileError as error:
            self.file_failed.emit(str(error))
            return False
        document = opened.document
        if document.layout == Layout() and self._layouts is not None:
            document = replace(document, layout=self._layouts.get(path) or Layout())
        self.keep_layout()
        self._stamp, self._has_bom = opened.stamp, opened.has_bom
        self._show(document, path, path.name)
        for notice in opened.notices:
            self.file_failed.emit(notice.message)
        return True

    def save(self, path: Path | None = None) -> bool:
        """Save to ``path`` or to the document's own file; a failure is told by `file_failed`."""
        self.flush()
        target = path or self._path
        if target is None:
            return False
        try:
            self._stamp = save_file(target, self.document, self._has_bom)
        except FileError as error:
            self.file_failed.emit(str(error))
            return False
        self._path = target
        self._history.mark_saved()
        self._saved = self.document
        if self._layouts is not None:
            self._layouts.drop(target)
        self.saved.emit()
        self.document_changed.emit()
        return True

    def has_changed_outside(self) -> bool:
        """Whether another program has changed the file since it was read or written."""
        if self._path is None or self._stamp is None:
            return False
        return changed_outside(self._path, self._stamp)

    def outside(self) -> OpenedFile | None:
        """Return what the file holds now; None if it cannot be read."""
        if self._path is None:
            return None
        try:
            return open_file(self._path)
        except FileError:
            return None

    def merge_with(self, theirs: str) -> str | None:
        """Return the source with another program's changes; None if there is no such thing.

        That is where nothing was changed here, or both changed the same lines.
        """
        base, mine = self._saved.source, self.document.source
        return None if mine in (base, theirs) else merged(base, mine, theirs)

    def take_outside(self, opened: OpenedFile, source: str, label: str) -> None:
        """Go on from what another program wrote: with ``source``, as one step to be undone.

        Nodes stay where they lie unless the file says otherwise.
        """
        there = opened.document
        document = ReplaceText(source, label).apply(self.document)
        if there.layout not in (Layout(), self._saved.layout):
            document = replace(document, layout=there.layout)
        self._stamp, self._has_bom = opened.stamp, opened.has_bom
        self._saved = there
        self.execute(ReplaceDocument(document, label))
        self._history.mark_saved(replace(document, source=there.source))
        self.document_changed.emit()

    def keep_mine(self) -> None:
        """Take note that the file differs, and that the document is to stay as it is."""
        if self._path is not None:
            try:
                self._stamp = open_file(self._path).stamp
            except FileError:
                self._stamp = None  # it is gone; the next save writes it anew
            self._history.mark_unsaved()
            self._saved = Document(source="")
            self.document_changed.emit()

    def restore(self, kept: Kept) -> bool:
        """Show a document that a crash has left unsaved, as a change of what its file holds."""
        if kept.path is None or not self.open_file(kept.path):
            self.new(split(kept.base), kept.name)
        return self.execute(ReplaceDocument(split(kept.text), "Restore unsaved changes"))

    def keep_layout(self) -> None:
        """Keep positions that were moved in a file whose text was not changed nor saved."""
        if self._path is None or self._layouts is None:
            return
        if self.document.layout != self._saved.layout and not self.has_changed_outside():
            self._layouts.put(self._path, self.document.layout)

    def _show(self, document: Document, path: Path | None, name: str) -> None:
        self._saved = document
        self._history = History(document)
        self._path, self._name = path, name
        self._last_label = ""
        self._program = Program(graphs={})
        self._revision += 1
        self._read_program()
        self._is_opening = True
        self.opened.emit()
        self._is_opening = False
        self.program_changed.emit()
        self.document_changed.emit()

    def _follow(self) -> None:
        before = self._program
        self._revision += 1
        self._read_program()
        if self._program != before:
            self.program_changed.emit()
        self.document_changed.emit()

    def _chosen_model(self) -> str:
        """Return the class that is looked at where the file itself does not say it."""
        model = self.run_settings.model
        return class_made_by(self.document.source, model) if model else ""

    def _read_program(self) -> None:
        self._misfits = None
        try:
            program = parse(self.document.source)
            self._program = replace(program, model=self._chosen_model() or program.model)
        except SourceError as error:
            self._error = error
        else:
            self._error = None
