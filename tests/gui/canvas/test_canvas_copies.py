"""Copies keep the wires between them, and all wires of an output move at once."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from paramscope_gui.canvas.canvas import Canvas

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
FORKED = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.second = nn.Linear(4, 4)
        self.third = nn.Linear(4, 4)

    def forward(self, x):
        a = self.first(x)
        b = self.act(a)
        c = self.second(b)
        d = self.third(b)
        return c + d


def build():
    return Net()
"""


@pytest.fixture
def forked(hand, canvas: Canvas):
    hand.show(FORKED)
    canvas.view.fit_all()
    return hand


def test_duplicated_nodes_keep_the_wire_between_them(forked) -> None:
    forked.click_node("act")
    forked.click_node("second", SHIFT)
    forked.key(Qt.Key.Key_D, CTRL)
    copies = forked.selected
    assert len(copies) == 2 and not copies & {"act", "second"}
    inside = {wire for wire in forked.wires if set(wire) <= copies}
    assert len(inside) == 1
    assert ("act", "second") in forked.wires


def test_one_copy_has_no_wires(forked) -> None:
    forked.click_node("act")
    forked.key(Qt.Key.Key_D, CTRL)
    (copy,) = forked.selected
    assert not [wire for wire in forked.wires if copy in wire]


def test_pasted_nodes_keep_the_wire_between_them(forked) -> None:
    forked.click_node("act")
    forked.click_node("second", SHIFT)
    forked.key(Qt.Key.Key_C, CTRL)
    assert (
        QGuiApplication.clipboard().text() == "self.act = nn.ReLU()\nself.second = nn.Linear(4, 4)"
    )
    forked.key(Qt.Key.Key_V, CTRL)
    copies = forked.selected
    assert len(copies) == 2
    assert len([wire for wire in forked.wires if set(wire) <= copies]) == 1


def test_pasting_with_inputs_feeds_the_copy_as_the_original(forked, workspace) -> None:
    before = forked.source
    forked.click_node("act")
    forked.key(Qt.Key.Key_C, CTRL)
    forked.key(Qt.Key.Key_V, CTRL | SHIFT)
    (copy,) = forked.selected
    assert ("first", copy) in forked.wires
    workspace.undo()
    assert forked.source == before


def test_text_from_elsewhere_is_pasted_as_python(forked) -> None:
    forked.click_node("act")
    forked.key(Qt.Key.Key_C, CTRL)
    QGuiApplication.clipboard().setText("nn.Tanh()")
    forked.key(Qt.Key.Key_V, CTRL | SHIFT)
    assert "nn.Tanh()" in forked.source


def test_all_wires_of_an_output_move_with_ctrl(forked, workspace) -> None:
    before = forked.source
    view = forked.view
    start, end = view.port_position("act", "out"), view.port_position("first", "out")
    forked.drag(start, end, CTRL)
    assert {("first", "second"), ("first", "third")} <= forked.wires
    assert not {wire for wire in forked.wires if wire[0] == "act"}
    workspace.undo()
    assert forked.source == before


def test_wires_let_go_over_nothing_stay(forked, canvas: Canvas) -> None:
    before = forked.source
    start = forked.view.port_position("act", "out")
    forked.drag(start, start + (forked.view.rect().bottomLeft() - start) * 0.9, CTRL)
    assert forked.source == before
    assert not canvas.scene.marks.moving
