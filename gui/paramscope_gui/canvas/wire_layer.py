"""All idle wires of the canvas in one item, and the nodes from far away in another.

Thousands of items cost more than thousands of strokes: the scene's index, the paint call and
the state of the painter are paid once here. What is dragged, selected or lit is drawn by
`overlay` on top.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from paramscope.code.graph import Wire
from paramscope_gui.canvas.condensed import close_shape, scaled_font, scaled_text
from paramscope_gui.canvas.drawing import Face, width_of
from paramscope_gui.canvas.faces import WireFace
from paramscope_gui.canvas.ink import WIRE_WIDTHS, Ink
from paramscope_gui.canvas.node_item import ROW_DETAIL
from paramscope_gui.canvas.wire_path import WirePath

FAR_DETAIL = 0.2
# More wires than this in view are drawn without antialiasing.
SMOOTH_LIMIT = 400
# What of a wire must be seen beside its label, in pixels.
_LABEL_MARGIN = 10.0
_SQUARE = 512.0
_MOST_SQUARES = 64


class WireLayer(QGraphicsItem):
    """Draws every wire that is not hidden because the overlay draws it."""

    def __init__(self, ink: Ink) -> None:
        super().__init__()
        self._ink = ink
        self._bounds = QRectF()
        self._paths: Mapping[Wire, WirePath] = {}
        self._faces: Mapping[Wire, WireFace] = {}
        self._hidden: frozenset[Wire] = frozenset()
        self._index = _Index({})
        self._lines: dict[str, list[QLineF]] | None = None  # from afar: straight, by colour
        self.setZValue(1.0)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def show_wires(self, paths: Mapping[Wire, WirePath], faces: Mapping[Wire, WireFace]) -> None:
        """Draw these wires from now on; both mappings stay the scene's."""
        bounds = QRectF()
        for path in paths.values():
            bounds = bounds.united(path.bounds)
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self._paths, self._faces = paths, faces
        self._index = _Index(paths)
        self._lines = None
        self.update()

    def hide_wires(self, wires: Iterable[Wire]) -> None:
        """Leave these wires to the overlay."""
        hidden = frozenset(wires)
        for wire in hidden ^ self._hidden:
            self.repaint_wire(wire)
        self._hidden = hidden

    def wires_near(self, area: QRectF) -> list[Wire]:
        """Return the wires that may be seen in ``area``."""
        return [wire for wire, _ in self._index.near(area)]

    def repaint_wire(self, wire: Wire) -> None:
        """Paint the area of one wire again."""
        self._lines = None
        path = self._paths.get(wire)
        if path is not None:
            self.update(path.bounds)

    def _paint_near(self, painter: QPainter, area: QRectF, detail: float) -> None:
        ink = self._ink
        shown = [
            (path, self._faces[wire])
            for wire, path in self._index.near(area)
            if wire not in self._hidden
        ]
        is_smooth = painter.testRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(
            QPainter.RenderHint.Antialiasing, is_smooth and len(shown) < SMOOTH_LIMIT
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for path, face in shown:
            painter.setPen(wire_pen(ink, face))
            painter.drawPath(path.path)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_smooth)
        if detail >= ROW_DETAIL:
            for path, face in shown:
                paint_label(painter, ink, path, face, detail)

    def _paint_far(self, painter: QPainter) -> None:
        if self._lines is None:
            self._lines = {}
            for wire, path in self._paths.items():
                role = self._ink.wire_role(self._faces[wire].kind)
                self._lines.setdefault(role, []).append(QLineF(path.start, path.end))
        is_smooth = painter.testRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for role, group in self._lines.items():
            painter.setPen(self._ink.pen(role))
            painter.drawLines(group)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_smooth)

    # Overrides of Qt

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        detail = QStyleOptionGraphicsItem.levelOfDetailFromTransform(painter.worldTransform())
        area = option.exposedRect
        if detail < FAR_DETAIL:
            self._paint_far(painter)
        else:
            self._paint_near(painter, area, detail)


