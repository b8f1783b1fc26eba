"""The list of problems: what, why, where, and a button for each edit that mends it.

Verdicts of the run, errors of the source and holes in the graph stand in one list; a click on
one shows its place in every view.
"""

from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QEnterEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from paramscope.code.graph import Span
from paramscope.rules.finding import Edit
from paramscope_gui.bridge.edits import command_of
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.theme import GRID, RADIUS, ThemeModel
from paramscope_gui.widgets import (
    ElidedLabel,
    EmptyState,
    GlyphLabel,
    Hairline,
    ThemedLabel,
    WrappedLabel,
    button,
    clear_layout,
)

MOST_CARDS = 100
SEVERITIES = {
    "E": ("triangle", "vermilion", "Error"),
    "W": ("triangle", "amber", "Warning"),
    "H": ("info", "blue", "Hint"),
}


class Problem(NamedTuple):
    """One entry: how bad, which rule, where it is, and what can be done."""

    severity: str
    rule: str
    where: str
    message: str
    cause: str
    line: int | None
    span: Span | None
    edits: tuple[Edit, ...]


class ProblemsPanel(QWidget):
    """All problems as cards, the worst first. ``count_changed`` feeds the dock's title."""

    count_changed = Signal(int)
    line_requested = Signal(int)

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
        self._problems: tuple[Problem, ...] | None = None
        self._cards = QVBoxLayout()
        self._cards.setContentsMargins(0, 0, 0, 0)
        self._cards.setSpacing(0)
        inner = QWidget()
        inner.setObjectName("problems_cards")
        outer = QVBoxLayout(inner)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self._cards)
        outer.addStretch(1)
        self._area = QScrollArea()
        self._area.setObjectName("problems_area")
        self._area.setAccessibleName("Problems")
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(inner)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        empty = EmptyState(
            themes,
            "problems",
            "No problems found. What is wrong with a tensor, the source or the run appears here,"
            " with its cause and a fix.",
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._area)
        self._stack.addWidget(empty)
        workspace.document_changed.connect(self._read)
        live.snapshot_arrived.connect(self._read)
        live.failed.connect(self._read)
        live.state_changed.connect(self._read)
        self._read()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is listed."""
        return self._problems or ()

    def _read(self) -> None:
        problems = self._collected()
        if problems == self._problems:
            return
        self._problems = problems
        self._stack.setCurrentIndex(0 if problems else 1)
        clear_layout(self._cards)
        for number, problem in enumerate(problems[:MOST_CARDS]):
            if number:
                self._cards.addWidget(Hairline(self._themes))
            self._cards.addWidget(self._card(number, problem))
        if len(problems) > MOST_CARDS:
            more = ThemedLabel(self._themes, f"and {len(problems) - MOST_CARDS:,} more", "quiet")
            self._cards.addWidget(more)
        self.count_changed.emit(len(problems))

    def _collected(self) -> tuple[Problem, ...]:
        found: list[Problem] = []
        error = self._workspace.source_error
        if error is not None:
            text = f"The source cannot be read: {error.message}."
            why = "The graph is that of the last version that could be read."
            found.append(Problem("E", "SYNTAX", "", text, why, error.span.line, error.span, ()))
        failure = self._live.failure
        if failure is not None:
            own = [one for one in failure.frames if one.filename == self._workspace.filename]
            span = own[-1].span if own else None
            found.append(
                Problem(
                    "E",
                    failure.kind,
                    own[-1].function if own else "",
                    failure.message,
                    f"Raised while {failure.during}; the whole traceback is in the log.",
                    span.line if span else None,
                    span,
                    (),
                )
            )
        for item in self._live.findings:
            found.append(
                Problem(
                    item.severity,
                    item.rule,
                    item.where,
                    item.message,
                    item.cause,
                    item.line,
                    None,
                    item.edits,
                )
            )
        for hole in self._workspace.program.problems:
            found.append(Problem("W", "HOLE", "", hole.message, "", hole.span.line, hole.span, ()))
        order = "EWH"
        found.sort(key=lambda one: order.find(one.severity))
        return tuple(found)

    def _card(self, number: int, problem: Problem) -> "_Card":
        card = _Card(self._themes, number, problem)
        card.pressed.connect(lambda: self._show_place(problem))
        card.edit_chosen.connect(self._apply)
        return card

    def _show_place(self, problem: Problem) -> None:
        if problem.where and problem.where in self._live.rows:
            self._selection.select_tensor(problem.where)
        elif problem.span is not None:
            self._selection.select_span(problem.span)
        if problem.line is not None:
            self.line_requested.emit(problem.line)

    def _apply(self, edit: object) -> None:
        if isinstance(edit, Edit):
            command = command_of(edit)
            if command is not None:
                self._workspace.execute(command)


class _Card(QWidget):
    """One problem: glyph and words at the left, its edits as buttons below."""

    pressed = Signal()
    edit_chosen = Signal(object)

    def __init__(self, themes: ThemeModel, number: int, problem: Problem) -> None:
        super().__init__()
        self._themes = themes
        self._is_hovered = False
        self.setObjectName(f"problem_{number}")
        self.setAccessibleName(f"{problem.rule} {problem.where}: {problem.message}")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        sign, role, word = SEVERITIES.get(problem.severity, SEVERITIES["H"])
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + GRID // 2, GRID, GRID + GRID // 2, GRID)
        row.setSpacing(GRID)
        row.addWidget(GlyphLabel(themes, sign, role, 20), 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(GRID // 2)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(ThemedLabel(themes, word, role, bold=True))
        head.addWidget(ThemedLabel(themes, problem.rule, "quiet", "small"))
        where = ElidedLabel(problem.where)
        where.setFont(themes.theme.font("small", mono=True))
        head.addWidget(where, 1)
        if problem.line is not None:
            head.addWidget(ThemedLabel(themes, f"line {problem.line}", "quiet", "small"))
        column.addLayout(head)
        column.addWidget(WrappedLabel(themes, problem.message))
        if problem.cause:
            column.addWidget(WrappedLabel(themes, problem.cause, "quiet", "small"))
        self._add_edits(column, number, problem)
        row.addLayout(column, 1)

    def _add_edits(self, column: QVBoxLayout, number: int, problem: Problem) -> None:
        if not problem.edits:
            return
        line = QHBoxLayout()
        line.setSpacing(GRID)
        for position, edit in enumerate(problem.edits):
            line.addWidget(
                button(
                    edit.label,
                    f"problem_{number}_edit_{edit.action}",
                    partial(self.edit_chosen.emit, edit),
                    primary=position == 0,
                )
            )
        line.addStretch(1)
        column.addLayout(line)

    # Overrides of Qt methods

    def enterEvent(self, event: QEnterEvent) -> None:
        self._is_hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._is_hovered = False
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.pressed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.pressed.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        if self._is_hovered or self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(theme.accent if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(theme.hover if self._is_hovered else Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(2, 2, -3, -3), RADIUS, RADIUS)
