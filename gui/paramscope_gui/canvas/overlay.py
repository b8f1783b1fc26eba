"""What lies over nodes and wires for a while: the dragged wire, previews, lights that run."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from paramscope_gui.canvas.faces import WireFace
from paramscope_gui.canvas.ink import WIRE_WIDTHS, Ink
from paramscope_gui.canvas.node_item import ROW_DETAIL
from paramscope_gui.canvas.wire_layer import paint_label, wire_pen
from paramscope_gui.canvas.wire_path import WirePath


@dataclass(frozen=True, slots=True)
class Lit:
    """A wire that shines: its curve, its look, the colour of the light, how far it has come."""

    path: WirePath
    face: WireFace
    color: QColor
    progress: float = 1.0
    backward: bool = False


@dataclass(slots=True)
class Marks:
    """Everything the overlay draws now. Tools fill it and call the scene's `show_marks`."""

    moving: Sequence[tuple[WirePath, WireFace]] = ()
    chosen: Sequence[tuple[WirePath, WireFace]] = ()
    lit: Sequence[Lit] = ()
    draft: WirePath | None = None
    draft_fits: bool = True
    cut: Sequence[WirePath] = ()
    knife: Sequence[QPointF] = ()
    joined: Sequence[WirePath] = ()
    box: QRectF | None = None


class Overlay(QGraphicsItem):
    """Draws `Marks`, as large as they are. ``on_top`` draws over the nodes, else wires below."""

    def __init__(self, ink: Ink, marks: Marks, on_top: bool) -> None:
        super().__init__()
        self._ink = ink
        self._marks = marks
        self._on_top = on_top
        self._bounds = QRectF()
        self.setZValue(10.0 if on_top else 1.5)

    def show_marks(self) -> None:
        """Draw the marks as they are now."""
        bounds = self._find_bounds()
        self.update()
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.update()

    def _paint_lit(self, painter: QPainter, lit: Lit) -> None:
        pen = QPen(lit.color, WIRE_WIDTHS[lit.face.weight] + 2.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        if lit.progress >= 1.0:
            painter.drawPath(lit.path.path)
            return
        points = lit.path.points
        if lit.backward:
            points = points[::-1]
        reach = max(2, round(len(points) * lit.progress))
        painter.drawPolyline(QPolygonF(list(points[:reach])))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(lit.color)
        painter.drawEllipse(points[reach - 1], 6.0, 6.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_wires(self, painter: QPainter) -> None:
        ink, marks = self._ink, self._marks
        detail = QStyleOptionGraphicsItem.levelOfDetailFromTransform(painter.worldTransform())
        labelled = detail >= ROW_DETAIL
        for path, face in marks.moving:
            painter.setPen(wire_pen(ink, face))
            painter.drawPath(path.path)
        for path, face in marks.chosen:
            painter.setPen(wire_pen(ink, face, "accent"))
            painter.drawPath(path.path)
            if labelled:
                paint_label(painter, ink, path, face, detail)
        for lit in marks.lit:
            self._paint_lit(painter, lit)
            if labelled:
                paint_label(painter, ink, lit.path, lit.face, detail)

    def _paint_tops(self, painter: QPainter) -> None:
        ink, marks = self._ink, self._marks
        if marks.draft is not None:
            painter.setPen(ink.pen("accent" if marks.draft_fits else "glyph:vermilion", 2.5))
            painter.drawPath(marks.draft.path)
        for path in marks.cut:
            painter.setPen(ink.pen("glyph:vermilion", 2.5, True))
            painter.drawPath(path.path)
        for path in marks.joined:
            painter.setPen(ink.pen("accent", 3.0))
            painter.drawPath(path.path)
        if len(marks.knife) > 1:
            painter.setPen(ink.pen("glyph:vermilion", 1.5, True))
            painter.drawPolyline(QPolygonF(list(marks.knife)))
        if marks.box is not None:
            painter.setPen(ink.pen("accent"))
            fill = QColor(ink.color("accent"))
            fill.setAlpha(32)
            painter.fillRect(marks.box, fill)
            painter.drawRect(marks.box)

    def _find_bounds(self) -> QRectF:
        marks = self._marks
        bounds = QRectF()
        if self._on_top:
            paths = [*marks.cut, *marks.joined]
            if marks.draft is not None:
                paths.append(marks.draft)
            if marks.box is not None:
                bounds = bounds.united(marks.box.normalized())
            if marks.knife:
                bounds = bounds.united(QPolygonF(list(marks.knife)).boundingRect())
        else:
            paths = [path for path, _ in (*marks.moving, *marks.chosen)]
            paths.extend(lit.path for lit in marks.lit)
        for path in paths:
            bounds = bounds.united(path.bounds)
        return bounds if bounds.isNull() else bounds.adjusted(-8.0, -8.0, 8.0, 8.0)

    # Overrides of Qt

    def boundingRect(self) -> QRectF:
        return self._bounds

    def shape(self) -> QPainterPath:
        return QPainterPath()

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._on_top:
            self._paint_tops(painter)
        else:
            self._paint_wires(painter)
