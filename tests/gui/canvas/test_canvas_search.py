"""Search-to-add from the keyboard, the palette's drops, and what an empty document begins with."""

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from paramscope.code.templates import empty_model
from paramscope.document.document import Document
from paramscope_gui.bridge.offers import offers
from paramscope_gui.canvas.canvas import Canvas

NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


def _add(hand, text: str) -> None:
    hand.key(Qt.Key.Key_Tab)
    hand.type(text)
    hand.search_key(Qt.Key.Key_Return)


def _drop(canvas: Canvas, text: str, place: QPoint) -> None:
    """Drag text from elsewhere over the canvas and drop it."""
    data = QMimeData()
    data.setText(text)
    action = Qt.DropAction.CopyAction
    port = canvas.view.viewport()
    enter = QDragEnterEvent(place, action, data, LEFT, NONE)
    QApplication.sendEvent(port, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(port, QDragMoveEvent(place, action, data, LEFT, NONE))
    QApplication.sendEvent(port, QDropEvent(QPointF(place), action, data, LEFT, NONE))


def test_xor_network_is_typed_without_a_mouse(hand, canvas: Canvas, workspace) -> None:
    workspace.new(empty_model())
    _add(hand, "linear 8")
    _add(hand, "tanh")
    _add(hand, "linear 1")
    assert "nn.Linear(2, 8)" in hand.source
    assert "nn.Linear(8, 1)" in hand.source
    linears = [node.id for node in canvas.scene.graph.nodes if node.title == "Linear"]
    tanh = next(node.id for node in canvas.scene.graph.nodes if node.title.lower() == "tanh")
    assert {
        ("x", linears[0]),
        (linears[0], tanh),
        (tanh, linears[1]),
        (linears[1], "output"),
    } == hand.wires
    shapes = {canvas.scene.wire_faces[wire].text for wire in canvas.scene.graph.wires}
    assert shapes == {"N × 2", "N × 8", "N × 1"}
    assert canvas.view.hasFocus() or canvas.view.isActiveWindow() is False


def test_each_addition_is_one_undo_step(hand, canvas: Canvas, workspace) -> None:
    workspace.new(empty_model())
    before = hand.source
    _add(hand, "linear 8")
    assert workspace.undo_label == "Add Linear"
    workspace.undo()
    assert hand.source == before


def test_wrong_size_is_refused_with_a_one_key_repair(hand, canvas: Canvas, workspace) -> None:
    workspace.new(empty_model())
    _add(hand, "linear 8")
    before = hand.source
    _add(hand, "linear 3 1")
    assert hand.source == before
    assert canvas.bubble.isVisible()
    assert "3" in canvas.bubble.text and "8" in canvas.bubble.text
    hand.key(Qt.Key.Key_Return)
    assert "nn.Linear(8, 1)" in hand.source


def test_search_says_what_enter_will_do(hand, canvas: Canvas) -> None:
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_Tab)
    hand.type("linear 16")
    assert canvas.search.answers[0].expression == "nn.Linear(8, 16)"
    assert canvas.search.action_text == "Adds nn.Linear(8, 16) after tanh (N × 8)"


@pytest.mark.parametrize("alias", ["fc 16", "dense 16", "lin 16"])
def test_aliases_find_the_layer(hand, canvas: Canvas, alias: str) -> None:
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_Tab)
    hand.type(alias)
    assert canvas.search.answers[0].title == "Linear"


def test_arrows_choose_another_answer(hand, canvas: Canvas) -> None:
    hand.key(Qt.Key.Key_A, SHIFT)
    assert canvas.search.isVisible()
    hand.type("relu")
    second = canvas.search.answers[1]
    hand.search_key(Qt.Key.Key_Down)
    assert second.expression in canvas.search.action_text
    hand.search_key(Qt.Key.Key_Up)
    assert canvas.search.answers[0].expression in canvas.search.action_text


