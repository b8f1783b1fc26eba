"""The text field of the code view: line numbers, gutter marks, messages in place, flashes.

It knows text and lines only; `code.py` keeps it and the document the same.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QTextCursor,
    QTextFormat,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from paramscope.code.graph import Span
from paramscope_gui.theme import GRID, ThemeModel, glyph

FLASH_MILLISECONDS = 700
INDENT = 4


class LineMark(NamedTuple):
    """A remark on one line: glyph and colour by state role, and the words shown beside it."""

    glyph: str
    role: str
    message: str


class CodeEditor(QPlainTextEdit):
    """Plain text with a gutter. Undo is the document's, so Qt's own is off."""

    mark_pressed = Signal(int)

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._marks: Mapping[int, LineMark] = {}
        self._lit: Span | None = None
        self._running: Span | None = None
        self._flashed: tuple[int, ...] = ()
        self.setObjectName("code_editor")
        self.setAccessibleName("Source code")
        self.setUndoRedoEnabled(False)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(False)
        self.gutter = _Gutter(self)
        self._flash_timer = QTimer(self)
        self._flash_timer.setSingleShot(True)
        self._flash_timer.setInterval(FLASH_MILLISECONDS)
        self._flash_timer.timeout.connect(self._on_flash_timer_timeout)
        self.blockCountChanged.connect(self._fit_gutter)
        self.updateRequest.connect(self._on_self_update_requested)
        self.cursorPositionChanged.connect(self._show_lines)
        themes.changed.connect(self.dress)
        self.dress()

    # What the panel asks

    def text(self) -> str:
        """The text with ``\n`` at line ends, and every other character as it was typed.

        Qt's `toPlainText` would turn no-break spaces into spaces.
        """
        return self.document().toRawText().replace("\u2029", "\n")

    def dress(self) -> None:
        """Take type and colours from the theme."""
        font = self._themes.theme.font("body", mono=True)
        self.document().setDefaultFont(font)
        self.setFont(font)
        self.setStyleSheet(
            f"font-family: '{font.family()}'; font-size: {font.pixelSize()}px;"
            f" background: {self._themes.theme.panel.name()};"
        )
        self.setTabStopDistance(QFontMetricsF(font).horizontalAdvance(" ") * INDENT)
        self._fit_gutter()
        self._show_lines()

    def set_marks(self, marks: Mapping[int, LineMark]) -> None:
        """Show remarks on these lines, which count from 1."""
        if marks != self._marks:
            self._marks = dict(marks)
            self.gutter.update()
            self._show_lines()
            self.viewport().update()

    @property
    def marks(self) -> Mapping[int, LineMark]:
        """The remarks that are shown, by line."""
        return self._marks

    def light(self, span: Span | None) -> None:
        """Show what the selection stands for."""
        if span != self._lit:
            self._lit = span
            self._show_lines()

    def show_running(self, span: Span | None) -> None:
        """Show the expression that ran last, or that failed."""
        if span != self._running:
            self._running = span
            self._show_lines()

    def flash(self, lines: Sequence[int]) -> None:
        """Let edited lines light up once."""
        self._flashed = tuple(lines)
        self._flash_timer.start()
        self._show_lines()

    def replace_text(self, text: str) -> None:
        """Make ``text`` the content, touching only the stretch that differs."""
        old = self.text()
        if text == old:
            return
        head = _common_length(old, text)
        tail = _common_length(old[head:][::-1], text[head:][::-1])
        cursor = QTextCursor(self.document())
        cursor.setPosition(_utf16(old[:head]))
        cursor.setPosition(_utf16(old[: len(old) - tail]), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(text[head : len(text) - tail])

    def show_line(self, line: int) -> None:
        """Bring a line into view; the cursor stays where the user left it."""
        block = self.document().findBlockByNumber(line - 1)
        if not block.isValid():
            return
        first = self.firstVisibleBlock().blockNumber()
        height = max(1.0, self.blockBoundingRect(block).height())
        shown = int(self.viewport().height() / height)
        if not first + 1 <= line - 1 < first + shown - 1:
            self.verticalScrollBar().setValue(max(0, line - 1 - shown // 3))

    def go_to_line(self, line: int) -> None:
        """Put the cursor on a line and bring it into view."""
        block = self.document().findBlockByNumber(line - 1)
        if block.isValid():
            cursor = QTextCursor(block)
            cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
            self.setTextCursor(cursor)
            self.horizontalScrollBar().setValue(0)  # the beginning of a line says most
            self.show_line(line)

    def span_of_cursor(self) -> Span:
        """The user's selection or cursor as a span; columns are UTF-8 bytes, as everywhere."""
        cursor = self.textCursor()
        start, end = cursor.selectionStart(), cursor.selectionEnd()
        return Span(*self._place(start), *self._place(end))

    def _place(self, position: int) -> tuple[int, int]:
        block = self.document().findBlock(position)
        before = block.text().encode("utf-16-le", "surrogatepass")
        units = before[: 2 * (position - block.position())]
        text = units.decode("utf-16-le", "replace")
        return block.blockNumber() + 1, len(text.encode("utf-8", "replace"))

    def position_of(self, line: int, column: int) -> int:
        """The position of a place given by line and UTF-8 column."""
        block = self.document().findBlockByNumber(line - 1)
        if not block.isValid():
            return max(0, self.document().characterCount() - 1)
        text = block.text().encode("utf-8", "replace")[:column].decode("utf-8", "ignore")
        return block.position() + _utf16(text)

    # Drawing

    def gutter_width(self) -> int:
        """Width of the line numbers and marks."""
        digits = max(3, len(str(self.blockCount())))
        metrics = QFontMetricsF(self.font())
        return int(metrics.horizontalAdvance("9") * digits) + 4 * GRID

    def paint_gutter(self, event: QPaintEvent) -> None:
        """Draw line numbers and marks for the lines that are visible."""
        theme = self._themes.theme
        painter = QPainter(self.gutter)
        painter.fillRect(event.rect(), theme.panel)
        painter.setFont(theme.font("small", mono=True))
        current = self.textCursor().blockNumber()
        block = self.firstVisibleBlock()
        width = self.gutter.width()
        while block.isValid():
            box = self.blockBoundingGeometry(block).translated(self.contentOffset())
            if box.top() > event.rect().bottom():
                break
            line = block.blockNumber() + 1
            place = QRect(0, round(box.top()), width - GRID, round(box.height()))
            painter.setPen(theme.text if block.blockNumber() == current else theme.quiet)
            painter.drawText(
                place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), str(line)
            )
            mark = self._marks.get(line)
            if mark is not None:
                sign = glyph(mark.glyph, theme.glyphs[mark.role], 14, self.devicePixelRatioF())
                painter.drawPixmap(QPoint(GRID // 2, place.center().y() - 6), sign)
            block = block.next()

    def line_at(self, y: int) -> int:
        """The line at a height of the viewport."""
        return self.cursorForPosition(QPoint(0, y)).blockNumber() + 1

    def _fit_gutter(self) -> None:
        self.setViewportMargins(self.gutter_width(), 0, 0, 0)
        area = self.contentsRect()
        self.gutter.setGeometry(area.left(), area.top(), self.gutter_width(), area.height())

    def _on_self_update_requested(self, rect: QRect, dy: int) -> None:
        if dy:
            self.gutter.scroll(0, dy)
        else:
            self.gutter.update(0, rect.y(), self.gutter.width(), rect.height())

    def _on_flash_timer_timeout(self) -> None:
        self._flashed = ()
        self._show_lines()

    def _show_lines(self) -> None:
        theme = self._themes.theme
        shown: list[QTextEdit.ExtraSelection] = []
        current = QTextCursor(self.textCursor())
        current.clearSelection()
        shown.append(_whole_line(current, theme.window))
        for line, mark in self._marks.items():
            fill = theme.error_fill if mark.role == "vermilion" else theme.warning_fill
            shown.append(_whole_line(self._cursor_at(line), fill))
        for line in self._flashed:
            shown.append(_whole_line(self._cursor_at(line), theme.flash))
        if self._lit is not None:
            shown.append(self._stretch(self._lit, theme.selection))
        if self._running is not None:
            shown.append(self._stretch(self._running, theme.error_fill, underline=True))
        self.setExtraSelections(shown)

    def _cursor_at(self, line: int) -> QTextCursor:
        return QTextCursor(self.document().findBlockByNumber(line - 1))

    def _stretch(
        self, span: Span, color: QColor, underline: bool = False
    ) -> QTextEdit.ExtraSelection:
        cursor = QTextCursor(self.document())
        cursor.setPosition(self.position_of(span.line, span.column))
        cursor.setPosition(
            self.position_of(span.end_line, span.end_column), QTextCursor.MoveMode.KeepAnchor
        )
        selection = QTextEdit.ExtraSelection()
        selection.cursor = cursor
        style = selection.format
        style.setBackground(color)
        if underline:
            style.setUnderlineColor(self._themes.theme.glyphs["vermilion"])
            style.setUnderlineStyle(style.UnderlineStyle.WaveUnderline)
        selection.format = style
        return selection

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._marks:
            return
        theme = self._themes.theme
        painter = QPainter(self.viewport())
        painter.setFont(theme.font("small"))
        block = self.firstVisibleBlock()
        while block.isValid():
            box = self.blockBoundingGeometry(block).translated(self.contentOffset())
            if box.top() > event.rect().bottom():
                break
            mark = self._marks.get(block.blockNumber() + 1)
            if mark is not None and mark.message:
                self._paint_message(painter, block, box.toRect(), mark)
            block = block.next()

    def _paint_message(
        self, painter: QPainter, block: QTextBlock, box: QRect, mark: LineMark
    ) -> None:
        theme = self._themes.theme
        code = QFontMetricsF(self.font()).horizontalAdvance(block.text().expandtabs(INDENT))
        start = box.left() + round(code) + 4 * GRID
        place = QRect(start, box.top(), self.viewport().width() - start - GRID, box.height())
        if place.width() < 8 * GRID:
            return
        painter.setPen(theme.words[mark.role])
        text = painter.fontMetrics().elidedText(
            mark.message, Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_gutter()


class _Gutter(QWidget):
    """The strip left of the text. A mark's words are its tool tip."""

    def __init__(self, editor: CodeEditor) -> None:
        super().__init__(editor)
        self._editor = editor
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        return QSize(self._editor.gutter_width(), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._editor.paint_gutter(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        mark = self._editor.marks.get(self._editor.line_at(round(event.position().y())))
        self.setToolTip("" if mark is None else mark.message)
        shape = Qt.CursorShape.ArrowCursor if mark is None else Qt.CursorShape.PointingHandCursor
        self.setCursor(shape)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        line = self._editor.line_at(round(event.position().y()))
        self._editor.go_to_line(line)
        if line in self._editor.marks:
            self._editor.mark_pressed.emit(line)


def _common_length(one: str, other: str) -> int:
    """Return how many characters two texts share at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # a slice compares at memory speed; a loop over characters does not
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _utf16(text: str) -> int:
    """Return the length of a text in the units that Qt counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _whole_line(cursor: QTextCursor, color: QColor) -> QTextEdit.ExtraSelection:
    selection = QTextEdit.ExtraSelection()
    selection.cursor = cursor
    style = selection.format
    style.setBackground(color)
    style.setProperty(QTextFormat.Property.FullWidthSelection, True)
    selection.format = style
    return selection
