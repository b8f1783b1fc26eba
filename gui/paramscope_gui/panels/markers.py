"""The interventions on the plot: a dashed line where each acted, and its words beside it.

Words keep clear of one another and of the plot's edges; where there is no room left they are
only the tool tip of their line.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyqtgraph
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics

from paramscope_gui.bridge.curve import Marker
from paramscope_gui.theme import GRID, ThemeModel

MOST_MARKERS = 30
MOST_ROWS = 5
WORDS_ON_TOP = 10
WIDEST = 22 * GRID  # pixels; longer words are elided


class Place(NamedTuple):
    """Where the words of a marker stand: their row from the top, and on which side of the line."""

    row: int
    is_left: bool


def places(positions: Sequence[float], widths: Sequence[float], room: float) -> list[Place | None]:
    """Return a place for each of some words beside vertical lines, None where there is no room.

    Units: pixels; ``positions`` are those of the lines, ``room`` is the width of the plot.
    """
    taken: list[tuple[int, float, float]] = []
    found: list[Place | None] = []
    for position, width in zip(positions, widths, strict=True):
        place = None
        if 0 <= position <= room:
            is_left = position + width > room and position - width >= 0
            start = position - width if is_left else position
            end = start + width
            for row in range(MOST_ROWS):
                if all(row != other or end <= low or start >= high for other, low, high in taken):
                    taken.append((row, start, end))
                    place = Place(row, is_left)
                    break
        found.append(place)
    return found


class Markers:
    """The lines and words on one plot; `place` arranges the words for the range now shown."""

    def __init__(self, themes: ThemeModel, plot: pyqtgraph.PlotItem) -> None:
        self._themes, self._plot = themes, plot
        self._shown: object = None
        self._placed: object = None
        self._lines: list[Any] = []
        self._words: list[Any] = []
        self._steps: list[int] = []

    @property
    def texts(self) -> list[str]:
        """What the lines say, in full."""
        return [str(line.toolTip()) for line in self._lines]

    def show(self, markers: Sequence[Marker]) -> None:
        """Draw these markers, if they are not those that stand there."""
        latest = tuple(markers[-MOST_MARKERS:])
        if latest != self._shown:
            self._shown = latest
            self._draw(latest)
        self.place()

    def forget(self) -> None:
        """Draw all anew at the next `show`: the theme has changed."""
        self._shown = None

    def place(self) -> None:
        """Arrange the words for the range and size of the plot."""
        view = self._plot.getViewBox()
        (first, last), (low, high) = view.viewRange()
        width, height = view.width(), view.height()
        state = (first, last, low, high, width, height, id(self._shown))
        if state == self._placed or not self._lines or last <= first or height <= 0:
            return
        self._placed = state
        positions = [(step - first) / (last - first) * width for step in self._steps]
        widths = [item.boundingRect().width() for item in self._words]
        line_height = max(item.boundingRect().height() for item in self._words)
        found = places(positions, widths, width)
        for item, step, place in zip(self._words, self._steps, found, strict=True):
            item.setVisible(place is not None)
            if place is not None:
                item.setAnchor((1 if place.is_left else 0, 0))
                item.setPos(step, high - place.row * line_height / height * (high - low))

    def _draw(self, markers: Sequence[Marker]) -> None:
        theme = self._themes.theme
        for old in (*self._lines, *self._words):
            self._plot.removeItem(old)
        font = theme.font("small")
        metrics = QFontMetrics(font)
        pen = pyqtgraph.mkPen(theme.quiet, width=1, style=Qt.PenStyle.DashLine)
        self._steps = [marker.step for marker in markers]
        self._lines, self._words = [], []
        for marker in markers:
            line = pyqtgraph.InfiniteLine(marker.step, angle=90, pen=pen)
            line.setToolTip(marker.text)
            short = metrics.elidedText(marker.text, Qt.TextElideMode.ElideRight, WIDEST)
            words = pyqtgraph.TextItem(short, color=theme.text, fill=theme.panel)
            words.setFont(font)
            words.setZValue(WORDS_ON_TOP)
            words.setToolTip(marker.text)
            for item in (line, words):
                self._plot.addItem(item, ignoreBounds=True)
            self._lines.append(line)
            self._words.append(words)
        self._placed = None
