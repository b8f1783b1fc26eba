"""The canvas on the shared document, and a hand that presses real keys and buttons on it."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from paramscope.code.graph import Wire
from paramscope.document.document import Document
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.theme import ThemeModel

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


class Hand:
    """Acts on a canvas as a person does, in pixels of its viewport."""

    def __init__(self, canvas: Canvas, qtbot: QtBot) -> None:
        self.canvas = canvas
        self.view = canvas.view
        self.port = canvas.view.viewport()
        self._qtbot = qtbot

    @property
    def source(self) -> str:
        """The document's text."""
        return self.canvas.desk.workspace.document.source

    @property
    def selected(self) -> set[str]:
        """The selected nodes."""
        return set(self.canvas.desk.selection.nodes)

    @property
    def nodes(self) -> list[str]:
        """The nodes on the canvas."""
        return list(self.canvas.scene.nodes_by_id)

    @property
    def wires(self) -> set[tuple[str, str]]:
        """The wires by the names of their ends."""
        return {(wire.source.node, wire.target.node) for wire in self.canvas.scene.graph.wires}

    def wire(self, source: str, target: str) -> Wire:
        """The wire between two nodes."""
        return next(
            wire
            for wire in self.canvas.scene.graph.wires
            if (wire.source.node, wire.target.node) == (source, target)
        )

    def click(self, place: QPoint, modifier: Qt.KeyboardModifier = NONE) -> None:
        """Click with the left button."""
        QTest.mouseClick(self.port, LEFT, modifier, place)

    def click_node(self, node: str, modifier: Qt.KeyboardModifier = NONE) -> None:
        """Click on a node's title."""
        self.click(self.view.node_position(node), modifier)

    def double_click(self, place: QPoint) -> None:
        """Double-click with the left button."""
        QTest.mouseDClick(self.port, LEFT, NONE, place)

    def drag(
        self,
        start: QPoint,
        end: QPoint,
        modifier: Qt.KeyboardModifier = NONE,
        button: Qt.MouseButton = LEFT,
        release: bool = True,
    ) -> None:
        """Press, move in a few steps, and let go."""
        QTest.mousePress(self.port, button, modifier, start)
        for part in (0.3, 0.6, 0.9, 1.0):
            spot = QPointF(start) + (QPointF(end) - QPointF(start)) * part
            QTest.mouseMove(self.port, spot.toPoint())
        if release:
            QTest.mouseRelease(self.port, button, modifier, end)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
        """Press a key while the canvas has the focus."""
        QTest.keyClick(self.view, key, modifier)

    def type(self, text: str) -> None:
        """Type into the search's field."""
        QTest.keyClicks(self.canvas.search.field, text)

    def search_key(self, key: Qt.Key) -> None:
        """Press a key in the search's field."""
        QTest.keyClick(self.canvas.search.field, key)

    def show(self, source: str) -> None:
        """Open another document."""
        self.canvas.desk.workspace.new(Document(source))

    def has_color(self, node: str, color: QColor) -> bool:
        """Whether a node's picture on the screen holds a colour."""
        area = self.canvas.scene.node_rect(node)
        corner = self.view.mapFromScene(area.topLeft())
        end = self.view.mapFromScene(area.bottomRight())
        image = self.port.grab().toImage()
        return any(
            image.pixelColor(x, y).rgb() == color.rgb()
            for x in range(max(0, corner.x()), min(image.width(), end.x() + 1))
            for y in range(max(0, corner.y()), min(image.height(), end.y() + 1))
        )

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        self._qtbot.waitUntil(condition, timeout=5000)


@pytest.fixture
def canvas(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> Iterator[Canvas]:
    """A canvas that shows the model of the shared document."""
    widget = Canvas(workspace, selection, live, themes)
    widget.set_still(True)
    widget.resize(1000, 640)
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitExposed(widget)
    widget.view.setFocus()
    yield widget
    widget.close_canvas()


@pytest.fixture
def hand(canvas: Canvas, qtbot: QtBot) -> Hand:
    """The user's hand on the canvas."""
    return Hand(canvas, qtbot)
