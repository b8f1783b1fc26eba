"""The whole graph in the corner: problems in their colour, and where the view is.

Click or drag moves the view. The nodes are painted into a pixmap when they change; a pan only
moves the frame.
"""

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QTransform
from PySide6.QtWidgets import QWidget

from paramscope_gui.canvas.scene import CanvasScene
from paramscope_gui.canvas.view import CanvasView

LARGEST = QSize(160, 88)
_MARGIN = 6.0


class Minimap(QWidget):
    """Lies over the lower right corner of the view."""

    def __init__(self, scene: CanvasScene, view: CanvasView) -> None:
        super().__init__(view)
        self.setObjectName("minimap")
        self.setAccessibleName("Minimap")
        self.setToolTip("Click or drag to move the view")
        self.resize(LARGEST)
        self._scene = scene
        self._view = view
        self._picture: QPixmap | None = None
        self._area = QRectF(0.0, 0.0, 1.0, 1.0)
        view.moved.connect(self.update)

    def refresh(self) -> None:
        """Paint the nodes anew, after they have changed."""
        self._picture = None
        self._area = self._scene.content_rect().adjusted(-40.0, -40.0, 40.0, 40.0)
        room = QSizeF(LARGEST) - QSizeF(2 * _MARGIN, 2 * _MARGIN)
        scale = min(room.width() / self._area.width(), room.height() / self._area.height(), 0.25)
        self.resize(
            max(48, round(self._area.width() * scale + 2 * _MARGIN)),
            max(24, round(self._area.height() * scale + 2 * _MARGIN)),
        )
        self.update()

    def _scale(self) -> float:
        room = QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        return min(room.width() / self._area.width(), room.height() / self._area.height(), 0.25)

    def _to_map(self) -> QTransform:
        """The way from the scene to the map."""
        middle, center, scale = QPointF(self.rect().center()), self._area.center(), self._scale()
        shift = middle - center * scale
        return QTransform(scale, 0.0, 0.0, scale, shift.x(), shift.y())

    def _paint_nodes(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        ink = self._scene.ink
        painter = QPainter(picture)
        painter.setPen(ink.pen("hairline"))
        painter.setBrush(ink.brush("panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6.0, 6.0)
        painter.setPen(Qt.PenStyle.NoPen)
        way = self._to_map()
        for item in self._scene.items_by_id.values():
            face = item.drawing.face
            is_bad = bool(face.problem) or any(row.is_troubled for row in face.rows)
            painter.setBrush(ink.brush("glyph:vermilion" if is_bad else "wire"))
            spot = way.mapRect(item.area)
            painter.drawRect(spot.adjusted(0.0, 0.0, max(0.0, 2.0 - spot.width()), 0.0))
        painter.end()
        return picture

    def _go(self, event: QMouseEvent) -> None:
        place = event.position() - QPointF(self.rect().center())
        self._view.centerOn(self._area.center() + place / self._scale())
        self._view.pan_by(0.0, 0.0)

    # Overrides of Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._picture is None:
            self._picture = self._paint_nodes()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        frame = self._to_map().mapRect(self._view.visible_area)
        frame = frame.intersected(QRectF(self.rect()).adjusted(2.0, 2.0, -2.0, -2.0))
        ink = self._scene.ink
        fill = QColor(ink.color("accent"))
        fill.setAlpha(32)
        painter.fillRect(frame, fill)
        painter.setPen(ink.pen("accent"))
        painter.drawRect(frame)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._go(event)
        event.accept()
