"""The code view: the document's source, edited in place, with what is wrong at its line.

Typed text becomes a command after a short rest; a command from elsewhere changes only the
lines that differ, and lets them flash once.
"""

import re

from PySide6.QtCore import QElapsedTimer, QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut, QTextCursor, QTextDocument
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from paramscope.code.commands import ReplaceText
from paramscope.code.graph import Span
from paramscope.code.text_edit import changed_spans
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.code_editor import INDENT, CodeEditor, LineMark
from paramscope_gui.panels.code_lexer import Highlighter
from paramscope_gui.theme import GRID, SEVERITIES, ThemeModel
from paramscope_gui.widgets import ThemedLabel, button

TYPING_MILLISECONDS = 250
LONGEST_TYPING = 800  # milliseconds without a rest, after which it is a command all the same
BURST_MILLISECONDS = 1500
LINE_END = re.compile("\r\n|\r|\u2029")
MILD_TO_BAD = "HWE"


def editor_text(source: str) -> str:
    """Return the source as the editor holds it: every line end is ``\\n``."""
    return LINE_END.sub("\n", source)


def with_line_ends(source: str, text: str) -> str:
    """Return ``text`` with the line ends of ``source``: untouched lines keep theirs byte for byte.

    New lines take the line end that the source begins with.
    """
    if not LINE_END.search(source):
        return text
    old = re.findall("[^\r\n\u2029]*(?:\r\n|\r|\n|\u2029|$)", source)
    new = re.findall("[^\n]*(?:\n|$)", text)
    plain = [LINE_END.sub("\n", line) for line in old]
    head = 0
    while head < min(len(plain), len(new)) and plain[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(plain), len(new)) - head and plain[-1 - tail] == new[-1 - tail]:
        tail += 1
    first = re.search("\r\n|\r|\n", source)
    end = first.group() if first else "\n"
    middle = [line.replace("\n", end) for line in new[head : len(new) - tail]]
    return "".join(old[:head] + middle + old[len(old) - tail :])


