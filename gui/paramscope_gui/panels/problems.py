"""The list of problems: what, why, where, and a button for each edit that mends it.

Verdicts of the run, errors of the source and holes in the graph stand in one list; a click on
one shows its place in every view.
"""

import importlib
from functools import partial
from types import ModuleType

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from paramscope.engine.protocol import Failed
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.problem_card import Choice, Problem, ProblemCard
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import (
    EmptyState,
    Hairline,
    ThemedLabel,
    clear_layout,
)

MOST_CARDS = 100
FEW = 3  # problems that need neither headings nor a filter
KEEP = Choice("Keep", "keep", "flat")
GROUPS = {"E": "Errors", "W": "Warnings", "H": "Hints"}
# Imported with the first finding: the edits of all rules are behind it.
CURES = "paramscope_gui.bridge.cures"


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
        self._stack.addWidget(self._page())
        self._stack.addWidget(empty)
        workspace.document_changed.connect(self._read)
        live.snapshot_arrived.connect(self._read)
        live.failed.connect(self._read)
        live.state_changed.connect(self._read)
        self._read()

    def _page(self) -> QWidget:
        """Return the cards with the filter on top, which only a longer list needs."""
        self.filter = QLineEdit()
        self.filter.setObjectName("problems_filter")
        self.filter.setAccessibleName("Filter problems")
        self.filter.setPlaceholderText("Filter: a word, a rule, a name")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._show)
        self._count = ThemedLabel(self._themes, "", "quiet", "small")
        self._count.setObjectName("problems_count")
        self._head = QWidget()
        self._head.setObjectName("problems_head")
        row = QHBoxLayout(self._head)
        row.setContentsMargins(GRID + GRID // 2, 0, GRID + GRID // 2, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self.filter, 1)
        row.addWidget(self._count)
        page = QWidget()
        page.setObjectName("problems_page")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._area, 1)
        return page

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that there are, whether the filter shows them or not."""
        return self._problems or ()

    def _read(self) -> None:
        problems = self._collected()
        if problems == self._problems:
            return
        self._problems = problems
        self._stack.setCurrentIndex(0 if problems else 1)
        is_long = len(problems) > FEW
        self._head.setVisible(is_long)
        if not is_long:
            self.filter.clear()
        self._show()
        self.count_changed.emit(len(problems))

    def _show(self) -> None:
        """Make the cards of what the filter leaves, group by group."""
        words = self.filter.text()
        listed = [one for one in self.problems if one.speaks_of(words)]
        self._count.setText(
            f"{len(listed):,} of {len(self.problems):,}" if words else f"{len(listed):,}"
        )
        clear_layout(self._cards)
        group = ""
        for number, problem in enumerate(listed[:MOST_CARDS]):
            if problem.severity != group and len(self.problems) > FEW:
                group = problem.severity
                self._cards.addWidget(self._heading(group, listed))
            elif number:
                self._cards.addWidget(Hairline(self._themes))
            self._cards.addWidget(self._card(number, problem))
        if len(listed) > MOST_CARDS:
            more = ThemedLabel(self._themes, f"and {len(listed) - MOST_CARDS:,} more", "quiet")
            self._cards.addWidget(more)
        if not listed and self.problems:
            nothing = ThemedLabel(self._themes, "No problem has these words.", "quiet")
            nothing.setContentsMargins(GRID + GRID // 2, GRID, 0, GRID)
            self._cards.addWidget(nothing)

    def _heading(self, severity: str, listed: list[Problem]) -> ThemedLabel:
        count = sum(one.severity == severity for one in listed)
        text = f"{GROUPS.get(severity, GROUPS['H'])} {count:,}"
        label = ThemedLabel(self._themes, text, "quiet", "small", bold=True)
        label.setContentsMargins(GRID + GRID // 2, GRID, GRID, 0)
        return label

    def _collected(self) -> tuple[Problem, ...]:
        found: list[Problem] = []
        error = self._workspace.source_error
        if error is not None:
            text = f"The source cannot be read: {error.message}."
            why = "The graph is that of the last version that could be read."
            found.append(Problem("E", "SYNTAX", "", text, why, error.span.line, error.span, None))
        failure = self._live.failure
        if failure is not None:
            found.append(self._raised(failure))
        for item in self._live.findings:
            where = (item.severity, item.rule, item.where)
            found.append(Problem(*where, item.message, item.cause, item.line, None, item))
        for hole in self._workspace.program.problems:
            found.append(
                Problem("W", "HOLE", "", hole.message, "", hole.span.line, hole.span, None)
            )
        order = "EWH"
        found.sort(key=lambda one: order.find(one.severity))
        return tuple(found)

    def _raised(self, failure: Failed) -> Problem:
        """Return what the run ended with, at the user's innermost line."""
        own = [one for one in failure.frames if one.filename == self._workspace.filename]
        span = own[-1].span if own else None
        why = f"Raised while {failure.during}; the whole traceback is in the log."
        if failure.during == "worker":
            why = "The worker process has ended; what it said is in the log."
        where = own[-1].function if own else ""
        line = span.line if span else None
        return Problem("E", failure.kind, where, failure.message, why, line, span, None)

    def _card(self, number: int, problem: Problem) -> ProblemCard:
        choices: list[Choice] = []
        cure = ""
        finding, source = problem.finding, self._workspace.document.source
        if finding is not None:
            cures = _cures().cures_of(finding, source)
            choices = [
                Choice(one.label, one.action, "" if place else "primary")
                for place, one in enumerate(cures)
            ]
            cure = "" if cures else _cures().help_of(finding.rule)
            if _cures().may_keep(finding):
                choices.append(KEEP)
        card = ProblemCard(self._themes, number, problem, choices, cure)
        card.pressed.connect(partial(self._show_place, problem))
        card.chosen.connect(partial(self._apply, problem))
        return card

    def _show_place(self, problem: Problem) -> None:
        if problem.where and problem.where in self._live.rows:
            self._selection.select_tensor(problem.where)
        elif problem.span is not None:
            self._selection.select_span(problem.span)
        if problem.line is not None:
            self.line_requested.emit(problem.line)

    def _apply(self, problem: Problem, action: str) -> None:
        """Make the edit in the source as it is now: it may have changed since the card was made."""
        finding, source = problem.finding, self._workspace.document.source
        if finding is None:
            return
        if action == KEEP.action:
            command = _cures().keep_command(finding, source)
        else:
            found = (one for one in _cures().cures_of(finding, source) if one.action == action)
            cure = next(found, None)
            command = None if cure is None else _cures().command_for(cure, finding, source)
        if command is None:
            self._workspace.refused.emit(
                "The source has changed since: this edit has no place in it any more."
                " Run a step to see what is wrong now.",
                None,
            )
            return
        self._workspace.execute(command)


def _cures() -> ModuleType:
    return importlib.import_module(CURES)
