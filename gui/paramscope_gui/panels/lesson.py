"""The lesson that is played: its goal, the steps, and a check mark when each is reached."""

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import (
    EmptyState,
    GlyphLabel,
    ThemedLabel,
    WrappedLabel,
    button,
    clear_layout,
)


class LessonStep(NamedTuple):
    """One thing to do or see, and whether it is reached."""

    text: str
    is_reached: bool


class LessonPanel(QWidget):
    """Title, goal and steps. It checks nothing; the window tells it what is reached."""

    next_requested = Signal()
    restart_requested = Signal()
    lessons_requested = Signal()

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._shown: object = None
        self._title_shown = ""
        self._wants_end = False
        self._title = ThemedLabel(themes, "", "text", bold=True)
        self._title.setObjectName("lesson_title")
        self._title.setWordWrap(True)
        self._goal = WrappedLabel(themes, "", "quiet")
        self._goal.setObjectName("lesson_goal")
        self._steps = QVBoxLayout()
        self._steps.setSpacing(GRID)
        self._done = ThemedLabel(themes, "Goal reached", "green", bold=True)
        self._done.setObjectName("lesson_done")
        self._conclusion = WrappedLabel(themes)
        self._conclusion.setObjectName("lesson_conclusion")
        self._next = button("Next lesson", "lesson_next", self.next_requested.emit, primary=True)
        restart = button("Start over", "lesson_restart", self.restart_requested.emit)
        area = self._area = QScrollArea()
        area.setObjectName("lesson_area")
        area.setAccessibleName("Lesson")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self._page(restart))
        # The new lines get their room in several turns: each moves the end farther down.
        area.verticalScrollBar().rangeChanged.connect(self._show_end)
        empty = EmptyState(
            themes,
            "lesson",
            "A lesson shows a broken model, a goal, and checks when you have reached it.",
            "Choose a lesson",
            self.lessons_requested.emit,
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(area)
        self._stack.addWidget(empty)
        self._stack.setCurrentIndex(1)

    def _page(self, restart: QPushButton) -> QWidget:
        page = QWidget()
        page.setObjectName("lesson_page")
        column = self._column = QVBoxLayout(page)
        column.setContentsMargins(GRID + GRID // 2, GRID, GRID + GRID // 2, GRID)
        column.setSpacing(GRID)
        column.addWidget(self._title)
        column.addWidget(self._goal)
        column.addSpacing(GRID)
        column.addLayout(self._steps)
        column.addSpacing(GRID)
        column.addWidget(self._done)
        column.addWidget(self._conclusion)
        column.addWidget(self._next)
        column.addWidget(restart)
        column.addStretch(1)
        return page

    def show_lesson(
        self,
        title: str,
        goal: str,
        steps: Sequence[LessonStep],
        *,
        conclusion: str = "",
        has_next: bool = False,
    ) -> None:
        """Show a lesson as far as it has come."""
        state = (title, goal, tuple(steps), conclusion, has_next)
        if state == self._shown:
            return
        self._shown = state
        self._stack.setCurrentIndex(0)
        self._title.setText(title)
        self._goal.setText(goal)
        clear_layout(self._steps)
        for step in steps:
            self._steps.addWidget(self._step(step))
        reached = bool(conclusion) or all(step.is_reached for step in steps)
        self._done.setVisible(reached)
        self._conclusion.setText(conclusion)
        self._conclusion.setVisible(bool(conclusion))
        self._next.setVisible(reached and has_next)
        if title != self._title_shown:
            self._title_shown = title
            self._area.verticalScrollBar().setValue(0)
        self._wants_end = reached
        if reached:
            QTimer.singleShot(0, self, self._show_end)

    def _show_end(self, *_: int) -> None:
        """Bring what follows a reached goal into view: the conclusion and the next lesson."""
        if not self._wants_end:
            return
        self._column.activate()
        last = self._next if self._next.isVisible() else self._conclusion
        self._area.ensureWidgetVisible(last, 0, GRID)

    def end_lesson(self) -> None:
        """Show that no lesson is played."""
        self._shown = None
        self._stack.setCurrentIndex(1)

    def _step(self, step: LessonStep) -> QWidget:
        widget = QWidget()
        row = QHBoxLayout(widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        sign, role = ("check", "green") if step.is_reached else ("ring", "grey")
        row.addWidget(GlyphLabel(self._themes, sign, role), 0, Qt.AlignmentFlag.AlignTop)
        text = WrappedLabel(self._themes, step.text, "quiet" if step.is_reached else "text")
        text.setAccessibleName(text.accessibleName() + (": reached" if step.is_reached else ""))
        row.addWidget(text, 1)
        return widget