class CodePanel(QWidget):
    """The editor with its find bar. It owns no text: the document does."""

    def __init__(
        self,
        themes: ThemeModel,
        workspace: Workspace,
        selection: Selection,
        live: Live,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._themes, self._workspace = themes, workspace
        self._selection, self._live = selection, live
        self._is_following = False
        self._bursts = 0
        self._burst_line = -1
        self._since_typed = QElapsedTimer()
        self._since_handed_over = QElapsedTimer()
        self.editor = CodeEditor(themes)
        self._highlighter = Highlighter(self.editor.document(), themes.theme)
        self.find_bar = FindBar(themes, self.editor)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.editor, 1)
        column.addWidget(self.find_bar)
        self._verdicts: dict[int, tuple[str, str]] = {}  # rule and place, by line
        self.editor.mark_pressed.connect(self._on_editor_mark_pressed)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MILLISECONDS)
        self._typing.timeout.connect(self.flush)
        self.editor.installEventFilter(self)
        self.editor.textChanged.connect(self._on_editor_text_changed)
        self.editor.selectionChanged.connect(self._on_editor_cursor_moved)
        self.editor.cursorPositionChanged.connect(self._on_editor_cursor_moved)
        workspace.flush_requested.connect(self.flush)
        workspace.opened.connect(self._on_workspace_opened)
        workspace.document_changed.connect(self._on_workspace_document_changed)
        selection.changed.connect(self._on_selection_changed)
        live.snapshot_arrived.connect(self._show_marks)
        live.state_changed.connect(self._show_marks)
        live.failed.connect(self._on_live_failed)
        themes.changed.connect(lambda: self._highlighter.dress(themes.theme))
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.find_bar.open)
        self._on_workspace_opened()

    def flush(self) -> None:
        """Make what was typed a command now."""
        self._typing.stop()
        source = self._workspace.document.source
        text = self.editor.text()
        if text != editor_text(source):
            command = ReplaceText(with_line_ends(source, text))
            self._workspace.execute(command, merge_key=self._merge_key())

    def _merge_key(self) -> str:
        """Name the burst of typing: one line without a longer rest is one step of undo."""
        line = self.editor.textCursor().blockNumber()
        rested = not self._since_typed.isValid() or self._since_typed.elapsed() > BURST_MILLISECONDS
        if rested or line != self._burst_line:
            self._bursts += 1
        self._burst_line = line
        self._since_typed.start()
        return f"typing {self._bursts}"

    def go_to_line(self, line: int) -> None:
        """Put the cursor on a line and the focus into the text."""
        self.editor.go_to_line(line)
        self.editor.setFocus()

    def close_timers(self) -> None:
        """Hand over what was typed; called once, when the window closes."""
        self.flush()

    def _on_editor_text_changed(self) -> None:
        if self._is_following:
            return
        if not self._typing.isActive():
            self._since_handed_over.start()
        # Whoever types without a rest shall lose no more than others in a crash.
        left = LONGEST_TYPING - self._since_handed_over.elapsed()
        self._typing.start(max(0, min(TYPING_MILLISECONDS, left)))

    def _on_editor_cursor_moved(self) -> None:
        if self._is_following or not self.editor.hasFocus():
            return
        if not self._typing.isActive():
            self._selection.select_span(self.editor.span_of_cursor())

    def _on_workspace_opened(self) -> None:
        self._typing.stop()
        self._is_following = True
        self.editor.setPlainText(editor_text(self._workspace.document.source))
        self._is_following = False
        self._show_marks()

    def _on_workspace_document_changed(self) -> None:
        text = editor_text(self._workspace.document.source)
        old = self.editor.text()
        if text != old:
            self._is_following = True
            self.editor.replace_text(text)
            self._is_following = False
            spans = changed_spans(old, text)
            lines = [line for span in spans for line in range(span.line, span.end_line + 1)]
            if lines:
                self.editor.flash(lines)
                self.editor.show_line(lines[0])
        self._show_marks()

    def _on_selection_changed(self) -> None:
        if self.editor.hasFocus():
            self.editor.light(None)
            return
        span = self._selection.span
        self.editor.light(span)
        if span is not None:
            self.editor.show_line(span.line)

    def _on_editor_mark_pressed(self, line: int) -> None:
        if line in self._verdicts:
            self._selection.show_problem(*self._verdicts[line])

    def _on_live_failed(self) -> None:
        self._show_marks()
        span = self._failed_span()
        if span is not None and not self.editor.hasFocus():
            self.editor.show_line(span.line)

    def _failed_span(self) -> Span | None:
        failure = self._live.failed_here
        if failure is None:
            return None
        own = [frame for frame in failure.frames if frame.filename == self._workspace.filename]
        return own[-1].span if own else None

    def _show_marks(self) -> None:
        marks: dict[int, LineMark] = {}
        self._verdicts = {}
        for problem in self._workspace.program.problems:
            marks[problem.span.line] = LineMark("empty", "amber", problem.message)
        for misfit in () if self._live.operations else self._workspace.misfits:
            marks[misfit.span.line] = LineMark(*SEVERITIES["W"][:2], misfit.message)
            self._verdicts[misfit.span.line] = ("SHAPE", misfit.node)
        # The worst comes last, so that it is what stands at a line with several.
        for finding in sorted(self._live.findings, key=lambda one: MILD_TO_BAD.find(one.severity)):
            if finding.line is not None and self._live.failure is None:
                sign, role, _ = SEVERITIES.get(finding.severity, SEVERITIES["H"])
                marks[finding.line] = LineMark(sign, role, finding.message.replace("`", ""))
                self._verdicts[finding.line] = (finding.rule, finding.where)
        span = self._failed_span()
        failure = self._live.failed_here
        if span is not None and failure is not None:
            words = f"{failure.kind}: {failure.message}".splitlines()[0]
            marks[span.line] = LineMark("cross", "vermilion", words)
        error = self._workspace.source_error
        if error is not None:
            marks[error.span.line] = LineMark("cross", "vermilion", error.message)
            span = error.span
        self.editor.set_marks(marks)
        self.editor.show_running(span)

    # Overrides of Qt methods

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.KeyPress:
                return self._takes_key(event)
            undoing = event.matches(QKeySequence.StandardKey.Undo)
            if undoing or event.matches(QKeySequence.StandardKey.Redo):
                # The field would claim the keys for its own undo, which is off.
                return event.type() == QEvent.Type.ShortcutOverride
        return super().eventFilter(watched, event)

    def _takes_key(self, event: QKeyEvent) -> bool:
        cursor = self.editor.textCursor()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            before = cursor.block().text()[: cursor.positionInBlock()]
            indent = before[: len(before) - len(before.lstrip())]
            cursor.insertText("\n" + indent + (" " * INDENT if before.endswith(":") else ""))
            self.editor.setTextCursor(cursor)
            self.editor.ensureCursorVisible()
            return True
        if event.key() == Qt.Key.Key_Tab and not event.modifiers():
            _indent(cursor, forward=True)
            return True
        if event.key() == Qt.Key.Key_Backtab:
            _indent(cursor, forward=False)
            return True
        return False


