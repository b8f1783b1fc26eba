"""The bar on top: play, pause, step, phase, reset, stop, and the numbers of the run.

Must be read from the last row: is it training, how far, how well.
"""

import math
from collections.abc import Sequence

from PySide6.QtCore import QElapsedTimer, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from paramscope.engine.protocol import Phase, RunState
from paramscope_gui.bridge.live import Live
from paramscope_gui.panels.pace import PaceFigure
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import FigureLabel, GlyphLabel, ThemedLabel, number

SLIDER_STEPS = 600
SLIDER_DECADES = (-5.0, 1.0)
TICK_MILLISECONDS = 66
STATE_WORDS = {
    RunState.STARTING: ("waiting", "grey", "Starting"),
    RunState.EMPTY: ("empty", "grey", "No model"),
    RunState.LOADING: ("waiting", "grey", "Loading"),
    RunState.READY: ("disc", "blue", "Ready"),
    RunState.RUNNING: ("play", "green", "Training"),
    RunState.PAUSED: ("pause", "blue", "Paused"),
    RunState.FAILED: ("triangle", "vermilion", "Failed"),
    RunState.STOPPED: ("stop", "grey", "Stopped"),
}
DEAF = (
    "The worker gives no sign of life: it is stopped, or deep in one long call. Stop ends it;"
    " document and curves stay."
)


