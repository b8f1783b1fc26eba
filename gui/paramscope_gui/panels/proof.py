"""A proof on the screen: what an edit does on a copy, before and after, and then the offer.

It stands in the place of the list of problems, so that nothing is covered while training runs.
"""

import difflib
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from paramscope.check.trial import Fact, Trial
from paramscope_gui.bridge.proving import Proving
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import (
    ElidedLabel,
    GlyphLabel,
    WrappedLabel,
    button,
    clear_layout,
)

NAME_LENGTH = 15  # characters of what a fact is about; longer ones are elided
MOST_LINES = 12  # of the difference that are shown


class ProofView(QWidget):
    """Follows a `Proving`. ``applied`` tells that the user takes a proved edit."""

    applied = Signal(object)
    copied = Signal(str)
    left = Signal()

    def __init__(self, themes: ThemeModel, proving: Proving, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes, self._proving = themes, proving
        self._trial: Trial | None = None
        self.setObjectName("proof")
        self.setAccessibleName("Proof of an edit")
        self._sign = GlyphLabel(themes, "waiting", "grey", 20)
        self._head = ElidedLabel()
        self._head.setObjectName("proof_head")
        self._apply = button("Apply", "proof_apply", self._take, primary=True)
        self._copy = button("Copy the edit", "proof_copy", self._on_copy)
        self._cancel = button("Cancel", "proof_cancel", proving.cancel)
        self._back = button("Back", "proof_back", self.left.emit, flat=True)
        self._bar = QProgressBar()
        self._bar.setObjectName("proof_progress")
        self._bar.setAccessibleName("The copy is running")
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._body = QVBoxLayout()
        self._arrange()
        proving.began.connect(self._show_running)
        proving.finished.connect(self._show_trial)
        proving.cancelled.connect(self.left)

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID, 0)
        head.setSpacing(GRID)
        head.addWidget(self._sign)
        head.addWidget(self._head, 1)
        for one in (self._back, self._cancel, self._copy, self._apply):
            head.addWidget(one)
        inner = QWidget()
        inner.setObjectName("proof_body")
        self._body.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID, GRID)
        self._body.setSpacing(GRID)
        outer = QVBoxLayout(inner)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self._body)
        outer.addStretch(1)
        area = QScrollArea()
        area.setObjectName("proof_area")
        area.setAccessibleName("What the edit does")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(head)
        column.addWidget(self._bar)
        column.addWidget(area, 1)

    @property
    def trial(self) -> Trial | None:
        """What is shown; None while it runs."""
        return self._trial

    def _show_running(self) -> None:
        wish = self._proving.wish
        assert wish is not None
        self._trial = None
        self._sign.show_glyph("waiting", "grey")
        self._say("Trying it on a copy ...")
        self._bar.show()
        self._offer(cancel=True)
        clear_layout(self._body)
        self._body.addWidget(WrappedLabel(self._themes, f"{wish.label}: `{wish.finding.where}`"))
        self._body.addWidget(Difference(self._themes, wish.source, wish.edited))
        self._cancel.setFocus()

    def _show_trial(self, trial: object) -> None:
        assert isinstance(trial, Trial)
        self._trial = trial
        self._bar.hide()
        proved = trial.is_proved
        self._sign.show_glyph("check" if proved else "cross", "green" if proved else "vermilion")
        label = self._proving.wish.label if self._proving.wish is not None else ""
        self._say(f"Proved: {label}" if proved else "Not proved, so not offered")
        self._offer(apply=proved, copy=proved, back=True)
        clear_layout(self._body)
        if trial.refusal:
            self._body.addWidget(WrappedLabel(self._themes, trial.refusal))
        row = QWidget()
        beside = QHBoxLayout(row)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(2 * GRID)
        if trial.facts:
            beside.addWidget(FactTable(self._themes, trial.facts), 3, Qt.AlignmentFlag.AlignTop)
        if all(len(losses) > 1 for losses in trial.losses):
            beside.addWidget(LossPair(self._themes, *trial.losses), 2)
        self._body.addWidget(row)
        self._body.addWidget(Difference(self._themes, trial.source, trial.edited))
        (self._apply if proved else self._back).setFocus()

    def _say(self, text: str) -> None:
        self._head.setFont(self._themes.theme.font("body", bold=True))
        self._head.setText(text)
        self._head.setAccessibleName(text)

    def _offer(
        self, *, apply: bool = False, copy: bool = False, back: bool = False, cancel: bool = False
    ) -> None:
        for one, wanted in (
            (self._apply, apply),
            (self._copy, copy),
            (self._back, back),
            (self._cancel, cancel),
        ):
            one.setVisible(wanted)

    def _take(self) -> None:
        if self._trial is not None and self._trial.is_proved:
            self.applied.emit(self._trial)

    def _on_copy(self) -> None:
        if self._trial is not None:
            self.copied.emit(edit_text(self._trial.source, self._trial.edited))

    # Overrides of Qt methods

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self._proving.is_running:
            self._proving.cancel()
        else:
            self.left.emit()


