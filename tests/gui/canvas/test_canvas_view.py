"""Zoom, pan, minimap, entering and leaving, and places that drivers ask for."""

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from paramscope_gui.bridge.selection import PROGRAM, Scope
from paramscope_gui.canvas.canvas import Canvas

CTRL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier

NESTED = """import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return torch.relu(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.second = Block()

    def forward(self, x):
        return self.second(self.first(x))


def build():
    return Net()
"""


def _wheel(canvas: Canvas, place: QPoint, turn: int) -> None:
    port = canvas.view.viewport()
    event = QWheelEvent(
        QPointF(place),
        port.mapToGlobal(QPointF(place)),
        QPoint(),
        QPoint(0, turn),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(port, event)


def test_wheel_zooms_at_the_cursor(canvas: Canvas) -> None:
    place = canvas.view.node_position("tanh")
    before = canvas.view.mapToScene(place)
    zoom = canvas.view.zoom_factor
    _wheel(canvas, place, 240)
    assert canvas.view.zoom_factor > zoom
    after = canvas.view.mapToScene(place)
    assert (after - before).manhattanLength() < 3


def test_keys_zoom_and_fit(hand, canvas: Canvas) -> None:
    hand.key(Qt.Key.Key_0, CTRL)
    assert canvas.view.zoom_factor == 1.0
    hand.key(Qt.Key.Key_Equal, CTRL)
    assert canvas.view.zoom_factor > 1.0
    hand.key(Qt.Key.Key_Minus, CTRL)
    assert abs(canvas.view.zoom_factor - 1.0) < 1e-9
    hand.key(Qt.Key.Key_Home)
    assert canvas.view.visible_area.contains(canvas.scene.content_rect())
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_F)
    assert canvas.view.zoom_factor == 1.5
    assert canvas.view.visible_area.contains(canvas.scene.node_rect("tanh"))


def test_middle_drag_pans(hand, canvas: Canvas) -> None:
    before = canvas.view.node_position("tanh")
    hand.drag(QPoint(300, 100), QPoint(360, 140), button=Qt.MouseButton.MiddleButton)
    shift = canvas.view.node_position("tanh") - before
    assert abs(shift.x() - 60) <= 2 and abs(shift.y() - 40) <= 2


def test_space_and_left_drag_pan_and_select_nothing(hand, canvas: Canvas) -> None:
    before = canvas.view.node_position("tanh")
    QTest.keyPress(canvas.view, Qt.Key.Key_Space)
    hand.drag(QPoint(20, 20), QPoint(80, 20))
    QTest.keyRelease(canvas.view, Qt.Key.Key_Space)
    assert abs(canvas.view.node_position("tanh").x() - before.x() - 60) <= 2
    assert hand.selected == set()


def test_enter_and_double_click_enter_a_module_of_the_document(hand, canvas: Canvas) -> None:
    hand.show(NESTED)
    selection = canvas.desk.selection
    hand.click_node("second")
    hand.key(Qt.Key.Key_Return)
    assert selection.scope == Scope("Block", "second")
    assert "fc" in hand.nodes
    hand.key(Qt.Key.Key_Escape)
    assert selection.scope == Scope("Net", "")
    assert hand.selected == {"second"}
    hand.double_click(canvas.view.node_position("first"))
    assert selection.scope == Scope("Block", "first")


def test_breadcrumb_shows_the_way_and_goes_back(hand, canvas: Canvas) -> None:
    hand.show(NESTED)
    hand.click_node("second")
    hand.key(Qt.Key.Key_Return)
    texts = [button.text() for button in canvas.breadcrumb.buttons]
    assert texts == ["Program", "Net", "second (Block)"]
    QTest.mouseClick(canvas.breadcrumb.buttons[0], Qt.MouseButton.LeftButton)
    assert canvas.desk.selection.scope == PROGRAM
    assert [button.text() for button in canvas.breadcrumb.buttons] == ["Program"]


def test_model_node_of_the_program_is_entered(hand, canvas: Canvas) -> None:
    canvas.desk.selection.enter(PROGRAM)
    hand.double_click(canvas.view.node_position("model"))
    assert canvas.desk.selection.scope.graph == "Net"


def test_minimap_shows_when_something_is_out_of_view_and_moves_the_view(hand, canvas) -> None:
    assert not canvas.minimap.isVisible()
    canvas.view.zoom_to(2.0)
    assert canvas.minimap.isVisible()
    before = canvas.view.visible_area.center()
    QTest.mouseClick(canvas.minimap, Qt.MouseButton.LeftButton, pos=QPoint(20, 56))
    assert canvas.view.visible_area.center().x() < before.x()
    hand.key(Qt.Key.Key_M, ALT)
    assert not canvas.minimap.isVisible()
    hand.key(Qt.Key.Key_M, ALT)
    assert canvas.minimap.isVisible()


def test_places_that_are_told_are_where_things_are(hand, canvas: Canvas) -> None:
    view = canvas.view
    assert view.hit_at(QPointF(view.node_position("mul"))).node == "mul"
    port = view.hit_at(QPointF(view.port_position("mul", "in", 1)))
    assert (port.node, port.side, port.port) == ("mul", "in", 1)
    wire = hand.wire("hidden", "tanh")
    assert view.hit_at(QPointF(view.wire_position(wire))).wire == wire
    assert canvas.scene.node_rect("mul").width() > 0


def test_view_follows_the_graph_until_the_user_moves_it(hand, canvas: Canvas, workspace) -> None:
    assert canvas.view.is_at_start
    hand.show(NESTED)
    assert canvas.view.visible_area.contains(canvas.scene.content_rect())
    _wheel(canvas, QPoint(10, 10), 120)
    assert not canvas.view.is_at_start


def test_every_widget_and_action_has_a_name(canvas: Canvas) -> None:
    names = [action.objectName() for action in canvas.actions_of.all]
    assert len(set(names)) == len(names)
    assert all(name.startswith("action_") for name in names)
    for widget in (canvas.view, canvas.search.field, canvas.name_editor, canvas.minimap):
        assert widget.objectName()
        assert widget.accessibleName()


def test_single_keys_act_only_with_the_focus_on_the_canvas(canvas: Canvas) -> None:
    contexts = {action.shortcutContext() for action in canvas.actions_of.all}
    assert contexts == {Qt.ShortcutContext.WidgetShortcut}
