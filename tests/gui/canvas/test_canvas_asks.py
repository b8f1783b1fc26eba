"""Find and wire from the keyboard alone: the search asks, the answer is typed."""

from PySide6.QtCore import Qt

from paramscope.census.rows import Gradient, Kind, TensorRow
from paramscope.code.graph import PortRef
from paramscope.document.document import Document
from paramscope_gui.bridge.selection import Scope
from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.canvas.tools.find import scopes_of

CTRL = Qt.KeyboardModifier.ControlModifier
NESTED = """import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, h):
        return torch.relu(self.inner(h))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.second = Block()
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        h = self.first(x)
        skip = torch.sigmoid(x)
        return self.head(self.second(h))


def build():
    return Net()
"""


def answers(canvas: Canvas) -> list[str]:
    return [found.expression for found in canvas.search.answers]


def test_a_node_is_found_in_a_module_that_is_not_shown(hand, canvas: Canvas, selection) -> None:
    hand.show(NESTED)
    hand.key(Qt.Key.Key_F, CTRL)
    hand.type("second.inner")
    assert answers(canvas) == ["Block: second.inner"]
    hand.search_key(Qt.Key.Key_Return)
    assert selection.scope == Scope("Block", "second")
    assert hand.selected == {"inner"}
    assert not canvas.search.isVisible()


def test_tensors_are_found_by_state(hand, canvas: Canvas, selection) -> None:
    rows = {
        "hidden.weight": TensorRow(
            "hidden.weight", Kind.PARAMETER, (8, 2), "float32", True, gradient=Gradient.UNUSED
        ),
        "out.weight": TensorRow(
            "out.weight", Kind.PARAMETER, (1, 8), "float32", True, gradient=Gradient.FLOWS
        ),
    }
    canvas.presenter.gatherer.take_rows(rows)
    hand.key(Qt.Key.Key_F, CTRL)
    hand.type("state:unused")
    assert answers(canvas) == ["hidden.weight"]
    hand.search_key(Qt.Key.Key_Return)
    assert selection.tensor == "hidden.weight"
    assert hand.selected == {"hidden"}


def test_what_is_not_there_is_said(hand, canvas: Canvas) -> None:
    hand.key(Qt.Key.Key_F, CTRL)
    hand.type("zebra")
    assert canvas.search.action_text == (
        "No node and no tensor is called so, or is in that state now."
    )
    hand.search_key(Qt.Key.Key_Return)
    hand.search_key(Qt.Key.Key_Escape)
    assert not canvas.search.isVisible()


def test_a_module_inside_of_itself_ends_the_search(workspace) -> None:
    workspace.new(Document(NESTED.replace("nn.Linear(4, 4)", "Block()")))
    assert Scope("Block", "first") in list(scopes_of(workspace.program))


def test_two_nodes_are_wired_without_a_mouse(hand, canvas: Canvas) -> None:
    hand.show(NESTED)
    hand.click_node("sigmoid")
    hand.key(Qt.Key.Key_W)
    hand.type("second")
    assert answers(canvas) == ["second.h"]
    assert "in place of first" in canvas.search.action_text
    hand.search_key(Qt.Key.Key_Return)
    assert "self.second(skip)" in hand.source


def test_what_feeds_a_node_is_not_offered_as_its_target(hand, canvas: Canvas) -> None:
    hand.show(NESTED)
    hand.click_node("second")
    hand.key(Qt.Key.Key_W)
    assert "first.h" not in answers(canvas)
    assert "head.input" not in answers(canvas)  # it is wired so already


def test_a_wire_that_cannot_be_says_why(hand, canvas: Canvas) -> None:
    hand.click_node("x")
    hand.key(Qt.Key.Key_W)
    hand.type("out")
    assert answers(canvas)[0] == "out.input"
    hand.search_key(Qt.Key.Key_Return)
    assert canvas.scene.wire_into(PortRef("out", 0)).source.node != "x"
    assert "8" in canvas.bubble.text


def test_the_search_adds_nodes_again_after_a_question(hand, canvas: Canvas) -> None:
    hand.key(Qt.Key.Key_F, CTRL)
    hand.search_key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Tab)
    hand.type("relu")
    assert canvas.search.answers[0].title == "ReLU"
    hand.search_key(Qt.Key.Key_Return)
    assert "relu" in hand.source.lower()
