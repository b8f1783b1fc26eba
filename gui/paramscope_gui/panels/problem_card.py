"""One problem as a card: what, where and why, and a button for each thing that can be done."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QEnterEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from paramscope.code.graph import Span
from paramscope.document.document import Command
from paramscope.rules.finding import Finding
from paramscope_gui.panels.flow import FlowLayout
from paramscope_gui.theme import GRID, RADIUS, SEVERITIES, ThemeModel
from paramscope_gui.widgets import ElidedLabel, GlyphLabel, ThemedLabel, WrappedLabel, button


class Problem(NamedTuple):
    """One entry: how bad, which rule, where it is, what and why; and the verdict, if it is one."""

    severity: str
    rule: str
    where: str
    message: str
    cause: str
    line: int | None
    span: Span | None
    finding: Finding | None
    repair: Command | None = None  # of what no rule has found

    def speaks_of(self, words: str) -> bool:
        """Tell whether each of some words stands somewhere in the entry."""
        severity = SEVERITIES.get(self.severity, SEVERITIES["H"])[2]
        line = "" if self.line is None else f"line {self.line}"
        text = " ".join((severity, self.rule, self.where, self.message, self.cause, line))
        return all(word in text.lower() for word in words.lower().split())


class Choice(NamedTuple):
    """A button of a card: its words, a slug for its name, and how much it stands out."""

    label: str
    action: str
    look: str = ""  # "primary" or "flat"
    hint: str = ""


class ProblemCard(QWidget):
    """One problem: glyph and words at the left, what can be done as buttons below."""

    pressed = Signal()
    chosen = Signal(str)
    stepped = Signal(bool)  # True for the next card, False for the one before

    def __init__(
        self,
        themes: ThemeModel,
        number: int,
        problem: Problem,
        choices: Sequence[Choice],
        cure: str,
    ) -> None:
        super().__init__()
        self._themes = themes
        self.problem = problem
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
        if cure:
            column.addWidget(WrappedLabel(themes, cure, "quiet", "small"))
        if choices:
            column.addLayout(self._buttons(number, choices))
        row.addLayout(column, 1)

    def _buttons(self, number: int, choices: Sequence[Choice]) -> FlowLayout:
        line = FlowLayout(GRID)
        for choice in choices:
            made = button(
                choice.label,
                f"problem_{number}_edit_{choice.action}",
                partial(self.chosen.emit, choice.action),
                primary=choice.look == "primary",
                flat=choice.look == "flat",
            )
            made.setToolTip(choice.hint)
            made.setAccessibleDescription(choice.hint)
            line.addWidget(made)
        return line

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
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.stepped.emit(event.key() == Qt.Key.Key_Down)
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
