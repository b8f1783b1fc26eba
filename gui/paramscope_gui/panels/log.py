"""The log: what the user's code prints, warnings and tracebacks with links to their lines."""

import re

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QStackedLayout, QWidget

from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.theme import ThemeModel
from paramscope_gui.widgets import EmptyState

MOST_LINES = 5000
MOST_CHARACTERS = 40_000  # of one delivery; a flood keeps its end
LONGEST_LINE = 1_000  # characters; the layout of a longer one takes the window's time
FRAME = re.compile(r'File "([^"]+)", line (\d+)')


class LogPanel(QWidget):
    """Bounded text; a click on a traceback's line of the document goes there."""

    line_requested = Signal(int)

    def __init__(
        self,
        themes: ThemeModel,
        workspace: Workspace,
        live: Live,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._themes, self._workspace, self._live = themes, workspace, live
        self.text = _LogText(self)
        empty = EmptyState(
            themes, "log", "What the model's code prints appears here, and every traceback."
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.text)
        self._stack.addWidget(empty)
        self._stack.setCurrentIndex(1)
        live.output_arrived.connect(self._on_live_output_arrived)
        live.failed.connect(self._on_live_failed)
        workspace.opened.connect(self.clear)
        themes.changed.connect(self._dress)
        self._dress()

    def clear(self) -> None:
        """Empty the log."""
        self.text.clear()
        self._stack.setCurrentIndex(1)

    def say(self, text: str, role: str = "quiet") -> None:
        """Write a remark of the application's own, on a line for itself."""
        if self.text.textCursor().positionInBlock():
            text = f"\n{text}"
        self._write(f"{text}\n", self._themes.theme.words.get(role) or self._themes.theme.quiet)

    def follow_link(self, line_text: str) -> None:
        """Go to the line of the document that a line of a traceback names."""
        found = FRAME.search(line_text)
        if found and found.group(1) == self._workspace.filename:
            self.line_requested.emit(int(found.group(2)))

    def _dress(self) -> None:
        theme = self._themes.theme
        font = theme.font("small", mono=True)
        self.text.setFont(font)
        self.text.setStyleSheet(f"font-family: '{font.family()}'; font-size: {theme.small}px;")

    def _on_live_output_arrived(self, stream: str, text: str) -> None:
        theme = self._themes.theme
        color = theme.words["vermilion"] if stream == "stderr" else theme.text
        self._write(bounded(text), color)

    def _on_live_failed(self) -> None:
        failure = self._live.failure
        if failure is not None:
            self.say(failure.text.rstrip() or f"{failure.kind}: {failure.message}", "vermilion")

    def _write(self, text: str, color: QColor) -> None:
        self._stack.setCurrentIndex(0)
        bar = self.text.verticalScrollBar()
        was_at_end = bar.value() >= bar.maximum() - 2
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        style = QTextCharFormat()
        style.setForeground(color)
        cursor.insertText(text, style)
        if was_at_end:
            bar.setValue(bar.maximum())


def bounded(text: str) -> str:
    """Return what of a delivery is shown: its end, and of a very long line its beginning."""
    if len(text) > MOST_CHARACTERS:
        left_out = len(text) - MOST_CHARACTERS
        text = f"... {left_out:,} characters left out ...\n{text[-MOST_CHARACTERS:]}"
    if len(text) <= LONGEST_LINE:
        return text
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if len(line) > LONGEST_LINE:
            lines[place] = f"{line[:LONGEST_LINE]} ... {len(line) - LONGEST_LINE:,} more"
    return "\n".join(lines)


class _LogText(QPlainTextEdit):
    def __init__(self, panel: LogPanel) -> None:
        super().__init__(panel)
        self._panel = panel
        self.setObjectName("log_text")
        self.setAccessibleName("Log")
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setMaximumBlockCount(MOST_LINES)
        self.setMouseTracking(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        text = self.cursorForPosition(event.position().toPoint()).block().text()
        shape = (
            Qt.CursorShape.PointingHandCursor if FRAME.search(text) else Qt.CursorShape.IBeamCursor
        )
        self.viewport().setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if not self.textCursor().hasSelection():
            text = self.cursorForPosition(event.position().toPoint()).block().text()
            self._panel.follow_link(text)