class RunBar(QWidget):
    """Buttons of the given actions, the state in a word, and the numbers in fixed places."""

    def __init__(
        self,
        themes: ThemeModel,
        live: Live,
        actions: Sequence[QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._themes, self._live = themes, live
        self._buttons: list[QToolButton] = []
        self._captions: dict[str, ThemedLabel] = {}
        self.setObjectName("run_bar")
        self.activity = ActivityLine(themes, live)
        row = self._row = QHBoxLayout()
        row.setContentsMargins(GRID, GRID // 2, GRID + GRID // 2, GRID // 2)
        row.setSpacing(GRID // 2)
        for action in actions:
            row.addWidget(self._button(action))
        row.addSpacing(GRID)
        self._add_state(row)
        row.addStretch(1)
        self._step = self._add_number(row, "step", "step", "9,999,999")
        self.pace = PaceFigure(themes)
        row.addWidget(self.pace)
        self._loss = self._add_number(row, "loss", "loss", "0.0000000")
        self._loss_caption = self._captions["loss"]
        row.addSpacing(GRID)
        self._add_learning_rate(row)
        row.addSpacing(GRID)
        self._engine = self._add_number(row, "engine", "engine", "torch 2.13.0+cpu")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.activity)
        live.state_changed.connect(self.refresh)
        live.snapshot_arrived.connect(self.refresh)
        themes.changed.connect(self._dress)
        self._dress()
        self.refresh()

    def close_timers(self) -> None:
        """Stop the activity line; called once, when the window closes."""
        self.activity.close_timers()

    def refresh(self) -> None:
        """Show the numbers of the last snapshot."""
        live = self._live
        sign, role, word = STATE_WORDS[live.state]
        self._word.setToolTip(DEAF if live.is_silent else "")
        if live.is_silent:
            sign, role, word = "triangle", "amber", "No answer"
        elif live.phase is not Phase.IDLE and live.state is not RunState.RUNNING:
            word = f"{word}: {live.phase}"
        self._glyph.show_glyph(sign, role)
        self._word.setText(word)
        self._word.set_role(role)
        self._step.setText(f"{live.step_count:,}")
        running = live.state is RunState.RUNNING
        speed = f"{live.steps_per_second:,.0f}" if running else "–"
        self.pace.show_pace(speed, live.mode, live.mode_reason, live.filename)
        self._loss.setText("–" if live.loss is None else number(live.loss))
        self._loss_caption.setText("made-up loss" if live.is_loss_made_up else "loss")
        bad = live.loss is not None and not math.isfinite(live.loss)
        self._loss.set_role("purple" if bad else "text")
        self._engine.setText(live.engine_name or "–")
        self.slider.setEnabled(live.lr is not None)
        self.field.setEnabled(live.lr is not None)
        if live.lr is not None and not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.setValue(slider_place(live.lr))
            self.slider.blockSignals(False)
        if not self.field.hasFocus():
            self.field.setText("" if live.lr is None else f"{live.lr:.3g}")
            self.field.setCursorPosition(0)

    def _button(self, action: QAction) -> QToolButton:
        result = QToolButton()
        result.setObjectName(f"{action.objectName()}_button")
        result.setAccessibleName(action.text().replace("&", ""))
        result.setDefaultAction(action)
        result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        result.setIconSize(QSize(20, 20))
        result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._buttons.append(result)
        return result

    def _add_state(self, row: QHBoxLayout) -> None:
        self._glyph = GlyphLabel(self._themes, "empty", "grey", 20)
        self._word = ThemedLabel(self._themes, "", "grey", bold=True)
        self._word.setObjectName("run_state")
        self._word.setAccessibleName("State of the run")
        row.addWidget(self._glyph)
        row.addWidget(self._word)

    def _add_number(self, row: QHBoxLayout, name: str, caption: str, widest: str) -> FigureLabel:
        place = QWidget()
        column = QVBoxLayout(place)
        column.setContentsMargins(0, 0, GRID, 0)
        column.setSpacing(0)
        head = self._captions[name] = ThemedLabel(self._themes, caption, "quiet", "small")
        value = FigureLabel(self._themes, widest)
        value.setObjectName(f"run_{name}_value")
        value.setAccessibleName(caption)
        column.addWidget(head)
        column.addWidget(value)
        row.addWidget(place)
        return value

    def _add_learning_rate(self, row: QHBoxLayout) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("run_lr_slider")
        self.slider.setAccessibleName("Learning rate")
        self.slider.setToolTip("Learning rate, from 0.00001 to 10")
        self.slider.setRange(0, SLIDER_STEPS)
        self.slider.setMinimumWidth(12 * GRID)
        self.slider.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.field = QLineEdit()
        self.field.setObjectName("run_lr_field")
        self.field.setAccessibleName("Learning rate as a number")
        caption = ThemedLabel(self._themes, "lr", "quiet", "small")
        row.addWidget(caption)
        row.addWidget(self.slider)
        row.addWidget(self.field)
        self.slider.valueChanged.connect(self._on_slider_value_changed)
        self.field.editingFinished.connect(self._on_field_editing_finished)

    def _fit(self) -> None:
        """Leave out what matters least where the window is too narrow for everything."""
        spare = (self._engine.parentWidget() or self._engine, self.slider, self.pace)
        for one in spare:
            one.show()
        for one in spare:
            # What a hidden widget needed stands in the inner layout until that is told.
            self._row.invalidate()
            if self.minimumSizeHint().width() <= self.width():
                return
            one.hide()

    def _dress(self) -> None:
        theme = self._themes.theme
        bold = theme.font("body", bold=True)
        for one in self._buttons:
            one.ensurePolished()
            one.setMinimumWidth(one.sizeHint().width())
        self.field.setFont(bold)
        self.field.setFixedWidth(self.field.fontMetrics().horizontalAdvance("0.00001") + 3 * GRID)

    def _on_slider_value_changed(self, place: int) -> None:
        low, high = SLIDER_DECADES
        rate = 10 ** (low + (high - low) * place / SLIDER_STEPS)
        self._live.set_learning_rate(float(f"{rate:.2g}"))
        self.field.setText(f"{rate:.2g}")

    def _on_field_editing_finished(self) -> None:
        try:
            rate = float(self.field.text().replace("−", "-"))
        except ValueError:
            rate = math.nan
        if not math.isfinite(rate) or rate < 0:
            self.field.setText("" if self._live.lr is None else f"{self._live.lr:.3g}")
            return
        if rate != self._live.lr:
            self._live.set_learning_rate(rate)
            self.refresh()

    # Overrides of Qt methods

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


def slider_place(rate: float) -> int:
    """Return where on the logarithmic slider a learning rate lies."""
    low, high = SLIDER_DECADES
    if rate <= 0:
        return 0
    share = (math.log10(rate) - low) / (high - low)
    return round(SLIDER_STEPS * min(1.0, max(0.0, share)))


class ActivityLine(QWidget):
    """A thin line below the bar that moves while the worker is busy, and rests otherwise."""

    def __init__(self, themes: ThemeModel, live: Live) -> None:
        super().__init__()
        self._themes, self._live = themes, live
        self._clock = QElapsedTimer()
        self._clock.start()
        self.setFixedHeight(3)
        self.setAccessibleName("Activity")
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MILLISECONDS)
        self._tick.timeout.connect(self.update)
        live.state_changed.connect(self._on_live_state_changed)

    def close_timers(self) -> None:
        """Come to rest."""
        self._tick.stop()

    def _on_live_state_changed(self) -> None:
        if self._live.is_busy and not self._tick.isActive():
            self._tick.start()
        elif not self._live.is_busy:
            self._tick.stop()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        line = QRectF(0, self.height() - 1, self.width(), 1)
        painter.fillRect(line, theme.hairline)
        if not self._live.is_busy:
            return
        width = self.width() / 6
        share = (self._clock.elapsed() % 2400) / 2400
        start = -width + share * (self.width() + width)
        color = theme.glyphs["green" if self._live.state is RunState.RUNNING else "blue"]
        painter.fillRect(QRectF(start, 0, width, self.height()), color)
