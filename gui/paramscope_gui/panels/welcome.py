"""The first page: lessons, examples, a Python file of one's own, and what was open last."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.theme import GRID, RADIUS, ThemeModel
from paramscope_gui.widgets import ElidedLabel, GlyphLabel, ThemedLabel, button, clear_layout

MOST_RECENT = 6
COLUMNS = 3


class Card(NamedTuple):
    """Something to open: ``key`` names the lesson or example."""

    key: str
    title: str
    summary: str


class WelcomePanel(QWidget):
    """Cards and buttons; it opens nothing itself, it says what was chosen."""

    lesson_chosen = Signal(str)
    example_chosen = Signal(str)
    recent_chosen = Signal(str)
    open_requested = Signal()
    new_requested = Signal()

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        page = QWidget()
        page.setObjectName("welcome_page")
        page.setMaximumWidth(120 * GRID)
        column = QVBoxLayout(page)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(GRID)
        column.addLayout(self._head())
        column.addSpacing(2 * GRID)
        self._lessons = self._section(column, "Lessons")
        self._examples = self._section(column, "Examples")
        self._recent_title = ThemedLabel(themes, "Recent files", "quiet", "small", bold=True)
        column.addWidget(self._recent_title)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        column.addLayout(self._recent)
        column.addStretch(1)
        middle = QWidget()
        middle.setObjectName("welcome_middle")
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(page, 20)
        row.addStretch(1)
        area = QScrollArea()
        area.setObjectName("welcome_area")
        area.setAccessibleName("Welcome")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(middle)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.show_recent(())

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(GlyphLabel(self._themes, "logo", "accent", 48))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ThemedLabel(self._themes, "Paramscope", "text", "big", bold=True))
        motto = "See which tensors train, and why the others don't."
        words.addWidget(ThemedLabel(self._themes, motto, "quiet"))
        row.addLayout(words)
        row.addStretch(1)
        new = button("New model", "welcome_new", self.new_requested.emit)
        opening = button(
            "Open a Python file", "welcome_open", self.open_requested.emit, primary=True
        )
        row.addWidget(new)
        row.addWidget(opening)
        return row

    def _section(self, column: QVBoxLayout, title: str) -> QGridLayout:
        column.addWidget(ThemedLabel(self._themes, title, "quiet", "small", bold=True))
        grid = QGridLayout()
        grid.setSpacing(GRID)
        for place in range(COLUMNS):
            grid.setColumnStretch(place, 1)
        column.addLayout(grid)
        column.addSpacing(2 * GRID)
        return grid

    def show_lessons(self, cards: Sequence[Card]) -> None:
        """Show the lessons that can be played."""
        self._fill(self._lessons, cards, "lesson", self.lesson_chosen.emit)

    def show_examples(self, cards: Sequence[Card]) -> None:
        """Show the documents that are shipped."""
        self._fill(self._examples, cards, "open", self.example_chosen.emit)

    def show_recent(self, paths: Sequence[Path]) -> None:
        """Show the files that were open last, the newest first."""
        clear_layout(self._recent)
        self._recent_title.setVisible(bool(paths))
        for place, path in enumerate(paths[:MOST_RECENT]):
            entry = button(
                path.name,
                f"welcome_recent_{place}",
                partial(self.recent_chosen.emit, str(path)),
                flat=True,
            )
            entry.setToolTip(str(path))
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.addWidget(entry)
            line.addWidget(ElidedLabel(str(path.parent)), 1)
            self._recent.addWidget(row)

    def _fill(self, grid: QGridLayout, cards: Sequence[Card], sign: str, chosen: object) -> None:
        while (old := grid.takeAt(0)) is not None:
            widget = old.widget()
            if widget is not None:
                widget.deleteLater()
        for place, card in enumerate(cards):
            made = _CardWidget(self._themes, card, sign)
            made.chosen.connect(chosen)
            grid.addWidget(made, place // COLUMNS, place % COLUMNS)


class _CardWidget(QWidget):
    chosen = Signal(str)

    def __init__(self, themes: ThemeModel, card: Card, sign: str) -> None:
        super().__init__()
        self._themes, self._card = themes, card
        self._is_hovered = False
        self.setObjectName(f"welcome_{sign}_{card.key}")
        self.setAccessibleName(f"{card.title}: {card.summary}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, GRID + GRID // 2, 2 * GRID, GRID + GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(GlyphLabel(themes, sign, "accent", 20), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(ThemedLabel(themes, card.title, "text", bold=True))
        summary: QLabel = ThemedLabel(themes, card.summary, "quiet", "small")
        summary.setWordWrap(True)
        words.addWidget(summary)
        words.addStretch(1)
        row.addLayout(words, 1)

    def sizeHint(self) -> QSize:
        return QSize(30 * GRID, max(9 * GRID, super().sizeHint().height()))

    def enterEvent(self, event: QEnterEvent) -> None:
        self._is_hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._is_hovered = False
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.rect().contains(event.position().toPoint()):
            self.chosen.emit(self._card.key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self._card.key)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.accent if self.hasFocus() or self._is_hovered else theme.hairline)
        painter.setBrush(theme.hover if self._is_hovered else theme.panel)
        box = self.rect().adjusted(0, 0, -1, -1).toRectF().translated(0.5, 0.5)
        painter.drawRoundedRect(box, RADIUS, RADIUS)