class FindBar(QWidget):
    """One line below the editor: find forwards and backwards, Esc closes it."""

    def __init__(self, themes: ThemeModel, editor: CodeEditor) -> None:
        super().__init__()
        self._editor = editor
        self.field = QLineEdit()
        self.field.setObjectName("code_find")
        self.field.setAccessibleName("Find in the code")
        self.field.setPlaceholderText("Find in the code")
        self._count = ThemedLabel(themes, "", "quiet", "small")
        self._count.setObjectName("code_find_count")
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        row.addWidget(self.field, 1)
        row.addWidget(self._count)
        row.addWidget(
            button("Previous", "code_find_previous", lambda: self.find_next(backward=True))
        )
        row.addWidget(button("Next", "code_find_next", self.find_next))
        row.addWidget(button("Close", "code_find_close", self.close_bar))
        self.field.returnPressed.connect(self.find_next)
        self.field.textChanged.connect(self._on_field_text_changed)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(self.close_bar)
        self.hide()

    def open(self) -> None:
        """Show the bar with what is selected."""
        selected = self._editor.textCursor().selectedText()
        if selected and "\u2029" not in selected:
            self.field.setText(selected)
        self.show()
        self.field.setFocus()
        self.field.selectAll()

    def close_bar(self) -> None:
        """Hide the bar and give the focus back to the text."""
        self.hide()
        self._editor.setFocus()

    def find_next(self, backward: bool = False) -> None:
        """Select the next place that holds the text, starting over at the end."""
        text = self.field.text()
        if not text:
            return
        flags = QTextDocument.FindFlag.FindBackward if backward else QTextDocument.FindFlag(0)
        if not self._editor.find(text, flags):
            cursor = self._editor.textCursor()
            operation = QTextCursor.MoveOperation
            cursor.movePosition(operation.End if backward else operation.Start)
            self._editor.setTextCursor(cursor)
            self._editor.find(text, flags)

    def _on_field_text_changed(self, text: str) -> None:
        count = self._editor.text().lower().count(text.lower()) if text else 0
        self._count.setText(f"{count:,} found" if text else "")


def _indent(cursor: QTextCursor, *, forward: bool) -> None:
    """Indent or unindent the selected lines; without a selection, fill up to the next stop."""
    if forward and not cursor.hasSelection():
        cursor.insertText(" " * (INDENT - cursor.positionInBlock() % INDENT))
        return
    document = cursor.document()
    block = document.findBlock(cursor.selectionStart())
    last = document.findBlock(max(cursor.selectionStart(), cursor.selectionEnd() - 1))
    cursor.beginEditBlock()
    while block.isValid():
        line = QTextCursor(block)
        if forward:
            if block.text().strip():
                line.insertText(" " * INDENT)
        else:
            spaces = len(block.text()) - len(block.text().lstrip(" "))
            for _ in range(min(INDENT, spaces)):
                line.deleteChar()
        if block == last:
            break
        block = block.next()
    cursor.endEditBlock()