def test_escape_closes_the_search_and_adds_nothing(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.key(Qt.Key.Key_Tab)
    hand.type("linear 3")
    hand.search_key(Qt.Key.Key_Escape)
    assert not canvas.search.isVisible()
    assert hand.source == source


def test_nonsense_finds_nothing_and_says_what_to_try(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.key(Qt.Key.Key_Tab)
    hand.type("qqqqqq")
    assert list(canvas.search.answers) == []
    assert "Nothing fits" in canvas.search.action_text
    hand.search_key(Qt.Key.Key_Return)
    assert hand.source == source


def test_new_node_is_selected_and_in_view(hand, canvas: Canvas) -> None:
    hand.click_node("tanh")
    _add(hand, "dropout")
    assert len(hand.selected) == 1
    new = hand.selected.pop()
    assert canvas.scene.nodes_by_id[new].title == "Dropout"
    assert canvas.view.visible_area.intersects(canvas.scene.node_rect(new))


def test_double_click_on_empty_adds_there(hand, canvas: Canvas, workspace) -> None:
    place = QPoint(420, 60)
    hand.double_click(place)
    hand.type("layernorm 8")
    hand.search_key(Qt.Key.Key_Return)
    new = next(node.id for node in canvas.scene.graph.nodes if node.title == "LayerNorm")
    corner = workspace.document.layout.positions[f"Net/{new}"]
    wished = canvas.view.mapToScene(place)
    assert abs(corner.x - wished.x()) <= 8
    assert abs(corner.y + 16 - wished.y()) <= 8


def test_wire_dropped_on_empty_adds_and_wires_there(hand, canvas: Canvas, workspace) -> None:
    hand.drag(hand.view.port_position("hidden", "out"), QPoint(420, 560))
    hand.type("relu")
    hand.search_key(Qt.Key.Key_Return)
    new = hand.selected.pop()
    assert ("hidden", new) in hand.wires
    assert f"Net/{new}" in workspace.document.layout.positions


def test_palette_entry_dropped_on_empty_canvas_lies_there(hand, canvas: Canvas) -> None:
    _drop(canvas, "nn.Linear(8, 16)", QPoint(420, 60))
    assert "nn.Linear(8, 16)" in hand.source
    new = next(iter(hand.selected))
    spot = canvas.view.mapToScene(QPoint(420, 60))
    assert canvas.scene.node_rect(new).adjusted(-16, -16, 16, 16).contains(spot)


def test_palette_entry_dropped_on_a_wire_is_inserted(hand, canvas: Canvas, workspace) -> None:
    _drop(canvas, "nn.Dropout(0.5)", hand.view.wire_position(hand.wire("mul", "out")))
    new = next(node.id for node in canvas.scene.graph.nodes if node.title == "Dropout")
    assert {("mul", new), (new, "out")} <= hand.wires
    assert canvas.scene.marks.joined == ()
    workspace.undo()
    assert ("mul", "out") in hand.wires


def test_parameter_buffer_and_tensor_can_be_dropped(hand, canvas: Canvas) -> None:
    _drop(canvas, "nn.Parameter(torch.zeros(8))", QPoint(420, 60))
    _drop(canvas, "register_buffer('mask', torch.ones(8))", QPoint(220, 60))
    _drop(canvas, "torch.zeros(4)", QPoint(620, 60))
    assert "self.weight = nn.Parameter(torch.zeros(8))" in hand.source
    assert 'self.register_buffer("mask", torch.ones(8))' in hand.source
    assert "self.tensor = torch.zeros(4)" in hand.source


def test_tensor_dropped_on_a_wire_is_added_beside_it(hand, canvas: Canvas) -> None:
    _drop(canvas, "nn.Parameter(torch.zeros(8))", hand.view.wire_position(hand.wire("mul", "out")))
    assert "self.weight = nn.Parameter(torch.zeros(8))" in hand.source
    assert ("mul", "out") in hand.wires


def test_what_is_dropped_and_is_no_python_is_refused(hand, canvas: Canvas) -> None:
    source = hand.source
    _drop(canvas, "this is no code", QPoint(420, 60))
    assert hand.source == source
    assert canvas.bubble.isVisible()


def test_empty_document_becomes_a_model_with_the_first_layer(hand, canvas, workspace) -> None:
    workspace.new(Document(""))
    _add(hand, "linear 4")
    assert "class Net(nn.Module):" in hand.source
    assert "nn.Linear(2, 4)" in hand.source
    assert canvas.scene.graph.name == "Net"


def test_class_of_the_document_can_be_added(hand, canvas: Canvas, workspace) -> None:
    block = "\n\nclass Block(nn.Module):\n    def forward(self, x):\n        return x\n"
    hand.show(hand.source + block)
    hand.click_node("tanh")
    _add(hand, "block")
    assert "self.block = Block()" in hand.source


def test_palette_choice_is_wired_with_the_size_that_fits(hand, canvas: Canvas) -> None:
    hand.click_node("tanh")
    canvas.add("nn.Linear(3, 4)")
    assert "nn.Linear(8, 4)" in hand.source


def test_every_palette_entry_can_be_dropped(hand, canvas: Canvas, workspace) -> None:
    refused = []
    for offer in offers(workspace.program):
        if offer.title == "Net":
            continue  # a class cannot contain itself
        before = hand.source
        canvas.desk.selection.select_nodes(())
        _drop(canvas, offer.text, QPoint(420, 60))
        if hand.source == before:
            refused.append((offer.text, canvas.bubble.text))
        while workspace.undo_label:
            workspace.undo()
    assert refused == []
