"""Selecting on the canvas: clicks, boxes, keys, and what other views select."""

from PySide6.QtCore import QPoint, Qt

from paramscope_gui.bridge.selection import PROGRAM
from paramscope_gui.canvas.canvas import Canvas

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


def test_click_selects_one_node(hand) -> None:
    hand.click_node("hidden")
    assert hand.selected == {"hidden"}
    hand.click_node("tanh")
    assert hand.selected == {"tanh"}


def test_shift_adds_and_ctrl_toggles(hand) -> None:
    hand.click_node("hidden")
    hand.click_node("tanh", SHIFT)
    assert hand.selected == {"hidden", "tanh"}
    hand.click_node("hidden", CTRL)
    assert hand.selected == {"tanh"}


def test_click_on_empty_canvas_clears(hand) -> None:
    hand.click_node("hidden")
    hand.click(QPoint(500, 20))
    assert hand.selected == set()


def test_box_selects_what_it_touches(hand, canvas: Canvas) -> None:
    area = canvas.scene.node_rect("hidden")
    start = canvas.view.mapFromScene(area.topLeft()) - QPoint(10, 30)
    end = canvas.view.mapFromScene(area.center())
    hand.drag(start, end)
    assert hand.selected == {"hidden"}
    assert canvas.scene.marks.box is None


def test_escape_cancels_a_box(hand, canvas: Canvas) -> None:
    hand.click_node("out")
    hand.drag(QPoint(20, 20), QPoint(900, 560), release=False)
    assert len(hand.selected) > 1
    hand.key(Qt.Key.Key_Escape)
    assert hand.selected == {"out"} or hand.selected == set()
    assert canvas.scene.marks.box is None


def test_ctrl_a_selects_everything(hand) -> None:
    hand.key(Qt.Key.Key_A, CTRL)
    assert hand.selected == set(hand.nodes)


def test_l_selects_downstream_and_shift_l_upstream(hand) -> None:
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_L)
    assert hand.selected == {"tanh", "mul", "out", "output"}
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_L, SHIFT)
    assert hand.selected == {"x", "hidden", "tanh"}


def test_alt_arrows_walk_along_the_wires(hand) -> None:
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_Right, ALT)
    assert hand.selected == {"tanh"}
    hand.key(Qt.Key.Key_Right, ALT)
    assert hand.selected == {"mul"}
    hand.key(Qt.Key.Key_Left, ALT)
    assert hand.selected == {"tanh"}
    hand.key(Qt.Key.Key_Down, ALT)
    assert hand.selected == {"scale"}


def test_click_on_a_wire_selects_it(hand, canvas: Canvas) -> None:
    wire = hand.wire("hidden", "tanh")
    hand.click(canvas.view.wire_position(wire))
    assert canvas.scene.chosen_wires == {wire}
    hand.click(QPoint(500, 20))
    assert canvas.scene.chosen_wires == frozenset()


def test_what_another_view_selects_shows_on_the_canvas(hand, canvas: Canvas, themes) -> None:
    assert not hand.has_color("out", themes.theme.accent)
    canvas.desk.selection.select_tensor("out.weight")
    assert canvas.scene.items_by_id["out"].is_chosen
    assert hand.has_color("out", themes.theme.accent)


def test_escape_clears_then_leaves_the_module(hand, canvas: Canvas) -> None:
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_Escape)
    assert hand.selected == set()
    assert canvas.scene.graph.name == "Net"
    hand.key(Qt.Key.Key_Escape)
    assert canvas.desk.selection.scope == PROGRAM
    assert set(hand.nodes) == {"data", "model", "loss", "optimizer"}