class FactTable(QWidget):
    """What was seen before and after, a line each."""

    def __init__(self, themes: ThemeModel, facts: Sequence[Fact]) -> None:
        super().__init__()
        self.setObjectName("proof_facts")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 2)
        mono = themes.theme.font("small", mono=True)
        grid.setColumnMinimumWidth(0, QFontMetrics(mono).horizontalAdvance("x" * NAME_LENGTH))
        grid.setColumnStretch(1, 1)
        top = Qt.AlignmentFlag.AlignTop
        for number, fact in enumerate(facts):
            name = ElidedLabel(fact.name)
            name.setFont(mono)
            grid.addWidget(name, number, 0, top)
            seen = WrappedLabel(themes, f"{fact.before} \u2192 {fact.after}")
            seen.setObjectName(f"proof_fact_{number}")
            grid.addWidget(seen, number, 1, top)


class LossPair(QWidget):
    """Two curves on one scale: dashed before, solid after."""

    def __init__(self, themes: ThemeModel, before: Sequence[float], after: Sequence[float]) -> None:
        super().__init__()
        self._themes = themes
        self._curves = (before, after)
        self.setObjectName("proof_losses")
        self.setAccessibleName("Loss before and after")
        self.setMinimumSize(QSize(18 * GRID, 10 * GRID))
        themes.changed.connect(self.update)

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetrics(theme.font("small"))
        painter.setFont(theme.font("small"))
        area = self.rect().adjusted(0, metrics.height() + GRID // 2, -1, -1)
        finite = [v for curve in self._curves for v in curve if abs(v) < float("inf")]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        painter.setPen(theme.hairline)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        looks = (("before", theme.quiet, Qt.PenStyle.DashLine),
                 ("after", theme.accent, Qt.PenStyle.SolidLine))  # fmt: skip
        left = 0
        for curve, (word, color, style) in zip(self._curves, looks, strict=True):
            pen = QPen(color, 2.0, style)
            painter.setPen(pen)
            painter.drawLine(left, metrics.height() // 2, left + 3 * GRID, metrics.height() // 2)
            place = QRect(left + 4 * GRID, 0, 10 * GRID, metrics.height())
            painter.setPen(theme.text)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), f"loss {word}")
            left += 5 * GRID + metrics.horizontalAdvance(f"loss {word}")
            painter.setPen(pen)
            painter.drawPolyline(_points(curve, area, low, high))


class Difference(QWidget):
    """The lines that an edit takes away and puts in."""

    def __init__(self, themes: ThemeModel, before: str, after: str) -> None:
        super().__init__()
        self._themes = themes
        self._lines = changed_lines(before, after)
        self.setObjectName("proof_difference")
        self.setAccessibleName("\n".join(self._lines))
        self._fit()
        themes.changed.connect(self._fit)

    def _fit(self) -> None:
        height = QFontMetrics(self._themes.theme.font("small", mono=True)).height() + 4
        self.setMinimumHeight(height * min(len(self._lines), MOST_LINES + 1))
        self.update()

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        font = theme.font("small", mono=True)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        height = metrics.height() + 4
        shown = self._lines[:MOST_LINES]
        if len(self._lines) > MOST_LINES:
            shown = [*shown, f"  and {len(self._lines) - MOST_LINES} more lines"]
        for number, line in enumerate(shown):
            place = QRect(0, number * height, self.width(), height)
            if line.startswith("-"):
                painter.fillRect(place, theme.error_fill)
            elif line.startswith("+"):
                painter.fillRect(place, theme.flash)
            painter.setPen(theme.text)
            text = metrics.elidedText(line, Qt.TextElideMode.ElideRight, place.width() - GRID)
            painter.drawText(
                place.adjusted(GRID // 2, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter), text
            )


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that differ, each behind ``-`` or ``+``, in their order."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


def edit_text(before: str, after: str) -> str:
    """Return an edit to be pasted: the new lines, or a difference where it has several places.

    >>> edit_text("a = 1\\nb = 2\\n", "a = 3\\nb = 2\\n")
    'a = 3\\n'
    """
    places = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines()).get_opcodes()
    changed = [place for place in places if place[0] != "equal"]
    if len(changed) == 1 and changed[0][0] != "delete":
        _, _, _, start, end = changed[0]
        return "\n".join(after.splitlines()[start:end]) + "\n"
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "before", "after", lineterm=""
    )
    return "\n".join(lines) + "\n"


def _points(curve: Sequence[float], area: QRect, low: float, high: float) -> list[QPointF]:
    span = (high - low) or 1.0
    step = area.width() / max(len(curve) - 1, 1)
    return [
        QPointF(
            area.left() + step * place,
            area.bottom() - 2 - (value - low) / span * (area.height() - 4),
        )
        for place, value in enumerate(curve)
        if abs(value) < float("inf")
    ]
