"""The list of problems: what, why, where, and a button for each edit that mends it.

Verdicts of the run, errors of the source and holes in the graph stand in one list; a click on
one shows its place in every view.
"""

import importlib
import math
import time
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from paramscope.check.trial import Trial
from paramscope.document.document import Command, CommandRefused
from paramscope.engine.protocol import Failed, Phase
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.proving import Proving, Wish
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.problem_card import Choice, Problem, ProblemCard
from paramscope_gui.panels.proof import ProofView, edit_text
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import (
    EmptyState,
    Hairline,
    ThemedLabel,
    clear_layout,
)

if TYPE_CHECKING:
    from paramscope_gui.bridge.cures import Cure

PATIENCE = 0.03  # seconds of making cards before the window gets its turn
MOST_CARDS = 100
SEEN_AT_ONCE = 6  # cards that are laid out as they are made
FEW = 3  # problems that need neither headings nor a filter
KEEP = Choice("Keep", "keep", "flat")
COPY = Choice("Copy the edit", "copy", "flat")
PROVES = (
    "Runs a copy with this edit and shows what it does. Nothing is changed before you apply it."
)
APPLIES = "Makes this edit at once. Undo takes it back."
PROVING = "Prove: "  # before the words of an edit that is tried first
PROVE = Choice("Prove it first", "prove", "flat", PROVES)
GROUPS = {"E": "Errors", "W": "Warnings", "H": "Hints"}
NOT_RUN = (
    "Nothing is judged yet: the model was not built. What is wrong with a tensor, the source or the"
    " run will appear here, with its cause and a fix."
)
NOT_STEPPED = "No problems found so far. What gradients tell is known after the first step."
NONE_FOUND = (
    "No problems found. What is wrong with a tensor, the source or the run appears here, with its"
    " cause and a fix."
)
NOT_RUN_YET = "Seen in the source: running it would fail here."
REPAIR = "repair"
WHEN = {"loading": "while the model was built", "step": "in a training step"}
# Imported with the first finding: the edits of all rules are behind it.
CURES = "paramscope_gui.bridge.cures"


