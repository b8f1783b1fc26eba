"""Editing nodes in place: names, arguments, deletion, copies, clipboard, registration."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from paramscope.document.document import Document
from paramscope_gui.canvas.canvas import Canvas

CTRL = Qt.KeyboardModifier.ControlModifier


def _name(canvas: Canvas, text: str, end: Qt.Key = Qt.Key.Key_Return) -> None:
    canvas.name_editor.selectAll()
    QTest.keyClicks(canvas.name_editor, text)
    QTest.keyClick(canvas.name_editor, end)


def _field(canvas: Canvas, name: str):
    return next(field for field in canvas.arguments.fields if field.argument == name)


def test_f2_renames_the_attribute_everywhere(hand, canvas: Canvas, workspace) -> None:
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_F2)
    assert canvas.name_editor.isVisible()
    assert canvas.name_editor.text() == "hidden"
    _name(canvas, "encoder")
    assert "self.encoder = nn.Linear(2, 8)" in hand.source
    assert "torch.tanh(self.encoder(x))" in hand.source
    assert "hidden" not in hand.source
    assert not canvas.name_editor.isVisible()
    workspace.undo()
    assert "self.hidden = nn.Linear(2, 8)" in hand.source


def test_double_click_on_the_title_renames(hand, canvas: Canvas) -> None:
    hand.double_click(hand.view.node_position("out"))
    _name(canvas, "head")
    assert "self.head = nn.Linear(8, 1)" in hand.source


def test_escape_leaves_the_name(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_F2)
    _name(canvas, "encoder", Qt.Key.Key_Escape)
    assert hand.source == source


def test_editor_closes_when_its_node_is_no_longer_shown(hand, canvas: Canvas, workspace) -> None:
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_F2)
    QTest.keyClicks(canvas.name_editor, "other")
    workspace.new(Document("x = 1\n"))
    assert not canvas.name_editor.isVisible()
    assert hand.source == "x = 1\n"


def test_word_of_python_is_no_name(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_F2)
    _name(canvas, "class")
    assert canvas.name_editor.isVisible()
    assert "word of Python" in canvas.name_editor.toolTip()
    assert hand.source == source


def test_name_that_is_taken_is_refused_with_the_reason(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_F2)
    _name(canvas, "out")
    assert hand.source == source
    assert canvas.bubble.isVisible()
    assert "out" in canvas.bubble.text


def test_argument_is_written_to_the_source(hand, canvas: Canvas) -> None:
    hand.click_node("out")
    field = _field(canvas, "out_features")
    assert field.text() == "1"
    hand.key(Qt.Key.Key_Return)
    assert canvas.arguments.fields[0].hasFocus() or canvas.arguments.isVisible()
    field.selectAll()
    QTest.keyClicks(field, "3")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert "self.out = nn.Linear(8, 3)" in hand.source


def test_default_is_grey_and_written_only_when_changed(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.click_node("out")
    field = _field(canvas, "bias")
    assert (field.text(), field.placeholderText()) == ("", "True")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert hand.source == source
    QTest.keyClicks(field, "False")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert "self.out = nn.Linear(8, 1, bias=False)" in hand.source


def test_argument_that_is_no_python_is_refused_and_shown_as_it_was(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.click_node("out")
    field = _field(canvas, "out_features")
    field.selectAll()
    QTest.keyClicks(field, "3 +")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert hand.source == source
    assert canvas.bubble.isVisible()
    assert _field(canvas, "out_features").text() == "1"


def test_letters_typed_into_a_field_are_no_commands(hand, canvas: Canvas) -> None:
    hand.click_node("out")
    field = _field(canvas, "out_features")
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "Lk")
    assert field.text() == "Lk"
    assert hand.selected == {"out"}


def test_delete_takes_a_node_and_leaves_a_hole(hand, canvas: Canvas, workspace) -> None:
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_Delete)
    assert "tanh" not in hand.source
    assert "tanh" not in hand.nodes
    workspace.undo()
    assert "torch.tanh(self.hidden(x))" in hand.source


def test_ctrl_delete_joins_what_stood_around(hand) -> None:
    hand.click_node("tanh")
    hand.key(Qt.Key.Key_Delete, CTRL)
    assert ("hidden", "mul") in hand.wires


def test_delete_of_a_selected_wire_cuts_it(hand) -> None:
    hand.click(hand.view.wire_position(hand.wire("hidden", "tanh")))
    hand.key(Qt.Key.Key_Backspace)
    assert ("hidden", "tanh") not in hand.wires


def test_input_cannot_be_deleted_and_says_why(hand, canvas: Canvas) -> None:
    source = hand.source
    hand.click_node("x")
    hand.key(Qt.Key.Key_Delete)
    assert hand.source == source
    assert "argument of forward" in canvas.bubble.text


def test_ctrl_d_duplicates_and_selects_the_copy(hand, canvas: Canvas) -> None:
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_D, CTRL)
    assert hand.source.count("nn.Linear(2, 8)") == 2
    assert "hidden" not in hand.selected
    assert len(hand.selected) == 1


def test_copied_nodes_are_python_and_paste_makes_nodes(hand) -> None:
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_C, CTRL)
    assert QGuiApplication.clipboard().text() == "self.hidden = nn.Linear(2, 8)"
    QGuiApplication.clipboard().setText("nn.LayerNorm(8)\nself.gate = nn.Sigmoid()")
    hand.key(Qt.Key.Key_V, CTRL)
    assert "nn.LayerNorm(8)" in hand.source
    assert "self.gate = nn.Sigmoid()" in hand.source
    assert len(hand.selected) == 2


def test_pasting_what_is_no_python_says_so(hand, canvas: Canvas) -> None:
    source = hand.source
    QGuiApplication.clipboard().setText("hello, how are you")
    hand.key(Qt.Key.Key_V, CTRL)
    assert hand.source == source
    assert "no Python expression" in canvas.bubble.text


def test_k_registers_a_plain_tensor_and_back(hand, workspace) -> None:
    hand.click_node("scale")
    hand.key(Qt.Key.Key_R)
    assert "self.scale = nn.Parameter(torch.ones(8))" in hand.source
    hand.key(Qt.Key.Key_R)
    assert "nn.Parameter" not in hand.source
    workspace.undo()
    workspace.undo()
    assert "self.scale = torch.ones(8, requires_grad=True)" in hand.source


def test_z_freezes_a_layer_and_lets_it_train_again(hand, workspace) -> None:
    before = hand.source
    hand.click_node("hidden")
    hand.key(Qt.Key.Key_Z)
    assert "        self.hidden.requires_grad_(False)\n" in hand.source
    assert workspace.undo_label == "Freeze hidden"
    hand.key(Qt.Key.Key_Z)
    assert hand.source == before


def test_actions_are_enabled_by_what_is_selected(hand, canvas: Canvas) -> None:
    assert not canvas.actions_of.action("delete").isEnabled()
    assert not canvas.actions_of.action("register").isEnabled()
    hand.click_node("scale")
    assert canvas.actions_of.action("delete").isEnabled()
    assert canvas.actions_of.action("register").isEnabled()


def test_context_menu_offers_what_fits(hand, canvas: Canvas) -> None:
    spot = canvas.view.node_position("scale").toPointF()
    menu = canvas.menu_for(canvas.view.hit_at(spot), spot)
    assert "Register or unregister" in [action.text() for action in menu.actions()]
    menu.deleteLater()
