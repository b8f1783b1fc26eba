"""The window on the scene: zoom, pan, the grid, and the mouse handed to the tools.

It also answers where things lie on the screen, in viewport pixels, so that tests and drivers
can click on what a person sees.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from time import perf_counter

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView

from paramscope.code.graph import PortRef, Wire
from paramscope_gui.canvas.press import Interaction, Press
from paramscope_gui.canvas.scene import CanvasScene, Hit
from paramscope_gui.canvas.wire_layer import FAR_DETAIL

MIN_ZOOM = 0.02
MAX_ZOOM = 4.0
ZOOM_STEP = 1.25
# A graph that would be smaller than this when it is opened shows its beginning, larger.
SMALLEST_FIRST_ZOOM = 0.46
BEGINNING_ZOOM = 0.65
# A small graph on a large canvas is opened larger, for the last row of a lecture hall.
LARGEST_FIRST_ZOOM = 1.25
GRID_STEP = 24
SLOW_FRAME_SECONDS = 0.016
CALM_MILLISECONDS = 160
_ENDLESS = QRectF(-500_000.0, -500_000.0, 1_000_000.0, 1_000_000.0)
_MARGIN = 16.0


class CanvasView(QGraphicsView):
    """Shows a `CanvasScene`. ``moved`` is told whenever another part of it comes into view."""

    moved = Signal()
    hovered = Signal(object)
    pressed = Signal()
    empty_double_clicked = Signal(object)
    node_double_clicked = Signal(object)
    menu_asked = Signal(object)
    dropped = Signal(str, object)
    dragged_over = Signal(str, object)
    drag_left = Signal()
    key_came = Signal(object)

    def __init__(self, scene: CanvasScene) -> None:
        super().__init__(scene)
        self._scene = scene
        self._tools: Sequence[Interaction] = ()
        self._active: Interaction | None = None
        self.is_space_held = False
        # Until the user moves the view, it shows the start of the graph whatever its size.
        self.is_at_start = True
        self.cursor_place = QPointF()
        self._has_cursor = False
        # While the view moves and frames are slow it is drawn plainly, and well when it rests.
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM_MILLISECONDS)
        self._calm.timeout.connect(self._on_calm_timeout)
        self._is_slow = False
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas")
        self.setFrameStyle(QFrame.Shape.NoFrame)
        self.setSceneRect(_ENDLESS)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.SmartViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.centerOn(0.0, 0.0)

    def set_tools(self, tools: Sequence[Interaction]) -> None:
        """Hand the mouse to these, the first that takes a press first."""
        self._tools = tools

    # Where things lie on the screen

    @property
    def zoom_factor(self) -> float:
        """Screen pixels for one unit of the scene."""
        return self.transform().m11()

    def node_position(self, identifier: str) -> QPoint:
        """Return the middle of a node's title bar in the viewport."""
        area = self._scene.node_rect(identifier)
        return self.mapFromScene(QPointF(area.center().x(), area.top() + 16.0))

    def port_position(self, identifier: str, side: str, index: int = 0) -> QPoint:
        """Return a port (side ``in`` or ``out``) in the viewport."""
        return self.mapFromScene(self._scene.port_place(identifier, side, index))

    def wire_position(self, wire: Wire | tuple[PortRef, PortRef]) -> QPoint:
        """Return a point on a wire in the viewport, away from its label's ends."""
        if not isinstance(wire, Wire):
            wire = next(w for w in self._scene.paths if (w.source, w.target) == wire)
        points = self._scene.paths[wire].points
        return self.mapFromScene(points[len(points) // 2])

    @property
    def visible_area(self) -> QRectF:
        """The part of the scene that is in view."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    @property
    def add_place(self) -> QPointF:
        """Where a new node goes: under the mouse if it is here, else the middle."""
        return self.cursor_place if self._has_cursor else self.visible_area.center()

    @property
    def has_cursor(self) -> bool:
        """Whether the mouse is over the canvas."""
        return self._has_cursor

    # Moving the view

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom by a factor, around a point of the viewport or its middle."""
        old = self.zoom_factor
        new = min(MAX_ZOOM, max(MIN_ZOOM, old * factor))
        point = around if around is not None else QPointF(self.viewport().rect().center())
        before = self._to_scene(point)
        self.scale(new / old, new / old)
        after = self._to_scene(point)
        self.pan_by(before.x() - after.x(), before.y() - after.y())

    def zoom_to(self, zoom: float) -> None:
        """Zoom to a factor around the middle."""
        self.zoom(zoom / self.zoom_factor)

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the view over the scene, in units of the scene."""
        self.is_at_start = False
        zoom = self.zoom_factor
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() + round(dx * zoom))
        down.setValue(down.value() + round(dy * zoom))
        self._tell_moved()

    def pan_to(self, anchor: QPointF, place: QPoint) -> None:
        """Bring a point of the scene to a place in the viewport."""
        now = self._to_scene(QPointF(place))
        self.pan_by(anchor.x() - now.x(), anchor.y() - now.y())

    def fit_all(self) -> None:
        """Show the whole graph."""
        self._fit(self._scene.content_rect(), 1.5)

    def fit_nodes(self, nodes: Iterable[str]) -> None:
        """Show these nodes as large as they fit."""
        area = QRectF()
        for key in nodes:
            area = area.united(self._scene.node_rect(key))
        if not area.isEmpty():
            self._fit(area, 1.5)

    def show_start(self) -> None:
        """Show a graph that has just been opened: all of it, or its beginning if it is long."""
        area = self._scene.content_rect()
        if area.isEmpty():
            self.zoom_to(1.0)
            self.centerOn(0.0, 0.0)
            self._tell_moved()
        elif self._fitting_zoom(area, LARGEST_FIRST_ZOOM) >= SMALLEST_FIRST_ZOOM:
            self._fit(area, LARGEST_FIRST_ZOOM)
        else:
            self.zoom_to(BEGINNING_ZOOM)
            wide, high = self.visible_area.width(), self.visible_area.height()
            margin = _MARGIN / BEGINNING_ZOOM
            left = area.left() - margin if area.width() > wide else area.center().x() - wide / 2
            top = area.top() - margin if area.height() > high else area.center().y() - high / 2
            now = self.visible_area.topLeft()
            self.pan_by(left - now.x(), top - now.y())
        self.is_at_start = True

    def reveal(self, area: QRectF) -> None:
        """Move the view just so far that ``area`` can be seen."""
        margin = _MARGIN / self.zoom_factor
        seen = self.visible_area.adjusted(margin, margin, -margin, -margin)
        dx = max(0.0, area.right() - seen.right()) or min(0.0, area.left() - seen.left())
        dy = max(0.0, area.bottom() - seen.bottom()) or min(0.0, area.top() - seen.top())
        if dx or dy:
            self.pan_by(dx, dy)

    def cancel(self) -> bool:
        """Cancel the drag that is going on; tells whether there was one."""
        active, self._active = self._active, None
        if active is not None:
            active.cancel()
        return active is not None

    def stop(self) -> None:
        """End what could still fire, before the window goes."""
        self._calm.stop()

    def hit_at(self, place: QPointF) -> Hit:
        """Return what lies at a point of the viewport."""
        return self._scene.hit(self._to_scene(place), self.zoom_factor)

    def _to_scene(self, point: QPointF) -> QPointF:
        inverse, _ = self.viewportTransform().inverted()
        return inverse.map(point)

    def _fit(self, area: QRectF, largest: float) -> None:
        if area.isEmpty():
            self.show_start()
            return
        self.zoom_to(self._fitting_zoom(area, largest))
        self.centerOn(area.center())
        self._tell_moved()

    def _fitting_zoom(self, area: QRectF, largest: float) -> float:
        room = self.viewport().rect()
        # The margin is one of the screen: at a small zoom it takes no more room.
        across, down = room.width() - 2 * _MARGIN, room.height() - 2 * _MARGIN
        return max(MIN_ZOOM, min(across / area.width(), down / area.height(), largest))

    def _on_calm_timeout(self) -> None:
        self.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        self.viewport().update()

    def _tell_moved(self) -> None:
        if self._is_slow:
            self.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            self._calm.start()
        self._scene.set_far(self.zoom_factor < FAR_DETAIL)
        self.moved.emit()

    def _press(self, event: QMouseEvent) -> Press:
        place = self._to_scene(event.position())
        return Press(
            place,
            event.position().toPoint(),
            event.button(),
            event.modifiers(),
            self._scene.hit(place, self.zoom_factor),
        )

    # Overrides of Qt

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.pressed.emit()
        if self._active is not None:
            return
        press = self._press(event)
        self.cursor_place = press.scene
        for tool in self._tools:
            if tool.takes(press):
                self._active = tool
                tool.begin(press)
                break
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self._to_scene(event.position())
        self.cursor_place, self._has_cursor = place, True
        if self._active is not None:
            self._active.drag(place, event.modifiers())
        else:
            self.hovered.emit(event.position())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        active, self._active = self._active, None
        if active is not None:
            active.finish(self._to_scene(event.position()), event.modifiers())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self.cancel()
        hit = self.hit_at(event.position())
        if hit.is_empty:
            self.empty_double_clicked.emit(self._to_scene(event.position()))
        elif hit.node is not None:
            self.node_double_clicked.emit(hit)
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        pixels = event.pixelDelta()
        is_touch = event.phase() != Qt.ScrollPhase.NoScrollPhase and not pixels.isNull()
        if is_touch and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            zoom = self.zoom_factor
            self.pan_by(-pixels.x() / zoom, -pixels.y() / zoom)
        else:
            self.zoom(1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.is_space_held = True
            self.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
            event.accept()
            return
        if (
            event.key() == Qt.Key.Key_Plus
            and event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            # No shortcut: with Shift it would stand in the way of that for larger type.
            self.zoom(ZOOM_STEP)
            event.accept()
            return
        event.ignore()
        self.key_came.emit(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.is_space_held = False
            self.viewport().unsetCursor()
        event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.is_space_held = False
        super().focusOutEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        # Tab opens the search here; Shift+Tab still leaves the canvas.
        return False if forward else super().focusNextPrevChild(forward)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._has_cursor = False
        return super().viewportEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # Ctrl and the right button are the knife.
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.menu_asked.emit(QPointF(event.pos()))
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasText():
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self.dragged_over.emit(event.mimeData().text(), self._to_scene(event.position()))
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drag_left.emit()

    def dropEvent(self, event: QDropEvent) -> None:
        self.dropped.emit(event.mimeData().text(), self._to_scene(event.position()))
        event.acceptProposedAction()

    def paintEvent(self, event: QPaintEvent) -> None:
        began = perf_counter()
        super().paintEvent(event)
        self._is_slow = perf_counter() - began > SLOW_FRAME_SECONDS

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.is_at_start:
            self.show_start()
        self.moved.emit()

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        ink = self._scene.ink
        area = QRectF(rect)
        painter.fillRect(area, ink.brush("canvas"))
        if self.zoom_factor < 0.5:
            return
        is_smooth = painter.testRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(ink.pen("canvas_grid", 2.0))
        left = area.left() // GRID_STEP * GRID_STEP
        top = area.top() // GRID_STEP * GRID_STEP
        painter.translate(left, top)
        columns, rows = (int(size // GRID_STEP) + 2 for size in (area.width(), area.height()))
        painter.drawPoints(_dots(columns, rows))
        painter.translate(-left, -top)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_smooth)


@lru_cache(maxsize=32)
def _dots(columns: int, rows: int) -> QPolygonF:
    """The points of the grid from the origin on; kept, for each frame needs the same."""
    return QPolygonF(
        [
            QPointF(column * GRID_STEP, row * GRID_STEP)
            for column in range(columns)
            for row in range(rows)
        ]
    )