class ProblemsPanel(QWidget):
    """All problems as cards, the worst first. ``count_changed`` feeds the dock's title."""

    count_changed = Signal(int)
    requested = Signal()
    line_requested = Signal(int)  # to go there
    line_shown = Signal(int)  # to look there, and stay in the list

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
        self._listed: list[ProblemCard] = []
        self._making: Iterator[None] = iter(())  # the cards that are still to be made
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(0)
        self._idle.timeout.connect(self._make_some)
        self._current = ("", "")  # rule and place of the problem that was shown last
        self._proved: tuple[Problem, Cure] | None = None  # whose edit is on trial
        self.proving = Proving(workspace, self)
        self._make_area()
        self._empty = EmptyState(themes, "problems", NOT_RUN)
        self.proof = ProofView(themes, self.proving)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._page())
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.proof)
        self._connect()
        self._read()

    def _make_area(self) -> None:
        """Make what the cards stand in."""
        self._cards = QVBoxLayout()
        self._cards.setContentsMargins(0, 0, 0, 0)
        self._cards.setSpacing(0)
        inner = QWidget()
        inner.setObjectName("problems_cards")
        self._inner = outer = QVBoxLayout(inner)
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

    def _connect(self) -> None:
        workspace, selection, live = self._workspace, self._selection, self._live
        self.proof.left.connect(self._leave_proof)
        self.proof.applied.connect(self._take_proof)
        self.proof.copied.connect(lambda text: QGuiApplication.clipboard().setText(text))
        selection.problem_requested.connect(self.show_problem)
        workspace.opened.connect(self._leave_proof)
        self._themes.changed.connect(self._show)
        workspace.saved.connect(self._show)  # an example that became a file proves its edits
        workspace.document_changed.connect(self._read)
        live.snapshot_arrived.connect(self._read)
        live.failed.connect(self._read)
        live.state_changed.connect(self._read)

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
        self._empty.label.setText(self._nothing())
        problems = self._collected()
        if problems == self._problems:
            return
        self._problems = problems
        self._show_page()
        is_long = len(problems) > FEW
        self._head.setVisible(is_long)
        if not is_long:
            self.filter.clear()
        self._show()
        self.count_changed.emit(len(problems))

    def _nothing(self) -> str:
        """What an empty list means: that nothing is wrong, or that nothing was looked at yet."""
        live = self._live
        if not live.rows:
            return NOT_RUN
        return NONE_FOUND if live.step_count or live.phase is not Phase.IDLE else NOT_STEPPED

    def close_timers(self) -> None:
        """End what proofs run in; called once, when the window closes."""
        self._idle.stop()
        self.proving.close()

    def show_problem(self, rule: str, where: str) -> None:
        """Bring the card of one problem into view and give it the focus."""
        self._leave_proof()
        self.requested.emit()
        self._make_some(math.inf)
        if self._card_of(rule, where) is None:
            self.filter.setText(f"{rule} {where}".strip())
            self._make_some(math.inf)
        card = self._card_of(rule, where)
        if card is not None:
            self._focus_card(card)

    def step(self, forward: bool) -> None:
        """Go to the next problem or the one before, and show its place."""
        self._make_some(math.inf)
        if not self._listed:
            return
        self._leave_proof()
        self.requested.emit()
        places = [(card.problem.rule, card.problem.where) for card in self._listed]
        last = places.index(self._current) if self._current in places else None
        place = (0 if forward else -1) if last is None else last + (1 if forward else -1)
        card = self._listed[place % len(self._listed)]
        self._select_place(card.problem)
        if card.problem.line is not None:
            self.line_shown.emit(card.problem.line)
        self._focus_card(card)

    def _focus_card(self, card: ProblemCard) -> None:
        self._current = (card.problem.rule, card.problem.where)
        card.setFocus(Qt.FocusReason.ShortcutFocusReason)
        # New cards have no place before the layout has run.
        self._inner.activate()
        self._area.ensureWidgetVisible(card, 0, GRID)

    def _card_of(self, rule: str, where: str) -> ProblemCard | None:
        for card in self._listed:
            if card.problem.rule == rule and card.problem.where == where:
                return card
        return None

    def _show_page(self) -> None:
        if self._proved is not None:
            self._stack.setCurrentIndex(2)
        else:
            self._stack.setCurrentIndex(0 if self._problems else 1)

    def _show(self) -> None:
        """Make the cards of what the filter leaves, group by group."""
        words = self.filter.text()
        listed = [one for one in self.problems if one.speaks_of(words)]
        self._count.setText(
            f"{len(listed):,} of {len(self.problems):,}" if words else f"{len(listed):,}"
        )
        clear_layout(self._cards)
        self._listed = []
        self._making = self._make_cards(listed)
        self._make_some()

    def _make_some(self, patience: float = PATIENCE) -> None:
        """Make cards for as long as a frame allows; the others follow when the window is idle."""
        until = time.perf_counter() + patience
        for _ in self._making:
            if time.perf_counter() > until:
                self._idle.start()
                return
        self._idle.stop()

    def _make_cards(self, listed: list[Problem]) -> Iterator[None]:
        """Make one card at each step."""
        group = ""
        late: list[QWidget] = []  # laid out at once: each layout costs more than a card
        for number, problem in enumerate(listed[:MOST_CARDS]):
            card = self._card(number, problem)
            self._listed.append(card)
            widgets: list[QWidget] = [card]
            if problem.severity != group and len(self.problems) > FEW:
                group = problem.severity
                widgets.insert(0, self._heading(group, listed))
            elif number:
                widgets.insert(0, Hairline(self._themes))
            if number < SEEN_AT_ONCE:
                for widget in widgets:
                    self._cards.addWidget(widget)
            else:
                late += widgets
            yield
        for widget in late:
            self._cards.addWidget(widget)
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
        if not self._live.operations:  # a step that was traced tells more than any inference
            found += [
                Problem(
                    "W",
                    "SHAPE",
                    misfit.node,
                    misfit.message,
                    NOT_RUN_YET,
                    misfit.span.line,
                    misfit.span,
                    None,
                    misfit.repair,
                )
                for misfit in self._workspace.misfits
                if failure is None
            ]
        order = "EWH"
        found.sort(key=lambda one: order.find(one.severity))
        return tuple(found)

    def _raised(self, failure: Failed) -> Problem:
        """Return what the run ended with, at the user's innermost line."""
        own = [one for one in failure.frames if one.filename == self._workspace.filename]
        span = own[-1].span if own else None
        when = WHEN.get(failure.during, f"while {failure.during}")
        why = f"Raised {when}; the whole traceback is in the log."
        if failure.during == "worker":
            why = "The worker process has ended; what it said is in the log."
        where = own[-1].function if own else ""
        line = span.line if span else None
        mends = [one.repair for one in self._workspace.misfits if one.span.line == line]
        mend = mends[0] if mends else None
        return Problem("E", failure.kind, where, failure.message, why, line, span, None, mend)

    def _card(self, number: int, problem: Problem) -> ProblemCard:
        choices: list[Choice] = []
        cure = ""
        finding, source = problem.finding, self._workspace.document.source
        if finding is not None:
            cures = _cures().cures_of(finding, source)
            lead, hint = (PROVING, PROVES) if self._proves_first else ("", APPLIES)
            choices = [
                Choice(f"{lead}{one.label}", one.action, "" if place else "primary", hint)
                for place, one in enumerate(cures)
            ]
            if cures:
                choices += [COPY] if self._proves_first else [PROVE, COPY]
            cure = "" if cures else _cures().help_of(finding.rule)
            if _cures().may_keep(finding):
                choices.append(KEEP)
        if problem.repair is not None:
            choices.append(Choice(problem.repair.label, REPAIR, "primary", APPLIES))
        card = ProblemCard(self._themes, number, problem, choices, cure)
        card.pressed.connect(partial(self._show_place, problem))
        card.stepped.connect(self.step)
        card.chosen.connect(partial(self._apply, problem))
        return card

    def _show_place(self, problem: Problem) -> None:
        self._current = (problem.rule, problem.where)
        self._select_place(problem)
        if problem.line is not None:
            self.line_requested.emit(problem.line)

    def _select_place(self, problem: Problem) -> None:
        if problem.finding is not None and problem.where:
            is_tensor = problem.where in self._live.rows
            self._selection.reveal(problem.where, is_tensor=is_tensor)
        elif problem.span is not None:
            self._selection.select_span(problem.span)

    def _apply(self, problem: Problem, action: str) -> None:
        """Make the edit in the source as it is now: it may have changed since the card was made."""
        finding, source = problem.finding, self._workspace.document.source
        if action == REPAIR and problem.repair is not None:
            self._workspace.execute(problem.repair)
            return
        if finding is None:
            return
        if action == KEEP.action:
            self._execute(_cures().keep_command(finding, source))
            return
        cures = _cures().cures_of(finding, source)
        first = cures[0] if cures else None
        if action == COPY.action and first is not None:
            edited = self._edited(problem, first)
            QGuiApplication.clipboard().setText(edit_text(source, edited))
            return
        cure = first
        if action != PROVE.action:
            cure = next((one for one in cures if one.action == action), None)
        if cure is None or not (self._proves_first or action == PROVE.action):
            command = None if cure is None else _cures().command_for(cure, finding, source)
            self._execute(command)
            return
        self._prove(problem, cure)

    @property
    def _proves_first(self) -> bool:
        """Whether an edit is tried on a copy before it is offered: in a file of the user's.

        A lesson or an example is a copy already, and its run shows at once what an edit does.
        """
        return self._workspace.path is not None

    def _prove(self, problem: Problem, cure: "Cure") -> None:
        edited = self._edited(problem, cure)
        source = self._workspace.document.source
        if problem.finding is None or edited == source:
            self._execute(None)
            return
        self._proved = (problem, cure)
        self.proving.prove(Wish(problem.finding, cure.label, source, edited))
        self._show_page()

    def _edited(self, problem: Problem, cure: "Cure") -> str:
        """Return the source with an edit made; as it is where the edit has no place."""
        document = self._workspace.document
        if problem.finding is None:
            return document.source
        command = _cures().command_for(cure, problem.finding, document.source)
        try:
            return document.source if command is None else command.apply(document).source
        except CommandRefused:
            return document.source

    def _leave_proof(self) -> None:
        """Go back to the list; what is still on trial is given up."""
        self._proved = None
        self.proving.cancel()
        self._show_page()

    def _take_proof(self, trial: object) -> None:
        """Make the edit that was proved, if the source is still the one that was run."""
        assert isinstance(trial, Trial)
        proved, self._proved = self._proved, None
        if proved is None:
            return
        problem, cure = proved
        if trial.source != self._workspace.document.source or problem.finding is None:
            self._execute(None)
        else:
            self._execute(_cures().command_for(cure, problem.finding, trial.source))
        self._show_page()

    def _execute(self, command: Command | None) -> None:
        if command is not None:
            self._workspace.execute(command)
            return
        self._workspace.refused.emit(
            "The source has changed since: this edit has no place in it any more."
            " Run a step to see what is wrong now.",
            None,
        )


def _cures() -> ModuleType:
    return importlib.import_module(CURES)
