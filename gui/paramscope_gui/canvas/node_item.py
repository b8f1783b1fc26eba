"""One node on the scene: it paints its own ports, rows and texts, and knows no events.

What is drawn falls with the zoom: everything, then rows with what of them can be read, then
only colour and name; farther out the scene hides all nodes and `FarLayer` paints them in one go.
"""

from functools import cache, lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPainterPath, QStaticText, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from paramscope_gui.canvas.condensed import Placed, condensed
from paramscope_gui.canvas.drawing import (
    BAR_HEIGHT,
    GLYPH_SIZE,
    PADDING,
    PORT_RADIUS,
    TITLE_HEIGHT,
    Bar,
    Drawing,
    Face,
    ascent_of,
    badge_sign,
    font,
    static_text,
    width_of,
)
from paramscope_gui.canvas.ink import Ink
from paramscope_gui.theme import FAMILY, RADIUS, glyph

# Texts are drawn as they were measured from here on; farther out at no less than 10 pixels.
FULL_DETAIL = 0.9
# Farther out than this a row is too low for its text: only colour, name and states are left.
ROW_DETAIL = 0.45
_ROUND_DETAIL = 0.35
_MARGIN = 12.0
_GLYPH_EDGE = 5.0
_BADGE_REACH = 20.0  # pixels that take a click on a badge


