"""Moving nodes: drags, arrows, undo, copies, insertion into a wire, automatic layout."""

from PySide6.QtCore import QPoint, Qt

from paramscope.code.commands import AddModule
from paramscope_gui.canvas.canvas import Canvas

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


def test_drag_moves_a_node_on_the_grid_as_one_undo_step(hand, canvas: Canvas, workspace) -> None:
    before = canvas.scene.positions()
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(37, 93))
    after = workspace.document.layout.positions["Net/hidden"]
    assert after != before["hidden"]
    assert after.x % 8 == 0 and after.y % 8 == 0
    assert canvas.scene.positions()["hidden"] == after
    assert workspace.undo_label == "Move nodes" or workspace.undo_label == "Move hidden"
    workspace.undo()
    assert workspace.document.layout.positions == {}
    assert canvas.scene.positions() == before


def test_drag_moves_all_selected_nodes(hand, canvas: Canvas) -> None:
    before = canvas.scene.positions()
    hand.click_node("hidden")
    hand.click_node("tanh", SHIFT)
    start = hand.view.node_position("tanh")
    hand.drag(start, start + QPoint(0, 96))
    after = canvas.scene.positions()
    down = after["hidden"].y - before["hidden"].y
    assert down > 0
    assert after["tanh"].y - before["tanh"].y == down
    assert after["out"] == before["out"]


def test_escape_puts_a_dragged_node_back(hand, canvas: Canvas, workspace) -> None:
    before = canvas.scene.positions()
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(60, 60), release=False)
    assert canvas.scene.positions()["hidden"] != before["hidden"]
    hand.key(Qt.Key.Key_Escape)
    assert canvas.scene.positions() == before
    assert workspace.undo_label is None


def test_small_tremble_of_a_click_moves_nothing(hand, workspace) -> None:
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(2, 1))
    assert workspace.undo_label is None
    assert hand.selected == {"hidden"}


def test_wires_follow_a_dragged_node(hand, canvas: Canvas) -> None:
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(0, 150), release=False)
    ends = {path.end.toPoint().toTuple() for path, _ in canvas.scene.marks.moving}
    assert canvas.scene.port_place("hidden", "in", 0).toPoint().toTuple() in ends
    hand.key(Qt.Key.Key_Escape)
    assert canvas.scene.marks.moving == ()


def test_arrows_nudge_by_the_grid_and_shift_by_ten(hand, canvas: Canvas) -> None:
    before = canvas.scene.positions()["hidden"]
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_Right)
    assert canvas.scene.positions()["hidden"].x == before.x + 8
    hand.key(Qt.Key.Key_Down, SHIFT)
    assert canvas.scene.positions()["hidden"].y == before.y + 80


def test_other_nodes_stay_when_one_has_been_placed(hand, canvas: Canvas, workspace) -> None:
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(0, 200))
    placed = canvas.scene.positions()
    workspace.execute(AddModule("Net", "nn.Linear(3, 4)", name="extra"))
    after = canvas.scene.positions()
    assert {key: after[key] for key in placed} == placed
    assert "extra" in after


def test_alt_drag_leaves_a_copy(hand, canvas: Canvas) -> None:
    before = canvas.scene.positions()["hidden"]
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(0, 150), ALT)
    assert canvas.scene.positions()["hidden"] == before
    assert hand.source.count("nn.Linear(2, 8)") == 2


def test_node_dropped_on_a_wire_is_inserted(hand, canvas: Canvas, workspace) -> None:
    workspace.execute(AddModule("Net", "nn.Dropout(0.1)", name="drop"))
    canvas.view.fit_all()
    start = hand.view.node_position("drop")
    end = hand.view.wire_position(hand.wire("mul", "out"))
    hand.drag(start, end, release=False)
    assert canvas.scene.marks.joined
    hand.drag(end, end)
    assert {("mul", "drop"), ("drop", "out")} <= hand.wires
    assert ("mul", "out") not in hand.wires
    workspace.undo()
    assert ("mul", "out") in hand.wires


def test_ctrl_l_lays_out_as_one_undo_step(hand, canvas: Canvas, workspace) -> None:
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(40, 200))
    moved = canvas.scene.positions()
    hand.click(QPoint(500, 20))
    hand.key(Qt.Key.Key_L, CTRL)
    tidy = canvas.scene.positions()
    assert tidy["hidden"] != moved["hidden"]
    lefts = [tidy[key].x for key in ("x", "hidden", "tanh", "mul", "out", "output")]
    assert lefts == sorted(lefts)
    workspace.undo()
    assert canvas.scene.positions() == moved


def test_layout_glides_unless_motion_is_reduced(hand, canvas: Canvas) -> None:
    start = hand.view.node_position("hidden")
    hand.drag(start, start + QPoint(40, 200))
    hand.click(QPoint(500, 20))
    canvas.set_still(False)
    before = canvas.scene.positions()["hidden"]
    hand.key(Qt.Key.Key_L, CTRL)
    goal = canvas.desk.workspace.document.layout.positions["Net/hidden"]
    seen = [canvas.scene.positions()["hidden"]]

    def arrived() -> bool:
        seen.append(canvas.scene.positions()["hidden"])
        return seen[-1] == goal

    hand.wait(arrived)
    assert any(point not in (before, goal) for point in seen)
