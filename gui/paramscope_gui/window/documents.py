"""Opening, saving and trusting documents: the questions around a file, none of them in the way.

A file from the disk is drawn without running it; its code runs when the user says so.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox

from paramscope.document.document import Document
from paramscope.document.journal import Kept
from paramscope.document.recent import RecentFiles
from paramscope_gui.bridge.presence import Presence
from paramscope_gui.bridge.recovery import Recovery
from paramscope_gui.panels.notice import Choice
from paramscope_gui.window.main import MainWindow

SETTLE_MILLISECONDS = 150  # an editor that saves writes more than once
PYTHON_FILES = "Python files (*.py);;All files (*)"
SAVE, DISCARD, CANCEL = "save", "discard", "cancel"


class Documents(QObject):
    """What the File menu does. A test may answer the three questions in the user's place."""

    opened = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._workspace, self._live = window.workspace, window.live
        self._recent = RecentFiles(window.settings.folder)
        self._presence = Presence(window.settings.folder)
        self._recovery = Recovery(window.workspace, window.settings.folder, self)
        self._recovery.failed.connect(self._on_recovery_failed)
        self.ask_open: Callable[[], str] = self._ask_open
        self.ask_save: Callable[[str], str] = self._ask_save
        self.ask_unsaved: Callable[[str], str] = self._ask_unsaved
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._on_watcher_file_changed)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MILLISECONDS)
        self._settle.timeout.connect(self._look_outside)
        window.may_close = self.may_leave
        window.closing.connect(self._on_window_closing)
        self._workspace.file_failed.connect(self._on_workspace_file_failed)
        self._workspace.saved.connect(self._on_workspace_saved)
        self._live.trust_needed.connect(self._on_live_trust_needed)
        self.ask_model: Callable[[], bool] = lambda: False
        self.show_recent()

    @property
    def recent(self) -> tuple[Path, ...]:
        """The files that were open last, the newest first."""
        return self._recent.paths()

    @property
    def recovery(self) -> Recovery:
        """What keeps unsaved work, and knows what a crash has left."""
        return self._recovery

    # What the menu does

    def restore(self, kept: Kept) -> bool:
        """Show what a crash has left unsaved; it is forgotten once it is noted anew."""
        if not self.may_leave():
            return False
        is_trusted = kept.path is not None and self._window.settings.is_trusted(kept.path)
        self._live.set_trusted(is_trusted)
        self._begin()
        self._workspace.restore(kept)
        self._recovery.note()
        if self._recovery.is_noted:
            self._recovery.settle(kept)
        self._end()
        if not is_trusted:
            self._ask_for_trust(self._workspace.name)
        return True

    def new(self, document: Document, name: str) -> None:
        """Show a document that has no file yet: a new model, an example, a lesson."""
        if self.may_leave():
            self._live.set_trusted(True)
            self._begin()
            self._workspace.new(document, name)
            self._end()

    def open_dialog(self) -> None:
        """Ask which file to open, and open it."""
        name = self.ask_open()
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> bool:
        """Open a file; its code runs only if the user has trusted it before."""
        if not self.may_leave():
            return False
        trusted_before = self._live.is_trusted
        trusted = self._window.settings.is_trusted(path)
        self._live.set_trusted(trusted)
        self._begin()
        if not self._workspace.open_file(path):
            self._live.set_trusted(trusted_before)
            return False
        self._recent.add(path)
        self._end()
        if not trusted:
            self._ask_for_trust(path.name)
        return True

    def save(self) -> bool:
        """Save to the document's file, or ask for one; tell whether it was saved.

        What another program wrote there meanwhile is never overwritten unasked.
        """
        self._workspace.flush()
        path = self._workspace.path
        if path is None:
            return self.save_as()
        if path.exists() and self._workspace.has_changed_outside():
            self._look_outside()
            return False
        return self._workspace.save()

    def save_as(self) -> bool:
        """Ask for a file and save there."""
        self._workspace.flush()
        name = self.ask_save(str(self._workspace.path or self._workspace.name))
        if not name:
            return False
        path = Path(name)
        if not self._workspace.save(path if path.suffix else path.with_suffix(".py")):
            return False
        # What was composed here and saved by the user's own hand needs no further consent.
        if self._live.is_trusted and self._workspace.path is not None:
            self._window.settings.trust(self._workspace.path)
        return True

    def may_leave(self) -> bool:
        """Ask about unsaved changes; tell whether the document may go."""
        self._workspace.flush()
        if not self._workspace.has_work_to_lose:
            return True
        answer = self.ask_unsaved(self._workspace.name)
        if answer == SAVE:
            return self.save()
        return answer == DISCARD

    def run_untrusted(self) -> None:
        """Run the code of the present file: the user has said so."""
        self.trust_and_load()
        self._live.play()

    def trust_and_load(self) -> None:
        """Let the code of the present document run, as the user has just said, and load it."""
        path = self._workspace.path
        if path is not None:
            self._trust(path)
        else:
            self._window.notices.withdraw("trust")
            self._live.run_document()

    def show_recent(self) -> None:
        """Bring the welcome page up to date."""
        self._window.welcome.show_recent(self.recent)

    # Inside

    def _trust(self, place: Path) -> None:
        self._window.settings.trust(place)
        self._window.notices.withdraw("trust")
        self._live.run_document()

    def _ask_for_trust(self, name: str) -> None:
        choices: list[Choice] = [("Run this file's code", self.run_untrusted)]
        path = self._workspace.path
        if path is not None:
            choices.append(("Trust its folder", partial(self._trust, path.parent)))
        text = f"{name} is drawn without running it. Play, or the button, runs its code."
        self._window.notices.say("trust", "info", text, choices)

    def _begin(self) -> None:
        for key in (
            "trust",
            "outside",
            "elsewhere",
            "file",
            "failure",
            "refused",
            "lesson",
            "made_up",
        ):
            self._window.notices.withdraw(key)

    def _end(self) -> None:
        self._window.show_work()
        self._watch()
        self._say_who_else()
        self.show_recent()
        self.opened.emit()

    def _say_who_else(self) -> None:
        """Tell when another window has the same file open."""
        path = self._workspace.path
        other = self._presence.claim(path)
        if other is None or path is None:
            self._window.notices.withdraw("elsewhere")
            return
        self._window.notices.say(
            "elsewhere",
            "warning",
            f"{path.name} is open in another window of Paramscope (process {other}) as well. What"
            " is saved there is offered here, as if another program had changed the file.",
        )

    def _watch(self) -> None:
        files = self._watcher.files()
        if files:
            self._watcher.removePaths(files)
        if self._workspace.path is not None:
            self._watcher.addPath(str(self._workspace.path))

    def _look_outside(self) -> None:
        self._watch()
        path = self._workspace.path
        if path is None or not self._workspace.has_changed_outside():
            return
        opened = self._workspace.outside()
        choices: list[Choice] = [("Keep mine", self._keep)]
        text = f"{path.name} was changed by another program."
        if opened is None:
            text = f"{path.name} was removed or cannot be read any more. Saving writes it anew."
        else:
            theirs = opened.document.source
            reload = partial(self._workspace.take_outside, opened, theirs, "Reload")
            choices.insert(0, ("Reload", partial(self._settle_outside, reload)))
            both = self._workspace.merge_with(theirs)
            if both is not None:
                text += " Its changes and yours can be merged; Undo takes that back."
                merge = partial(self._workspace.take_outside, opened, both, "Merge")
                choices.insert(0, ("Merge", partial(self._settle_outside, merge)))
            elif self._workspace.has_work_to_lose:
                text += " You both changed the same lines. Undo brings yours back after a reload."
        self._window.notices.say("outside", "warning", text, choices)

    def _settle_outside(self, take: Callable[[], None]) -> None:
        self._window.notices.withdraw("outside")
        self._workspace.flush()
        take()

    def _keep(self) -> None:
        self._window.notices.withdraw("outside")
        self._workspace.keep_mine()

    def _on_watcher_file_changed(self, _: str) -> None:
        self._settle.start()

    def _on_live_trust_needed(self) -> None:
        if not self.ask_model():
            self.run_untrusted()

    def _on_window_closing(self) -> None:
        self._settle.stop()
        self._workspace.keep_layout()
        self._recovery.close()
        self._presence.release()

    def _on_workspace_file_failed(self, text: str) -> None:
        self._window.notices.say("file", "error", text)

    def _on_recovery_failed(self, text: str) -> None:
        self._window.notices.say("journal", "warning", text)

    def _on_workspace_saved(self) -> None:
        self._window.notices.withdraw("outside")
        self._window.notices.withdraw("file")
        if self._workspace.path is not None:
            self._recent.add(self._workspace.path)
        self._watch()
        self._say_who_else()
        self.show_recent()

    def _ask_open(self) -> str:
        folder = str(self.recent[0].parent) if self.recent else str(Path.home())
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Open a Python file", folder, PYTHON_FILES
        )
        return name

    def _ask_save(self, name: str) -> str:
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Save as", name, PYTHON_FILES)
        return chosen

    def _ask_unsaved(self, name: str) -> str:
        box = QMessageBox(self._window)
        box.setObjectName("unsaved_question")
        box.setWindowTitle("Unsaved changes")
        box.setText(f"{name} has changes that are not saved.")
        box.setInformativeText("Save them before it is closed?")
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        answer = box.exec()
        box.deleteLater()
        return {buttons.Save: SAVE, buttons.Discard: DISCARD}.get(
            QMessageBox.StandardButton(answer), CANCEL
        )
