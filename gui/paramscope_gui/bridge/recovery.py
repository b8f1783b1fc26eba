"""Keeps a journal of what is not saved, and finds those that a crash has left behind.

Each journal is locked by the window that writes it: one whose window lives is not offered to
another. The lock is Qt's, which knows a dead process by its number on every platform.
"""

import os
import secrets
import threading
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer, Signal

from paramscope.document.document import Layout
from paramscope.document.files import FileError, open_file
from paramscope.document.journal import SUFFIX, Journal, Kept, read_journal
from paramscope.document.layout_block import join, read
from paramscope.document.layout_store import LayoutStore
from paramscope_gui.bridge.workspace import Workspace

NOTE_MILLISECONDS = 300  # within a second of each command, and one write for a burst of typing


class Recovery(QObject):
    """The journal of the open document. ``failed`` says once why none can be written."""

    failed = Signal(str)

    def __init__(self, workspace: Workspace, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._state, self._folder = folder, folder / "journals"
        self._journal: Journal | None = None
        self._lock: QLockFile | None = None
        self._held: dict[Path, QLockFile] = {}  # what was found, while it is not decided
        self._has_failed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(NOTE_MILLISECONDS)
        self._timer.timeout.connect(self.note)
        workspace.opened.connect(self._on_workspace_opened)
        workspace.document_changed.connect(self._on_workspace_document_changed)
        workspace.saved.connect(self._leave)

    def note(self) -> None:
        """Write down what the document is now."""
        self._timer.stop()
        workspace = self._workspace
        workspace.flush()
        if not workspace.is_dirty:
            self._leave()
            return
        try:
            if self._journal is None:
                self._begin()
            assert self._journal is not None
            self._journal.note(join(workspace.document))
            _flush_beside(self._journal.duplicate())
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                self.failed.emit(
                    f"Unsaved changes cannot be kept in {self._folder}: {error.strerror or error}."
                    " They would be lost in a crash; save often."
                )
        else:
            self._has_failed = False

    def close(self) -> None:
        """End the journal: the window closes, and its user has answered for what is unsaved."""
        self._leave()
        for lock in self._held.values():
            lock.unlock()
        self._held.clear()

    def left_behind(self) -> tuple[Kept, ...]:
        """Return what crashed windows had not saved, the newest first.

        What the files hold by now is cleared away, and so are journals that cannot be read.
        """
        found = []
        for file in self._folder.glob(f"*{SUFFIX}"):
            if file not in self._held and not self._hold(file):
                continue  # its window lives
            kept = read_journal(file)
            if kept is not None and self._is_news(kept):
                found.append(kept)
            else:
                self._forget(file)
        return tuple(sorted(found, key=lambda kept: -kept.time))

    @property
    def is_noted(self) -> bool:
        """Whether what is unsaved now is on the disk."""
        return self._journal is not None and self._journal.is_open and not self._has_failed

    def settle(self, kept: Kept) -> None:
        """Forget what was found: it was given up, or is the open document and noted as such."""
        self._forget(kept.file)

    def _begin(self) -> None:
        workspace = self._workspace
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._lock = _lock_of(file)
        self._lock.tryLock(0)
        path = workspace.path
        base = join(workspace.saved_document)
        self._journal = Journal(file, path, workspace.name, base)

    def _leave(self) -> None:
        self._timer.stop()
        if self._journal is not None:
            try:
                self._journal.remove()
            except OSError:
                pass  # it says what the file says; the next start clears it away
            self._journal = None
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None

    def _hold(self, file: Path) -> bool:
        lock = _lock_of(file)
        if not lock.tryLock(0):
            return False
        self._held[file] = lock
        return True

    def _forget(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except OSError:
            pass  # it is looked at again at the next start
        lock = self._held.pop(file, None)
        if lock is not None:
            lock.unlock()

    def _is_news(self, kept: Kept) -> bool:
        """Whether it holds what no file does; positions alone go to where they are kept."""
        if kept.path is None:
            return kept.text != kept.base
        try:
            document = open_file(kept.path).document
        except FileError:
            return True  # the file is gone: this may be all there is
        mine = read(kept.text)[0]
        if mine.source != document.source:
            return True
        if mine.layout not in (document.layout, Layout()):
            LayoutStore(self._state).put(kept.path, mine.layout)
        return False

    def _on_workspace_opened(self) -> None:
        self._leave()

    def _on_workspace_document_changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()


def _lock_of(file: Path) -> QLockFile:
    lock = QLockFile(f"{file}.lock")
    lock.setStaleLockTime(0)  # a window may live for days; only its death frees its journal
    return lock


def _flush_beside(descriptor: int) -> None:
    """Flush a file to the disk in a thread: a slow disk may take its time."""

    def flush() -> None:
        try:
            os.fsync(descriptor)
        except OSError:
            pass  # a file system that cannot flush; what was written is there all the same
        finally:
            os.close(descriptor)

    threading.Thread(target=flush, name="journal", daemon=True).start()
