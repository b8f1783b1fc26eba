"""The curves: the loss and the metrics as they grow, with every intervention marked.

Imports pyqtgraph, so the window imports this module only after its first paint.
"""

import math
from typing import Any

import numpy as np
import pyqtgraph
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QCheckBox,
    QGraphicsItem,
    QHBoxLayout,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from paramscope.engine.protocol import RunState
from paramscope_gui.bridge.curve import Curve
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.pyramid import MinMaxPyramid
from paramscope_gui.panels.flow import FlowLayout
from paramscope_gui.panels.markers import Markers
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import EmptyState, FigureLabel, ThemedLabel, button, number

Array = NDArray[Any]
FRAME_MILLISECONDS = 80  # a frame of the curves costs more than all else that moves
MOST_POINTS = 1600
MOST_CROSSES = 200
METRIC_ROLES = ("green", "amber", "purple", "sky")
SPIKE = 20.0  # a maximum so many times the bulk of the curve is cut off
LASTING = 6  # a level that so many of the drawn points keep is no spike
SPARE_ROOM = 1.25  # the step axis grows by a quarter at a time, so that it rarely moves


MADE_UP = (
    "The file has no loss of its own. This one draws each value of the output to 0.5, so that"
    " gradients flow; its size means nothing."
)


class Line:
    """One curve of the plot with its pyramid."""

    def __init__(self, item: pyqtgraph.PlotCurveItem) -> None:
        self.item = item
        self.pyramid = MinMaxPyramid()
        self.generation = -1

    def outline(self, curve: Curve, first: float, last: float) -> tuple[Array, Array]:
        """Return the points that draw the curve between two steps."""
        if curve.generation != self.generation:
            self.pyramid.clear()
            self.generation = curve.generation
        self.pyramid.update(curve.values)
        return self.pyramid.outline(curve.steps, curve.values, first, last, MOST_POINTS)

    def show(self, curve: Curve, first: float, last: float, *, logarithmic: bool) -> None:
        """Draw the curve between two steps."""
        steps, values = self.outline(curve, first, last)
        self.item.setData(steps, to_scale(values, logarithmic), connect="finite")


