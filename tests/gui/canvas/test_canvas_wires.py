"""Wires: drawn, snapped, refused with a repair, detached, cut; each asserts on the source."""

import pytest
from PySide6.QtCore import QPoint, Qt

from paramscope.code.commands import AddModule
from paramscope.code.graph import PortRef
from paramscope_gui.canvas.canvas import Canvas

CTRL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier

LOOSE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 8)
        self.second = nn.Linear(8, 4)
        self.third = nn.Linear(16, 4)

    def forward(self, x):
        a = self.first(x)
        b = self.second(...)
        c = self.third(...)
        return a


def build():
    return Net()
"""


@pytest.fixture
def loose(hand, canvas: Canvas):
    """A model with two layers whose inputs are open."""
    hand.show(LOOSE)
    canvas.view.fit_all()
    return hand


def test_wire_from_an_output_to_a_free_input_is_written(loose) -> None:
    view = loose.view
    loose.drag(view.port_position("first", "out"), view.port_position("second", "in"))
    assert "b = self.second(a)" in loose.source
    assert ("first", "second") in loose.wires


def test_wire_can_be_drawn_backwards_from_a_free_input(loose) -> None:
    view = loose.view
    loose.drag(view.port_position("second", "in"), view.port_position("first", "out"))
    assert "b = self.second(a)" in loose.source


def test_wire_snaps_to_a_port_nearby_and_lights_it(loose, canvas: Canvas) -> None:
    view = loose.view
    near = view.port_position("second", "in") + QPoint(-12, 8)
    loose.drag(view.port_position("first", "out"), near, release=False)
    assert canvas.scene.items_by_id["second"].lit_port == ("in", 0)
    assert canvas.scene.marks.draft.end == canvas.scene.port_place("second", "in", 0)
    loose.key(Qt.Key.Key_Escape)
    assert canvas.scene.marks.draft is None
    assert "b = self.second(...)" in loose.source


def test_wire_that_cannot_be_is_refused_with_reason_and_repair(loose, canvas: Canvas) -> None:
    view, source = loose.view, loose.source
    loose.drag(view.port_position("first", "out"), view.port_position("third", "in"))
    assert loose.source == source
    assert canvas.bubble.isVisible()
    assert "Linear wants" in canvas.bubble.text
    assert "8" in canvas.bubble.text and "16" in canvas.bubble.text
    assert canvas.bubble.repair is not None
    loose.key(Qt.Key.Key_Return)
    assert "self.third = nn.Linear(8, 4)" in loose.source
    assert "c = self.third(a)" in loose.source
    assert not canvas.bubble.isVisible()


def test_refusal_is_dismissed_by_escape_and_changes_nothing(loose, canvas: Canvas) -> None:
    view, source = loose.view, loose.source
    loose.drag(view.port_position("first", "out"), view.port_position("third", "in"))
    loose.key(Qt.Key.Key_Escape)
    assert not canvas.bubble.isVisible()
    assert loose.source == source


def test_circle_is_refused_while_the_wire_is_dragged(hand, canvas: Canvas) -> None:
    view, source = hand.view, hand.source
    hand.drag(view.port_position("out", "out"), view.port_position("hidden", "in"), release=False)
    assert "circle" in canvas.bubble.text
    assert not canvas.scene.marks.draft_fits
    hand.key(Qt.Key.Key_Escape)
    assert hand.source == source


def test_occupied_input_is_replaced_in_one_undo_step(hand, workspace) -> None:
    view, source = hand.view, hand.source
    hand.drag(view.port_position("hidden", "out"), view.port_position("out", "in"))
    assert ("hidden", "out") in hand.wires
    assert ("mul", "out") not in hand.wires
    workspace.undo()
    assert hand.source == source


def test_dragging_from_an_occupied_input_detaches(hand, canvas: Canvas) -> None:
    view = hand.view
    hand.drag(view.port_position("tanh", "in"), QPoint(500, 40))
    assert ("hidden", "tanh") not in hand.wires
    assert "torch.tanh(...)" in hand.source
    assert canvas.scene.drawing_of("tanh").face.open_inputs == {0}


def test_detached_wire_can_be_dropped_on_another_input(loose) -> None:
    view = loose.view
    loose.drag(view.port_position("first", "out"), view.port_position("second", "in"))
    loose.drag(view.port_position("output", "in"), view.port_position("second", "in"))
    assert ("first", "second") in loose.wires


def test_alt_click_cuts_a_wire(hand) -> None:
    hand.click(hand.view.wire_position(hand.wire("hidden", "tanh")), ALT)
    assert ("hidden", "tanh") not in hand.wires


def test_alt_click_on_a_port_cuts_all_its_wires(loose) -> None:
    view = loose.view
    loose.drag(view.port_position("first", "out"), view.port_position("second", "in"))
    loose.click(view.port_position("first", "out"), ALT)
    assert not {wire for wire in loose.wires if wire[0] == "first"}


def test_knife_cuts_every_wire_it_crosses_as_one_step(hand, canvas: Canvas, workspace) -> None:
    source = hand.source
    upper = hand.view.wire_position(hand.wire("tanh", "mul"))
    lower = hand.view.wire_position(hand.wire("scale", "mul"))
    hand.drag(upper - QPoint(0, 40), lower + QPoint(0, 40), CTRL, Qt.MouseButton.RightButton)
    assert {("tanh", "mul"), ("scale", "mul")} & hand.wires == set()
    assert canvas.scene.marks.knife == ()
    workspace.undo()
    assert hand.source == source


def test_wire_dropped_on_empty_canvas_asks_what_to_add(hand, canvas: Canvas) -> None:
    hand.drag(hand.view.port_position("hidden", "out"), QPoint(420, 520))
    assert canvas.search.isVisible()
    hand.search_key(Qt.Key.Key_Escape)
    assert not canvas.search.isVisible()


def test_free_input_is_preferred_to_an_occupied_one(hand, canvas: Canvas, workspace) -> None:
    hand.click(hand.view.wire_position(hand.wire("scale", "mul")), ALT)
    place = canvas.scene.node_rect("mul").center()
    hand.drag(hand.view.port_position("scale", "out"), hand.view.mapFromScene(place))
    assert ("scale", "mul") in hand.wires
    assert ("tanh", "mul") in hand.wires


def test_uncalled_layer_says_that_its_input_is_open(hand, canvas: Canvas, workspace) -> None:
    workspace.execute(AddModule("Net", "nn.Linear(3, 4)", name="extra"))
    texts = [text.text for text in canvas.scene.drawing_of("extra").texts]
    assert "input: not connected" in texts
    assert canvas.scene.wire_into(PortRef("extra", 0)) is None