class NodeItem(QGraphicsItem):
    """A node; `drawing` is what it shows, set by the scene."""

    def __init__(self, identifier: str, drawing: Drawing, ink: Ink) -> None:
        super().__init__()
        self.identifier = identifier
        self.drawing = drawing
        self.is_chosen = False
        self.lit_port: tuple[str, int] | None = None
        self._ink = ink
        self._outline = _rounded(drawing.rect)
        self._title = _title_path(drawing)
        self._bounds = _bounds(drawing)
        self._condensed: tuple[float, list[Placed]] | None = None
        self._place = QPointF()
        self.setZValue(2.0)

    @property
    def place(self) -> QPointF:
        """Where its corner lies; asking Qt for it takes ten times as long."""
        return self._place

    def put(self, place: QPointF) -> bool:
        """Move the node; tell whether it lay elsewhere."""
        if place == self._place:
            return False
        self._place = QPointF(place)
        self.setPos(place)
        return True

    def set_drawing(self, drawing: Drawing) -> None:
        """Show another drawing in the same place."""
        if drawing is self.drawing:
            return
        bounds = _bounds(drawing)
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
            self._outline = _rounded(drawing.rect)
        self.drawing = drawing
        self._title = _title_path(drawing)
        self._condensed = None
        self.update()

    def set_chosen(self, chosen: bool) -> None:
        """Show whether the node is selected."""
        if chosen != self.is_chosen:
            self.is_chosen = chosen
            self.setZValue(3.0 if chosen else 2.0)
            self.update()

    def light_port(self, port: tuple[str, int] | None) -> None:
        """Highlight one port: side (``in`` or ``out``) and number."""
        if port != self.lit_port:
            self.lit_port = port
            self.update()

    @property
    def area(self) -> QRectF:
        """The node's area in the scene."""
        return QRectF(self._place, self.drawing.size)

    def port(self, side: str, index: int) -> QPointF:
        """Return where a port lies in the scene."""
        places = self.drawing.inputs if side == "in" else self.drawing.outputs
        return self._place + places[index]

    def badge_area(self, detail: float) -> QRectF:
        """Return where the badge of a problem takes a click, in the node; empty without one."""
        if self.drawing.face.badge is None or detail < _ROUND_DETAIL:
            return QRectF()
        if detail < ROW_DETAIL:
            return self._far_badge(detail)
        side = max(TITLE_HEIGHT, _BADGE_REACH / detail)
        return QRectF(self.drawing.size.width() - side, 0.0, side, min(side, TITLE_HEIGHT))

    def _far_badge(self, detail: float) -> QRectF:
        side = 14.0 / detail
        return QRectF(self.drawing.size.width() - side * 0.7, -side * 0.4, side, side)

    def _paint_far(self, painter: QPainter, detail: float) -> None:
        ink, drawing = self._ink, self.drawing
        painter.setBrush(ink.brush(f"tint:{drawing.face.family}"))
        painter.setPen(self._border())
        if detail < _ROUND_DETAIL:
            is_smooth = painter.testRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.drawRect(drawing.rect)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_smooth)
        else:
            painter.drawRoundedRect(drawing.rect, RADIUS, RADIUS)
        lines = _far_lines(drawing)
        width, height = drawing.size.width(), drawing.size.height()
        if detail >= _ROUND_DETAIL:
            self._paint_ports(painter)
            if len(drawing.rows) > 0 and drawing.face.name and height * detail > 52.0:
                height -= self._paint_states(painter, detail)
        size = min(13.0 / detail, height / (1.25 * len(lines)), 44.0)
        if size * detail < 8.0 and len(lines) > 1:
            lines, size = lines[:1], min(13.0 / detail, height / 1.25, 44.0)
        top = (height - size * 1.25 * len(lines)) / 2
        for index, (line, role) in enumerate(lines):
            # Measured once at the title's size: widths grow with the size.
            wide = width_of(line, Face.TITLE) * size / 14.0
            room = width - 8.0
            fitted = size if wide <= room else max(size * room / wide, 8.0 / detail)
            text, font_of = _far_text(line, round(min(fitted, size)), index == 0)
            painter.setFont(font_of)
            painter.setPen(ink.pen(role))
            left = (width - text.size().width()) / 2
            painter.drawStaticText(QPointF(left, top + index * size * 1.25), text)
        if drawing.face.badge is not None and detail >= _ROUND_DETAIL:
            shape, role = badge_sign(drawing.face.badge)
            mark = glyph(shape, ink.theme.glyphs[role], 14, 2.0)
            corner = self._far_badge(detail)
            painter.drawPixmap(corner, mark, QRectF(mark.rect()))

    def _paint_near(self, painter: QPainter, detail: float) -> None:
        ink, drawing = self._ink, self.drawing
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink.brush("node"))
        painter.drawPath(self._outline)
        painter.setBrush(ink.brush(f"tint:{drawing.face.family}"))
        painter.drawPath(self._title)
        if drawing.rules:
            painter.setPen(ink.pen("hairline"))
            for y in drawing.rules:
                painter.drawLine(QPointF(PADDING, y), QPointF(drawing.size.width() - PADDING, y))
        for bar in drawing.bars:
            self._paint_bar(painter, bar)
        if detail >= FULL_DETAIL:
            self._paint_texts(painter)
        else:
            self._paint_condensed(painter, detail)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self._border())
        painter.drawPath(self._outline)

    def _paint_texts(self, painter: QPainter) -> None:
        ink, drawing = self._ink, self.drawing
        current: Face | None = None
        for x, baseline, text, face, role in (*drawing.title, *drawing.texts):
            if face is not current:
                painter.setFont(font(face))
                current = face
            painter.setPen(ink.pen(role))
            painter.drawStaticText(QPointF(x, baseline - ascent_of(face)), static_text(text, face))

    def _paint_condensed(self, painter: QPainter, detail: float) -> None:
        if self._condensed is None or self._condensed[0] != detail:
            self._condensed = (detail, condensed(self.drawing, detail))
        for place, text, face, role in self._condensed[1]:
            painter.setFont(face)
            painter.setPen(self._ink.pen(role))
            painter.drawStaticText(place, text)

    def _paint_glyphs(self, painter: QPainter, detail: float) -> None:
        theme = self._ink.theme
        ratio = max(1.0, detail)
        for x, y, name, role in self.drawing.glyphs:
            pixmap = glyph(name, theme.glyphs[role], GLYPH_SIZE, min(4.0, round(ratio * 2) / 2))
            area = QRectF(x, y, GLYPH_SIZE, GLYPH_SIZE)
            if detail < FULL_DETAIL:
                side = max(float(GLYPH_SIZE), 11.0 / detail)
                edge = min(x, _GLYPH_EDGE / detail)
                if y < TITLE_HEIGHT / 2:  # the problem's, in the right corner
                    edge = self.drawing.size.width() - side - edge
                area = QRectF(edge, y + (GLYPH_SIZE - side) / 2, side, side)
            painter.drawPixmap(area, pixmap, QRectF(pixmap.rect()))

    def _paint_states(self, painter: QPainter, detail: float) -> float:
        """The states of the tensors as a row of glyphs at the bottom; returns its height."""
        theme, size = self._ink.theme, self.drawing.size
        shown = [mark for mark in self.drawing.glyphs if mark.y > TITLE_HEIGHT]
        side, step = 11.0 / detail, 15.0 / detail
        x = (size.width() - step * len(shown)) / 2 + (step - side) / 2
        y = size.height() - side - 6.0 / detail
        for _, _, name, role in shown:
            pixmap = glyph(name, theme.glyphs[role], GLYPH_SIZE, 1.0)
            painter.drawPixmap(QRectF(x, y, side, side), pixmap, QRectF(pixmap.rect()))
            x += step
        return side + 6.0 / detail

    def _paint_bar(self, painter: QPainter, bar: Bar) -> None:
        ink = self._ink
        whole = QRectF(bar.x, bar.y, bar.width, BAR_HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        if bar.level is None:
            painter.fillRect(whole, ink.hatch("hairline"))
            return
        painter.fillRect(whole, ink.brush("hairline"))
        filled = QRectF(bar.x, bar.y, bar.width * bar.level, BAR_HEIGHT)
        painter.fillRect(filled, ink.brush(f"glyph:{bar.role}"))

    def _paint_ports(self, painter: QPainter) -> None:
        ink, drawing = self._ink, self.drawing
        for side, places in (("in", drawing.inputs), ("out", drawing.outputs)):
            for index, place in enumerate(places):
                is_open = side == "in" and index in drawing.face.open_inputs
                if self.lit_port == (side, index):
                    painter.setBrush(ink.brush("accent"))
                    painter.setPen(ink.pen("accent", 2.0))
                    painter.drawEllipse(place, PORT_RADIUS + 2.0, PORT_RADIUS + 2.0)
                    continue
                painter.setBrush(ink.brush("node"))
                role = "glyph:amber" if is_open else "wire"
                painter.setPen(ink.pen(role, 2.0 if is_open else 1.5, cosmetic=False))
                painter.drawEllipse(place, PORT_RADIUS, PORT_RADIUS)

    def _border(self) -> object:
        ink = self._ink
        if self.is_chosen:
            return ink.pen("accent", 2.0)
        badge = self.drawing.face.badge
        if badge is not None:
            return ink.pen(f"glyph:{badge_sign(badge)[1]}", 1.5)
        return ink.pen("hairline")

    # Overrides of Qt

    def boundingRect(self) -> QRectF:
        return self._bounds

    def shape(self) -> QPainterPath:
        path = QPainterPath()
        path.addRect(self.drawing.rect)
        return path

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        detail = QStyleOptionGraphicsItem.levelOfDetailFromTransform(painter.worldTransform())
        if detail < ROW_DETAIL:
            self._paint_far(painter, detail)
            return
        self._paint_near(painter, detail)
        self._paint_glyphs(painter, detail)
        self._paint_ports(painter)


def _far_lines(drawing: Drawing) -> list[tuple[str, str]]:
    """What is still read from afar: the class, and the name or the state that matters."""
    face = drawing.face
    lines = [(face.title, "text")]
    said = [text for text in drawing.texts if text.role.startswith("word:")]
    if said and face.rows and (face.rows[0].is_troubled or not face.rows[0].name):
        lines.append((said[0].text, said[0].role))
    elif face.name:
        lines.append((face.name, "quiet"))
    return lines


@lru_cache(maxsize=20_000)
def _far_text(text: str, size: int, bold: bool) -> tuple[QStaticText, QFont]:
    result = QStaticText(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    result.prepare(QTransform(), _far_font(size, bold))
    return result, _far_font(size, bold)


@cache
def _far_font(size: int, bold: bool) -> QFont:
    result = QFont(FAMILY)
    result.setPixelSize(max(1, size))
    if bold:
        result.setWeight(QFont.Weight.DemiBold)
    return result


def _bounds(drawing: Drawing) -> QRectF:
    return drawing.rect.adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)


def _rounded(rect: QRectF) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(rect, RADIUS, RADIUS)
    return path


def _title_path(drawing: Drawing) -> QPainterPath:
    """The title bar: round above, and below as well where there is nothing beneath it."""
    width, height = drawing.size.width(), drawing.size.height()
    if height <= TITLE_HEIGHT:
        return _rounded(drawing.rect)
    path = QPainterPath(QPointF(0.0, TITLE_HEIGHT))
    path.lineTo(0.0, RADIUS)
    path.quadTo(0.0, 0.0, RADIUS, 0.0)
    path.lineTo(width - RADIUS, 0.0)
    path.quadTo(width, 0.0, width, RADIUS)
    path.lineTo(width, TITLE_HEIGHT)
    path.closeSubpath()
    return path