class _Index:
    """Wires by the squares that they pass through, so that a frame looks at few of them."""

    def __init__(self, paths: Mapping[Wire, WirePath]) -> None:
        self._squares: dict[tuple[int, int], list[tuple[Wire, WirePath]]] = {}
        self._everywhere: list[tuple[Wire, WirePath]] = []
        self._all = list(paths.items())
        for entry in self._all:
            squares = list(_squares(entry[1].bounds))
            if len(squares) > _MOST_SQUARES:
                self._everywhere.append(entry)
                continue
            for square in squares:
                self._squares.setdefault(square, []).append(entry)

    def near(self, area: QRectF) -> list[tuple[Wire, WirePath]]:
        """Return the wires that may be seen in ``area``."""
        squares = list(_squares(area))
        if len(squares) > len(self._squares):
            found = dict(self._all)
        else:
            found = dict(self._everywhere)
            for square in squares:
                found.update(self._squares.get(square, ()))
        return [(wire, path) for wire, path in found.items() if path.bounds.intersects(area)]


def _squares(area: QRectF) -> Iterable[tuple[int, int]]:
    left, right = int(area.left() // _SQUARE), int(area.right() // _SQUARE)
    top, bottom = int(area.top() // _SQUARE), int(area.bottom() // _SQUARE)
    return product(range(left, right + 1), range(top, bottom + 1))


class FarLayer(QGraphicsItem):
    """All nodes as plain rectangles in their family's colour, for when names can't be read."""

    def __init__(self, ink: Ink) -> None:
        super().__init__()
        self._ink = ink
        self._bounds = QRectF()
        self._areas: dict[str, list[QRectF]] = {}
        self._marked: dict[str, list[QRectF]] = {}
        self.setZValue(2.0)

    def show_nodes(
        self,
        nodes: Iterable[tuple[QRectF, str]],
        chosen: Sequence[QRectF],
        troubled: Sequence[QRectF],
    ) -> None:
        """Draw these areas by family; the chosen ones and those with a problem stand out."""
        self._areas = {}
        bounds = QRectF()
        for area, family in nodes:
            self._areas.setdefault(family, []).append(area)
            bounds = bounds.united(area)
        self._marked = {"glyph:vermilion": list(troubled), "accent": list(chosen)}
        self.prepareGeometryChange()
        self._bounds = bounds.adjusted(-8.0, -8.0, 8.0, 8.0)
        self.update()

    # Overrides of Qt

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        is_smooth = painter.testRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(self._ink.pen("wire"))
        for family, areas in self._areas.items():
            painter.setBrush(self._ink.brush(f"tint:{family}"))
            painter.drawRects(areas)
        for role, areas in self._marked.items():
            if areas:
                painter.setPen(self._ink.pen(role, 2.0))
                painter.setBrush(self._ink.brush(role))
                painter.drawRects(areas)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_smooth)


def wire_pen(ink: Ink, face: WireFace, role: str | None = None) -> object:
    """Return the pen of a wire: colour = kind, dashes = no gradient flows, width = size."""
    width = WIRE_WIDTHS[face.weight]
    return ink.pen(role or ink.wire_role(face.kind), width, not face.flows, cosmetic=False)


def label_of(path: WirePath, text: str, detail: float) -> tuple[str, QRectF] | None:
    """Return how a wire's shape is written and where; None where the wire is too short for it.

    It keeps a size that can be read, and takes less room where there is less.
    """
    font, ratio = scaled_font(Face.SHAPE, detail)
    room = path.bounds.width() - 16.0 - _LABEL_MARGIN / detail
    for shown in (text, close_shape(text)) if text else ():
        width = width_of(shown, Face.SHAPE) * ratio
        if width <= room:
            middle, width, height = path.middle, width + 4.0 / detail, font.pixelSize() * 1.4
            return shown, QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height)
    return None


def paint_label(painter: QPainter, ink: Ink, path: WirePath, face: WireFace, detail: float) -> None:
    """Write a wire's shape in its middle, on the canvas's colour so that it can be read."""
    label = label_of(path, face.text, detail)
    if label is None:
        return
    shown, area = label
    text = scaled_text(shown, Face.SHAPE, detail)
    painter.fillRect(area, ink.brush("canvas"))
    painter.setFont(scaled_font(Face.SHAPE, detail)[0])
    painter.setPen(ink.pen("quiet"))
    size = text.size()
    painter.drawStaticText(area.center() - QPointF(size.width() / 2, size.height() / 2), text)
