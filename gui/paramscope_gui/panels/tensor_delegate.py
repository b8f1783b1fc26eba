"""Draws the rows of the tree of tensors: words, signs, and the bar of a gradient."""

import math
from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView

from paramscope.census.rows import Gradient, Kind, TensorRow
from paramscope.rules.finding import Finding
from paramscope_gui.panels.tensor_model import (
    GROUP_ROLE,
    ROW_ROLE,
    Column,
    Group,
    Index,
    name_of,
    stepped_by,
)
from paramscope_gui.theme import FORGOTTEN, GRID, SEVERITIES, ThemeModel, glyph
from paramscope_gui.widgets import shape_text

GLYPH = 14
BAR_DECADES = (-8.0, 2.0)  # a gradient norm of 1e-8 draws nothing, of 100 a full bar


class TensorDelegate(QStyledItemDelegate):
    """Draws the cells of a view; ``badge_at`` tells the verdict on a path."""

    def __init__(
        self,
        themes: ThemeModel,
        view: QTreeView,
        badge_at: Callable[[str], Finding | None],
    ) -> None:
        super().__init__(view)
        self._themes, self._view, self._badge_at = themes, view, badge_at

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(8 * GRID, round(3 * GRID * max(1.0, self._themes.theme.scale)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        state = option.state
        theme = self._themes.theme
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.selection)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.hover)
        group = index.data(GROUP_ROLE)
        if isinstance(group, Group):
            if index.column() == Column.NAME:
                self._paint_group(painter, rect, group, index)
            return
        row = index.data(ROW_ROLE)
        if isinstance(row, TensorRow):
            self._paint_cell(painter, rect, row, index.column())

    def _paint_group(self, painter: QPainter, rect: QRect, group: Group, index: Index) -> None:
        theme = self._themes.theme
        opened = self._view.isExpanded(QModelIndex(index))  # type: ignore[arg-type]  # takes both
        sign = glyph("chevron_down" if opened else "chevron_right", theme.quiet, 12)
        painter.drawPixmap(rect.left(), rect.center().y() - 5, sign)
        whole = QRect(rect)
        whole.setRight(self._view.viewport().width() - GRID)
        whole.setLeft(rect.left() + 2 * GRID)
        painter.setClipping(False)
        font = theme.font("small", bold=True)
        painter.setFont(font)
        painter.setPen(theme.text)
        metrics = QFontMetrics(font)
        if group.path and self._paint_badge(painter, rect, group.path):
            whole.setRight(badge_area(rect).left())
        title = metrics.elidedText(group.title, Qt.TextElideMode.ElideMiddle, whole.width())
        painter.drawText(whole, int(Qt.AlignmentFlag.AlignVCenter), title)
        used = metrics.horizontalAdvance(title) + GRID
        if group.path and group.class_name:
            painter.setFont(theme.font("small"))
            painter.setPen(theme.quiet)
            whole.setLeft(whole.left() + used)
            small = QFontMetrics(theme.font("small"))
            said = small.elidedText(
                group.class_name, Qt.TextElideMode.ElideRight, max(0, whole.width() - GRID // 2)
            )
            painter.drawText(whole, int(Qt.AlignmentFlag.AlignVCenter), said)

    def _paint_badge(self, painter: QPainter, rect: QRect, path: str) -> bool:
        """Draw the sign of the problem that a row has, if it has one."""
        finding = self._badge_at(path)
        if finding is None:
            return False
        shape, role, _ = SEVERITIES.get(finding.severity, SEVERITIES["H"])
        sign = glyph(shape, self._themes.theme.glyphs[role], GLYPH, self._view.devicePixelRatioF())
        area = badge_area(rect)
        painter.drawPixmap(area.left(), area.center().y() - GLYPH // 2 + 1, sign)
        return True

    def _paint_cell(self, painter: QPainter, rect: QRect, row: TensorRow, column: int) -> None:
        theme = self._themes.theme
        cell = rect.adjusted(GRID // 2, 0, -GRID // 2, 0)
        if column == Column.NAME:
            painter.drawPixmap(cell.left(), cell.center().y() - GLYPH // 2 + 1, self._sign(row))
            cell.setLeft(cell.left() + GLYPH + GRID // 2)
            if self._paint_badge(painter, rect, row.path):
                cell.setRight(badge_area(rect).left())
            self._text(painter, cell, name_of(row), row.kind in FORGOTTEN)
        elif column == Column.STATE:
            kind = theme.kind(row.kind)
            is_bold = row.kind in FORGOTTEN
            word = self._fitting_word(cell, kind.word, is_bold)
            self._word(painter, cell, word, kind.text, is_bold)
        elif column == Column.SHAPE:
            has_shape = row.kind is not Kind.FORGOTTEN_MODULE
            text = self._shape(cell, row.shape) if has_shape else "–"
            self._word(painter, cell, text, theme.quiet, False)
        elif column == Column.GRADIENT:
            self._paint_gradient(painter, cell, row)
        else:
            style = theme.stepping(row.stepping)
            self._word(painter, cell, stepped_by(row), style.text, False)

    def _fitting_word(self, cell: QRect, word: str, is_bold: bool) -> str:
        """Return a state's word, or of one that is too long the part that matters."""
        metrics = QFontMetrics(self._themes.theme.font("small", bold=is_bold))
        return word if metrics.horizontalAdvance(word) <= cell.width() else word.split(" ")[0]

    def _shape(self, cell: QRect, shape: tuple[int, ...]) -> str:
        """Write a shape, without its spaces where it would not fit otherwise."""
        text = shape_text(shape)
        metrics = QFontMetrics(self._themes.theme.font("small"))
        return text if metrics.horizontalAdvance(text) <= cell.width() else text.replace(" ", "")

    def _paint_gradient(self, painter: QPainter, cell: QRect, row: TensorRow) -> None:
        """Write the gradient's state, above a thin bar of its norm on a logarithmic scale."""
        theme = self._themes.theme
        style = theme.gradient(row.gradient)
        word = style.word if row.gradient is Gradient.NON_FINITE else style.word.lower()
        if row.gradient_statistics is None:
            self._word(painter, cell, word or "–", style.text, False)
            return
        self._word(painter, cell.adjusted(0, -2, 0, -2), word or "–", style.text, False)
        track = QRect(cell.left(), cell.bottom() - 4, cell.width() - GRID // 2, 3)
        painter.fillRect(track, theme.hairline)
        track.setWidth(round(track.width() * bar_share(row.gradient_statistics.norm)))
        painter.fillRect(track, style.color)

    def _text(self, painter: QPainter, cell: QRect, text: str, bold: bool) -> None:
        font = self._themes.theme.font("body", bold=bold)
        painter.setFont(font)
        painter.setPen(self._themes.theme.text)
        elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideMiddle, cell.width())
        painter.drawText(cell, int(Qt.AlignmentFlag.AlignVCenter), elided)

    def _word(self, painter: QPainter, cell: QRect, text: str, color: QColor, bold: bool) -> None:
        font = self._themes.theme.font("small", bold=bold)
        painter.setFont(font)
        painter.setPen(color)
        elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, cell.width())
        painter.drawText(cell, int(Qt.AlignmentFlag.AlignVCenter), elided)

    def _sign(self, row: TensorRow) -> QPixmap:
        theme = self._themes.theme
        state = theme.state(row)
        if row.tied_with and state.word == theme.kind(row.kind).word:
            state = theme.tied()
        return glyph(state.glyph, state.color, GLYPH, self._view.devicePixelRatioF())


def badge_area(cell: QRect) -> QRect:
    """Return where the sign of a problem stands in the cell of a name, and takes a click."""
    side = GLYPH + GRID // 2
    return QRect(cell.right() - side, cell.top(), side, cell.height())


def bar_share(norm: float) -> float:
    """Return how much of the bar a gradient norm fills, 0 to 1, on a logarithmic scale."""
    if not norm > 0:
        return 0.0
    if math.isinf(norm):
        return 1.0
    low, high = BAR_DECADES
    return min(1.0, max(0.0, (math.log10(norm) - low) / (high - low)))
