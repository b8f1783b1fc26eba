"""The question what becomes of work that a crash has left unsaved: restore, keep the file, both.

It shows what differs, and decides nothing by itself: closed without an answer, it asks again at
the next start. Nothing is opened or run before the user has chosen.
"""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QDateTime, QLocale, Signal
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QPlainTextEdit,
    QTextEdit,
    QVBoxLayout,
)

from paramscope.document.files import FileError, open_file
from paramscope.document.journal import Kept
from paramscope.document.layout_block import split
from paramscope_gui.panels.proof import changed_lines
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import Hairline, WrappedLabel, button
from paramscope_gui.window.documents import Documents
from paramscope_gui.window.main import MainWindow

MOST_LINES = 2_000  # of a difference that are shown
ENTRY = "file_recover"


class Rescue:
    """Asks at the start, and again from the File menu as long as something is undecided."""

    def __init__(self, window: MainWindow, documents: Documents) -> None:
        self._window, self._documents = window, documents
        self._dialog: RecoveryDialog | None = None
        menus = window.menus
        self._entry = menus.add(menus.file, ENTRY, "Recover unsaved changes...", self.ask)
        self._entry.setEnabled(False)
        documents.opened.connect(self.step_back)

    @property
    def dialog(self) -> "RecoveryDialog | None":
        """The dialog, while it is open."""
        dialog = self._dialog
        return dialog if dialog is not None and dialog.isVisible() else None

    def ask(self) -> None:
        """Show what was left behind, if anything was."""
        found = self._documents.recovery.left_behind()
        self._entry.setEnabled(bool(found))
        if not found:
            if self._dialog is not None:
                self._dialog.close()
            return
        if self._dialog is None:
            self._dialog = RecoveryDialog(self._window.themes, self._window)
            self._dialog.answered.connect(self._take)
        self._dialog.offer(found)

    def step_back(self) -> None:
        """Let the user go on with another document; the menu and the next start ask again."""
        if self._dialog is not None:
            self._dialog.close()

    def close(self) -> None:
        """Close the dialog; called once, when the window closes."""
        if self._dialog is not None:
            self._dialog.close()
            self._dialog.deleteLater()
            self._dialog = None

    def _take(self, kept: Kept, answer: str) -> None:
        if answer == "keep":
            self._documents.recovery.settle(kept)
        elif answer == "both":
            stem = Path(kept.name).stem
            self._documents.restore(replace(kept, path=None, name=f"{stem} (restored).py"))
        else:
            self._documents.restore(kept)
        if answer != "keep" and self._dialog is not None:
            self._dialog.close()  # what else was left stays, and is offered by the menu
            self._entry.setEnabled(bool(self._documents.recovery.left_behind()))
        else:
            self.ask()


class RecoveryDialog(QDialog):
    """What was left behind; ``answered`` tells the answer for one. It is not modal."""

    answered = Signal(object, str)

    def __init__(self, themes: ThemeModel, parent: MainWindow) -> None:
        super().__init__(parent)
        self._themes = themes
        self._found: tuple[Kept, ...] = ()
        self.setObjectName("recovery_dialog")
        self.setAccessibleName("Unsaved changes of a window that did not close")
        self.setWindowTitle("Unsaved changes")
        self._about = WrappedLabel(themes)
        self._about.setObjectName("recovery_about")
        self._list = QListWidget()
        self._list.setObjectName("recovery_list")
        self._list.setAccessibleName("Documents with unsaved changes")
        self._list.setMaximumHeight(12 * GRID)
        self._list.currentRowChanged.connect(self._show)
        self._text = QPlainTextEdit()
        self._text.setObjectName("recovery_difference")
        self._text.setAccessibleName("What differs")
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._keep = button("Keep the file", "recovery_keep", lambda: self._answer("keep"))
        self._both = button("Open as a copy", "recovery_both", lambda: self._answer("both"))
        self._restore = button(
            "Restore", "recovery_restore", lambda: self._answer("restore"), primary=True
        )
        self._later = button("Later", "recovery_later", self.close, flat=True)
        self._arrange()

    def offer(self, found: tuple[Kept, ...]) -> None:
        """Show these, the newest first."""
        self._found = found
        self._list.blockSignals(True)
        self._list.clear()
        self._list.addItems([f"{kept.name}   {_when(kept)}" for kept in found])
        self._list.blockSignals(False)
        self._list.setVisible(len(found) > 1)
        self._list.setCurrentRow(0)
        self._show(0)
        parent = self.parentWidget()
        if parent is not None:
            self.resize(min(96 * GRID, parent.width()), min(64 * GRID, parent.height()))
        self.show()
        self.activateWindow()
        self._text.setFocus()  # not a button: what the user is typing just now must not press it

    def _arrange(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self._later)
        row.addStretch(1)
        for one in (self._keep, self._both, self._restore):
            row.addWidget(one)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID + GRID // 2)
        column.addWidget(self._about)
        column.addWidget(self._list)
        column.addWidget(self._text, 1)
        column.addWidget(Hairline(self._themes))
        column.addLayout(row)

    def _show(self, row: int) -> None:
        if not 0 <= row < len(self._found):
            return
        kept = self._found[row]
        now, state = _present(kept)
        self._about.setText(
            f"`{kept.name}` was changed and not saved when its window ended, {_when(kept)}."
            f" {state} Lines behind `-` are the file's, those behind `+` were not saved."
        )
        self._keep.setText("Discard" if kept.path is None else "Keep the file")
        self._keep.setAccessibleName(self._keep.text())
        self._both.setVisible(kept.path is not None)
        lines = changed_lines(split(now).source, split(kept.text).source)
        shown = lines[:MOST_LINES]
        if len(lines) > MOST_LINES:
            shown.append(f"  and {len(lines) - MOST_LINES:,} more lines")
        theme = self._themes.theme
        self._text.setFont(theme.font("small", mono=True))
        self._text.setPlainText("\n".join(shown) or "Only places on the canvas differ.")
        marks = []
        for number, line in enumerate(shown):
            if line[:1] in "-+":
                fill = theme.error_fill if line[0] == "-" else theme.flash
                marks.append(self._mark(number, fill))
        self._text.setExtraSelections(marks)

    def _mark(self, number: int, fill: QColor) -> QTextEdit.ExtraSelection:
        mark = QTextEdit.ExtraSelection()
        look = QTextCharFormat()
        look.setBackground(fill)
        look.setProperty(QTextFormat.Property.FullWidthSelection, True)
        mark.format = look
        mark.cursor = QTextCursor(self._text.document().findBlockByNumber(number))
        return mark

    def _answer(self, answer: str) -> None:
        row = max(0, self._list.currentRow())
        self.answered.emit(self._found[row], answer)


def _present(kept: Kept) -> tuple[str, str]:
    """Return the text that the kept one is compared with, and what is to be said of it."""
    if kept.path is None:
        return kept.base, "It was never saved to a file."
    try:
        opened = open_file(kept.path)
    except FileError:
        return kept.base, f"The file {kept.path} is gone or cannot be read."
    source = opened.document.source
    if source != split(kept.base).source:
        return source, "The file was changed since by another program."
    return source, "The file is as it was."


def _when(kept: Kept) -> str:
    moment = QDateTime.fromSecsSinceEpoch(round(kept.time))
    english = QLocale(QLocale.Language.English)
    return english.toString(moment, "d MMMM yyyy, HH:mm")