class StepAxis(pyqtgraph.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """The axis of the steps: whole numbers, thousands separated."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{value * scale:,.0f}" if spacing * scale >= 1 else "" for value in values]


class ValueAxis(pyqtgraph.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """The axis of a value, whose numbers keep clear of one another where it is low."""

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        levels: list[tuple[float, float]] = super().tickSpacing(low, high, size)
        if not levels:
            return levels
        font = self.style["tickFont"]
        room = 0 if font is None else QFontMetrics(font).height()
        spacing, offset = levels[0]
        least = room * abs(high - low) / size
        while spacing < least and 2 * spacing <= abs(high - low):  # one number stays
            levels = [(2 * spacing, offset)]
            spacing *= 2
        return levels


class LossPanel(QWidget):
    """The plot with the current numbers above it. It follows the run until the user zooms."""

    def __init__(self, themes: ThemeModel, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes, self._live = themes, live
        self._metrics: dict[str, Line] = {}
        self._metric_labels: dict[str, ThemedLabel] = {}
        self._is_following = True
        self._span = (0.0, 10.0)
        self._range = (0.0, 1.0)
        self._build_plot()
        self._arrange()
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(FRAME_MILLISECONDS)
        self._tick.timeout.connect(self.refresh)
        live.snapshot_arrived.connect(self._on_live_snapshot_arrived)
        live.state_changed.connect(self._on_live_snapshot_arrived)
        themes.changed.connect(self._dress)
        self._dress()
        self.refresh()

    @property
    def loss_line(self) -> pyqtgraph.PlotCurveItem:
        """The item that draws the loss."""
        return self._loss.item

    @property
    def is_following(self) -> bool:
        """Whether the axes grow with the run."""
        return self._is_following

    def follow(self) -> None:
        """Let the axes grow with the run again."""
        self._is_following = True
        self._follow_button.hide()
        self._range = (0.0, 1e-12)
        self.refresh()

    def close_timers(self) -> None:
        """Stop drawing; called once, when the window closes."""
        self._tick.stop()
        self._unseen_menu.deleteLater()

    def _build_plot(self) -> None:
        axes = {"bottom": StepAxis("bottom")}
        axes |= {side: ValueAxis(side) for side in ("left", "right")}
        self.plot = pyqtgraph.PlotWidget(axisItems=axes)
        self.plot.setObjectName("loss_plot")
        self.plot.setAccessibleName("Loss and metrics over the steps")
        item = self.plot.getPlotItem()
        item.setMenuEnabled(False)
        # pyqtgraph makes this menu without a parent; it would outlive the plot.
        self._unseen_menu = item.ctrlMenu
        item.hideButtons()
        item.setClipToView(False)
        item.getViewBox().disableAutoRange()
        item.getViewBox().sigRangeChangedManually.connect(self._on_view_changed_by_hand)
        item.getViewBox().sigXRangeChanged.connect(self._on_view_moved)
        self._loss = Line(pyqtgraph.PlotCurveItem())
        item.addItem(self._loss.item)
        self._crosses = pyqtgraph.ScatterPlotItem(symbol="x", size=11)
        item.addItem(self._crosses)
        self.markers = Markers(self._themes, item)
        item.getViewBox().sigRangeChanged.connect(self.markers.place)
        item.getViewBox().sigResized.connect(self.markers.place)
        self._metric_view = pyqtgraph.ViewBox(enableMouse=False, enableMenu=False)
        item.showAxis("right")
        item.scene().addItem(self._metric_view)
        item.getAxis("right").linkToView(self._metric_view)
        self._metric_view.setXLink(item)
        self._metric_view.setYRange(0.0, 1.02, padding=0)
        item.getViewBox().sigResized.connect(self._fit_metric_view)
        for side in ("left", "bottom", "right"):
            item.getAxis(side).setStyle(tickLength=-4, autoExpandTextSpace=False)
            # An axis plays its recorded picture at each repaint, text and all: by far the most
            # of a frame's time. Its ticks rarely change, so it is kept as pixels.
            item.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def _arrange(self) -> None:
        self._number = FigureLabel(self._themes, "0.0000000", "big")
        self._number.setObjectName("loss_number")
        self._caption = ThemedLabel(self._themes, "loss", "blue", bold=True)
        self.logarithmic = QCheckBox("log scale")
        self.logarithmic.setObjectName("loss_logarithmic")
        self.logarithmic.setAccessibleName("Logarithmic loss axis")
        self.logarithmic.toggled.connect(self._on_logarithmic_toggled)
        self._follow_button = button("Follow the run", "loss_follow", self.follow)
        self._follow_button.hide()
        # The figures go on in a second line where the window is narrow or the type large.
        self._figures = FlowLayout(GRID)
        self._figures.addWidget(self._caption)
        self._figures.addWidget(self._number)
        head = QHBoxLayout()
        head.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID + GRID // 2, 0)
        head.setSpacing(GRID)
        head.addLayout(self._figures, 1)
        head.addWidget(self._follow_button, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.logarithmic, 0, Qt.AlignmentFlag.AlignTop)
        plotted = QWidget()
        plotted.setObjectName("loss_page")
        column = QVBoxLayout(plotted)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.plot, 1)
        empty = EmptyState(
            self._themes,
            "loss",
            "The loss is drawn here step by step, with every change you make while it runs.",
            "Play",
            self._live.play,
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(plotted)
        self._stack.addWidget(empty)

    def _dress(self) -> None:
        theme = self._themes.theme
        self.plot.setBackground(theme.panel)
        for side in ("left", "bottom", "right"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(theme.hairline)
            axis.setTextPen(theme.quiet)
            axis.setTickFont(theme.font("small"))
        small = QFontMetrics(theme.font("small"))
        item = self.plot.getPlotItem()
        item.getAxis("left").setWidth(small.horizontalAdvance("−0.0000") + GRID)
        item.getAxis("right").setWidth(small.horizontalAdvance("0.00") + GRID)
        item.getAxis("bottom").setHeight(small.height() + GRID)
        self.plot.getPlotItem().showGrid(x=False, y=True, alpha=0.12)
        self._loss.item.setPen(pyqtgraph.mkPen(theme.glyphs["blue"], width=2))
        self._crosses.setPen(pyqtgraph.mkPen(theme.glyphs["purple"], width=2))
        for (_, line), role in zip(self._metrics.items(), _cycled(METRIC_ROLES), strict=False):
            line.item.setPen(pyqtgraph.mkPen(theme.glyphs[role], width=2))
        self.markers.forget()
        self.refresh()

    def refresh(self) -> None:
        """Draw what the run has reached."""
        live = self._live
        is_running = live.state is RunState.RUNNING
        self._stack.setCurrentIndex(0 if len(live.losses) or is_running else 1)
        logarithmic = self.logarithmic.isChecked()
        if self._is_following:
            self._follow_run(logarithmic)
        first, last = self._span
        self._loss.show(live.losses, first, last, logarithmic=logarithmic)
        self._show_metrics(first, last)
        self._show_crosses(logarithmic)
        self.markers.show(live.markers)
        made_up = live.is_loss_made_up
        self._caption.setText("made-up loss" if made_up else "loss")
        self._caption.setToolTip(MADE_UP if made_up else "")
        self._number.setText("–" if live.loss is None else number(live.loss))
        self._number.set_role(
            "purple" if live.loss is not None and not math.isfinite(live.loss) else "text"
        )

    def _follow_run(self, logarithmic: bool) -> None:
        steps = self._live.losses.steps
        end = float(steps[-1]) if len(steps) else 1.0
        if end > self._span[1] or end < self._span[1] / 4 or self._span[0] != 0:
            self._span = (0.0, max(10.0, end * SPARE_ROOM))
        low, high = self._extremes_of_losses(logarithmic)
        bottom, top = self._range
        room = high - low
        outside = low < bottom or high > top
        if outside or room < 0.5 * (top - bottom):
            margin = 0.08 * room
            self._range = (low - margin, high + 2 * margin)
        view = self.plot.getPlotItem().getViewBox()
        view.setRange(xRange=self._span, yRange=self._range, padding=0)

    def _extremes_of_losses(self, logarithmic: bool) -> tuple[float, float]:
        """Return the range of everything that is drawn on the axis of the loss."""
        ranges = [_extremes(self._loss, self._live.losses, logarithmic)]
        ranges += [
            _extremes(line, self._live.metrics[name], logarithmic)
            for name, line in self._metrics.items()
            if is_loss(name) and name in self._live.metrics
        ]
        found = [one for one in ranges if one is not None]
        if not found:
            return 0.0, 1.0
        low, high = min(one[0] for one in found), max(one[1] for one in found)
        if not logarithmic and 0 <= low < 0.5 * high:
            low = 0.0
        # A flat curve gets an axis around it, not one that shows its last digit.
        least = 0.1 if logarithmic else max(0.2 * abs(high), 1e-9)
        if high - low < least:
            low, high = low - least / 2, high + least / 2
        return low, high

    def _show_metrics(self, first: float, last: float) -> None:
        theme = self._themes.theme
        for name in [name for name in self._metrics if name not in self._live.metrics]:
            self._view_of(name).removeItem(self._metrics.pop(name).item)
            label = self._metric_labels.pop(name)
            label.hide()
            label.deleteLater()
        for name, curve in self._live.metrics.items():
            line = self._metrics.get(name)
            if line is None:
                role = METRIC_ROLES[len(self._metrics) % len(METRIC_ROLES)]
                line = Line(
                    pyqtgraph.PlotCurveItem(pen=pyqtgraph.mkPen(theme.glyphs[role], width=2))
                )
                self._view_of(name).addItem(line.item)
                self._metrics[name] = line
                label = ThemedLabel(self._themes, "", role, bold=True)
                self._metric_labels[name] = label
                self._figures.addWidget(label)
            logarithmic = is_loss(name) and self.logarithmic.isChecked()
            line.show(curve, first, last, logarithmic=logarithmic)
            if len(curve):
                text = f"{name.replace('_', ' ')} {number(float(curve.values[-1]))}"
                self._metric_labels[name].setText(text)
        shares = [
            float(np.nanmax(curve.values))
            for name, curve in self._live.metrics.items()
            if len(curve) and not is_loss(name)
        ]
        self.plot.getPlotItem().showAxis("right", bool(shares))
        if shares:
            highest = max(shares)
            top = 1.02 if highest <= 1.0 else highest * 1.1
            if math.isfinite(top):
                self._metric_view.setYRange(0.0, top, padding=0)

    def _view_of(self, name: str) -> Any:
        """Return where a metric is drawn: losses share the axis of the loss."""
        return self.plot.getPlotItem().getViewBox() if is_loss(name) else self._metric_view

    def _show_crosses(self, logarithmic: bool) -> None:
        """Mark steps whose loss is no number, at the bottom of the picture."""
        values = self._live.losses.values
        bad = np.flatnonzero(~np.isfinite(values))[-MOST_CROSSES:]
        if not len(bad) and not len(self._crosses.data):
            return
        level = self._range[0] + 0.06 * (self._range[1] - self._range[0])
        self._crosses.setData(self._live.losses.steps[bad], np.full(len(bad), level))

    def _fit_metric_view(self) -> None:
        view = self.plot.getPlotItem().getViewBox()
        self._metric_view.setGeometry(view.sceneBoundingRect())
        self._metric_view.linkedViewChanged(view, self._metric_view.XAxis)

    def _on_live_snapshot_arrived(self) -> None:
        if not self._tick.isActive():
            self._tick.start()

    def _on_view_changed_by_hand(self, *_: object) -> None:
        self._is_following = False
        self._follow_button.show()

    def _on_view_moved(self, _: object, span: tuple[float, float]) -> None:
        if not self._is_following:
            self._span = (float(span[0]), float(span[1]))
            self._on_live_snapshot_arrived()

    def _on_logarithmic_toggled(self, checked: bool) -> None:
        self.plot.getPlotItem().getAxis("left").setLogMode(False, checked)
        self.follow()


def to_scale(values: Array, logarithmic: bool) -> Array:
    """Return values as they are drawn; what has no logarithm is left out of the line."""
    if not logarithmic:
        return np.where(np.isfinite(values), values, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log10(values)
    return np.where(np.isfinite(scaled), scaled, np.nan)


def _extremes(line: Line, curve: Curve, logarithmic: bool) -> tuple[float, float] | None:
    """Return the smallest and largest value to show of a curve, None without any."""
    _, outline = line.outline(curve, -1.0, math.inf)
    values = to_scale(outline, logarithmic)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    bulk = float(np.quantile(values, 0.98))
    if not logarithmic and high > SPIKE * max(abs(bulk), 1e-12):
        # One spike would flatten all the rest. What lasts is none, nor is the first value: the
        # fall from it is what the run is about, however long the plateau after it.
        high = max(bulk, float(values[0]), _lasting_maximum(values))
    return low, high


def _lasting_maximum(values: Array) -> float:
    """Return the largest value that some neighbouring points reach together."""
    if len(values) < LASTING:
        return float(values.min())
    windows = np.lib.stride_tricks.sliding_window_view(values, LASTING)
    return float(windows.min(axis=1).max())


def is_loss(name: str) -> bool:
    """Tell whether a metric is a loss by its name."""
    return "loss" in name.lower()


def _cycled(roles: tuple[str, ...]) -> tuple[str, ...]:
    return roles * 16
