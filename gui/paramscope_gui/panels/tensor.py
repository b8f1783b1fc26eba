"""The selected tensor: what it is in a sentence, its numbers, a heatmap and a histogram."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetrics,
    QHideEvent,
    QImage,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from paramscope.census.rows import Gradient, Kind, Statistics, Stepping, TensorRow
from paramscope.engine.protocol import TensorValues
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.panels.colormaps import SEQUENTIAL, SIGNED, as_matrix, image_of, thumbnail
from paramscope_gui.theme import FORGOTTEN, GRID, ThemeModel, blend
from paramscope_gui.widgets import (
    ElidedLabel,
    EmptyState,
    GlyphLabel,
    ThemedLabel,
    WrappedLabel,
    number,
    shape_text,
    values_text,
)

TENTH_OF_A_SECOND = 100
BINS = 48
MOST_PIXELS = 256


class TensorPanel(QWidget):
    """Follows the selected tensor by watching it, only while the panel is visible."""

    def __init__(
        self,
        themes: ThemeModel,
        selection: Selection,
        live: Live,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._themes, self._selection, self._live = themes, selection, live
        self._shows_gradient = False
        self._watched: tuple[str, ...] = ()
        self._build(themes)
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(TENTH_OF_A_SECOND)
        self._tick.timeout.connect(self.refresh)
        selection.changed.connect(self._on_selection_changed)
        live.snapshot_arrived.connect(self._on_live_snapshot_arrived)
        live.state_changed.connect(self._on_live_state_changed)
        themes.changed.connect(self.refresh)
        self.refresh()

    def close_timers(self) -> None:
        """Stop following; called once, when the window closes."""
        self._tick.stop()

    def _build(self, themes: ThemeModel) -> None:
        self._glyph = GlyphLabel(themes, "", "text", 20)
        self._path = ElidedLabel()
        self._path.setObjectName("tensor_path")
        self._word = ThemedLabel(themes, "", "text", bold=True)
        self._word.setObjectName("tensor_word")
        self._sentence = WrappedLabel(themes)
        self._sentence.setObjectName("tensor_sentence")
        self._numbers = WrappedLabel(themes, "", "quiet", "small")
        self._numbers.setObjectName("tensor_numbers")
        self.heatmap = Heatmap(themes)
        self.histogram = Histogram(themes)
        area = QScrollArea()
        area.setObjectName("tensor_area")
        area.setAccessibleName("Selected tensor")
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._page())
        self.empty = EmptyState(
            themes,
            "tensor",
            "Select a tensor in the list above, on the canvas or in the code to see its values.",
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(area)
        self._stack.addWidget(self.empty)

    def _page(self) -> QWidget:
        page = QWidget()
        page.setObjectName("tensor_page")
        column = QVBoxLayout(page)
        column.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID + GRID // 2, GRID)
        column.setSpacing(GRID // 2)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self._glyph)
        head.addWidget(self._path, 1)
        head.addWidget(self._word)
        column.addLayout(head)
        column.addWidget(self._sentence)
        column.addLayout(self._switch())
        pictures = QHBoxLayout()
        pictures.setSpacing(2 * GRID)
        pictures.addWidget(self.heatmap, 3)
        pictures.addWidget(self.histogram, 2)
        column.addLayout(pictures, 1)
        column.addWidget(self._numbers)
        return page

    def _switch(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        self._choice = QButtonGroup(self)
        for name, text in (("value", "Value"), ("gradient", "Gradient")):
            choice = QToolButton()
            choice.setObjectName(f"tensor_show_{name}")
            choice.setText(text)
            choice.setAccessibleName(f"Show the tensor's {name}")
            choice.setCheckable(True)
            choice.setChecked(name == "value")
            self._choice.addButton(choice, 1 if name == "gradient" else 0)
            row.addWidget(choice)
        row.addStretch(1)
        self._choice.idToggled.connect(self._on_choice_toggled)
        return row

    def refresh(self) -> None:
        """Show the tensor as the last snapshot has it."""
        path = self._selection.tensor
        row = self._live.rows.get(path) if path is not None else None
        if path is None or row is None:
            self._stack.setCurrentIndex(1)
            return
        self._stack.setCurrentIndex(0)
        theme = self._themes.theme
        state = theme.state(row)
        role = next((name for name, color in theme.glyphs.items() if color == state.color), "grey")
        self._glyph.show_glyph(state.glyph, role)
        self._path.setText(path)
        self._path.setFont(theme.font("body", bold=True))
        self._word.setText(state.word)
        self._word.set_role(role)
        self._sentence.setText(sentence(row))
        self._numbers.setText(_numbers(row))
        values = self._live.watched.get(path)
        shown = _array(values, gradient=self._shows_gradient)
        self.heatmap.show_values(shown, is_gradient=self._shows_gradient)
        self.histogram.show_values(shown)

    def _on_selection_changed(self) -> None:
        self._watch()
        self.refresh()

    def _on_live_snapshot_arrived(self) -> None:
        if not self._tick.isActive():
            self._tick.start()

    def _on_live_state_changed(self) -> None:
        if self._watched and not self._live.watched:
            self._live.watch(self._watched)

    def _on_choice_toggled(self, which: int, checked: bool) -> None:
        if checked:
            self._shows_gradient = which == 1
            self.refresh()

    def _watch(self) -> None:
        path = self._selection.tensor
        paths = () if path is None or not self.isVisible() else (path,)
        if paths != self._watched:
            self._watched = paths
            self._live.watch(paths)

    # Overrides of Qt methods

    def showEvent(self, event: QShowEvent) -> None:
        self._watch()

    def hideEvent(self, event: QHideEvent) -> None:
        self._watch()


class Heatmap(QWidget):
    """The values as a picture with fixed levels and a legend; absent values are hatched."""

    def __init__(self, themes: ThemeModel) -> None:
        super().__init__()
        self._themes = themes
        self._image: QImage | None = None
        self._limit = 0.0
        self._is_gradient = False
        self._is_signed = True
        self._single: float | None = None
        self.setObjectName("tensor_heatmap")
        self.setAccessibleName("Heatmap of the tensor")
        self.setMinimumHeight(8 * GRID)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_values(self, values: NDArray[Any] | None, *, is_gradient: bool) -> None:
        """Show a tensor's values, or None for what isn't there."""
        self._is_gradient = is_gradient
        alone = values is not None and values.size == 1
        self._single = float(values.flat[0]) if values is not None and alone else None
        if values is None or not values.size:
            self._image = None
        else:
            matrix = thumbnail(as_matrix(values), MOST_PIXELS, MOST_PIXELS)
            finite = matrix[np.isfinite(matrix)]
            largest = float(np.abs(finite).max()) if finite.size else 0.0
            # A level that follows every step would hide what changes: it only moves by steps.
            if not self._limit / 2.5 <= largest <= self._limit:
                self._limit = largest * 1.25
            self._is_signed = bool(finite.size and finite.min() < 0)
            self._image = image_of(
                matrix,
                self._limit,
                signed=self._is_signed,
                is_dark=self._themes.theme.is_dark,
            )
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(20 * GRID, 12 * GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        painter.setFont(theme.font("small"))
        legend = QFontMetrics(painter.font()).height() + GRID // 2
        area = self.rect().adjusted(0, 0, -1, -legend - GRID // 2)
        if self._image is None:
            painter.fillRect(area, theme.window)
            painter.setPen(Qt.PenStyle.NoPen)
            hatch = blend(theme.quiet, theme.window, 0.3)
            painter.fillRect(area, _hatched(hatch))
            what = "no gradient here" if self._is_gradient else "values appear while it trains"
            painter.setPen(theme.text)
            painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), what)
            return
        if self._single is not None:
            painter.setFont(theme.font("big", bold=True))
            painter.setPen(theme.text)
            painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), number(self._single))
            return
        painter.drawImage(_fitted(area, self._image), self._image)
        self._paint_legend(painter, QRect(0, area.bottom() + GRID // 2, self.width(), legend))

    def _paint_legend(self, painter: QPainter, place: QRect) -> None:
        theme = self._themes.theme
        painter.setPen(theme.quiet)
        low = number(-self._limit, 3) if self._is_signed else "0"
        high = number(self._limit, 3)
        metrics = painter.fontMetrics()
        flags = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(place, flags, low)
        painter.drawText(place, flags | int(Qt.AlignmentFlag.AlignRight), high)
        bar = place.adjusted(
            metrics.horizontalAdvance(low) + GRID,
            GRID // 2,
            -metrics.horizontalAdvance(high) - GRID,
            -GRID // 2,
        )
        table = SIGNED[theme.is_dark] if self._is_signed else SEQUENTIAL
        strip = QImage(table.tobytes(), 256, 1, 1024, QImage.Format.Format_RGB32).copy()
        painter.drawImage(bar, strip)


class Histogram(QWidget):
    """How often each value occurs; zero is marked, what is no number is counted in words."""

    def __init__(self, themes: ThemeModel) -> None:
        super().__init__()
        self._themes = themes
        self._counts: NDArray[Any] | None = None
        self._edges: NDArray[Any] = np.zeros(2)
        self._not_finite = 0
        self.setObjectName("tensor_histogram")
        self.setAccessibleName("Histogram of the tensor")
        self.setMinimumHeight(7 * GRID)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_values(self, values: NDArray[Any] | None) -> None:
        """Count a tensor's values, or show nothing for None."""
        self._counts = None
        if values is not None and values.size:
            finite = values[np.isfinite(values)]
            self._not_finite = int(values.size - finite.size)
            if finite.size:
                self._counts, self._edges = np.histogram(finite, bins=BINS)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(20 * GRID, 9 * GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        painter.setFont(theme.font("small"))
        metrics = painter.fontMetrics()
        area = self.rect().adjusted(0, GRID // 2, -1, -metrics.height() - 2)
        painter.setPen(theme.hairline)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if self._counts is None:
            return
        width = area.width() / len(self._counts)
        top = max(1, int(self._counts.max()))
        for place, count in enumerate(self._counts):
            height = area.height() * float(count) / top
            bar = QRectF(
                area.left() + place * width, area.bottom() - height, max(1.0, width - 1), height
            )
            painter.fillRect(bar, theme.glyphs["blue"])
        labels = QRect(0, area.bottom() + 2, self.width(), metrics.height())
        painter.setPen(theme.quiet)
        painter.drawText(labels, int(Qt.AlignmentFlag.AlignLeft), number(float(self._edges[0]), 3))
        painter.drawText(
            labels, int(Qt.AlignmentFlag.AlignRight), number(float(self._edges[-1]), 3)
        )
        middle = f"{self._not_finite:,} not finite" if self._not_finite else ""
        painter.drawText(labels, int(Qt.AlignmentFlag.AlignHCenter), middle)


CUT_OFF = "cut off from the loss"


def sentence(row: TensorRow) -> str:
    """Say in a sentence or two what a tensor is, whether it learns, and why not."""
    plain = row.kind in (Kind.TENSOR, Kind.FORGOTTEN_TENSOR)
    owner = f" of {row.owner_class}" if row.owner_class else ""
    what = {
        Kind.PARAMETER: f"A registered Parameter{owner}.",
        Kind.BUFFER: f"A buffer{owner}: saved with the model, not trained.",
        Kind.BUFFER_NOT_SAVED: f"A buffer{owner} that state_dict() leaves out.",
        Kind.TENSOR: f"A plain tensor{owner}.",
        Kind.FORGOTTEN_TENSOR: f"A plain attribute{owner}: parameters() does not list it.",
        Kind.FORGOTTEN_PARAMETER: f"A Parameter{owner} where parameters() never looks.",
        Kind.FORGOTTEN_MODULE: f"A Module{owner} where modules() never looks.",
        Kind.NON_LEAF: f"A tensor{owner} that is computed from others.",
        Kind.UNINITIALIZED: f"A tensor{owner} whose memory was never filled.",
    }
    parts = [what[row.kind]]
    if row.gradient not in (Gradient.NOT_APPLICABLE, Gradient.FLOWS):
        if not (plain and row.kind not in FORGOTTEN):
            parts.append(_gradient_words(row.gradient))
    elif row.gradient is Gradient.FLOWS:
        stepped = row.stepping is Stepping.IN_OPTIMIZER
        parts.append("It receives a gradient" + (", " if stepped else ", but "))
        parts[-1] += "and the optimizer steps it." if stepped else "nobody steps it."
    if row.stepping not in (Stepping.NOT_APPLICABLE, Stepping.IN_OPTIMIZER):
        if row.gradient is not Gradient.FLOWS:
            parts.append("No optimizer steps it.")
    if row.note.startswith(CUT_OFF) and row.gradient is Gradient.DETACHED:
        parts[-1] = f"It is used, but {row.note}."
    elif row.note and row.gradient is not Gradient.FLOWS and not _is_said(row):
        parts.append(f"{row.note[0].upper()}{row.note[1:].removesuffix('.')}.")
    return " ".join(parts)


def _is_said(row: TensorRow) -> bool:
    """Whether the note of a forgotten tensor only repeats what its states say."""
    return row.kind is Kind.FORGOTTEN_TENSOR and row.note.startswith("plain tensor:")


def _gradient_words(gradient: Gradient) -> str:
    return {
        Gradient.NONE_YET: "No backward has run yet.",
        Gradient.UNUSED: "The forward pass never reads it.",
        Gradient.DETACHED: "It is used, but cut off from the loss.",
        Gradient.ZERO: "Its gradient is exactly zero.",
        Gradient.VANISHING: "Its gradient is far smaller than the others'.",
        Gradient.EXPLODING: "Its gradient grows beyond all measure.",
        Gradient.NON_FINITE: "Its gradient is not a number.",
        Gradient.FROZEN: "It is frozen: requires_grad is False.",
        Gradient.STALE: "Gradients pile up in it and are never cleared.",
    }[gradient]


def _numbers(row: TensorRow) -> str:
    parts = [f"{shape_text(row.shape)}", row.dtype, values_text(row.count)]
    if row.lr is not None:
        parts.append(f"lr {row.lr:.3g}")
    if row.line is not None:
        parts.append(f"line {row.line}")
    lines = [" · ".join(parts)]
    for name, statistics in (
        ("value", row.value_statistics),
        ("gradient", row.gradient_statistics),
    ):
        if statistics is not None:
            lines.append(f"{name}  {_statistics(statistics)}")
    if row.update_norm is not None:
        lines.append(f"last update  norm {number(row.update_norm, 3)}")
    if row.tied_with:
        lines.append("tied with " + ", ".join(row.tied_with))
    return "\n".join(lines)


def _statistics(one: Statistics) -> str:
    text = (
        f"norm {number(one.norm, 3)} · mean {number(one.mean, 3)}"
        f" · {number(one.minimum, 3)} … {number(one.maximum, 3)}"
    )
    if one.zeros:
        text += f" · {one.zeros:,} zeros"
    if one.non_finite:
        text += f" · {one.non_finite:,} not finite"
    return text


def _array(values: TensorValues | None, *, gradient: bool) -> NDArray[Any] | None:
    """Return the values that a snapshot carries, shaped as they were taken."""
    if values is None:
        return None
    data = values.gradient if gradient else values.values
    if data is None:
        return None
    flat = np.frombuffer(data, "<f4")
    shape = values.shape
    if values.stride:
        shape = tuple(
            -(-size // step) for size, step in zip(values.shape, values.stride, strict=True)
        )
    return flat.reshape(shape) if int(np.prod(shape)) == flat.size else flat


def _fitted(area: QRect, image: QImage) -> QRect:
    """Fill the area in width; a single row of values needs no more than a strip of height."""
    rows, columns = image.height(), image.width()
    height = min(area.height(), max(3 * GRID, round(area.width() * rows / max(1, columns))))
    return QRect(area.left(), area.top(), area.width(), height)


def _hatched(color: QColor) -> QBrush:
    return QBrush(color, Qt.BrushStyle.BDiagPattern)
