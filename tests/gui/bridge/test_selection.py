"""One selection for all views: each says what was picked in its own terms."""

from pytestqt.qtbot import QtBot

from paramscope.document.document import Document
from paramscope_gui.bridge.selection import PROGRAM, Scope, Selection
from paramscope_gui.bridge.workspace import Workspace


def test_opening_a_document_shows_its_model_inside_the_program(selection: Selection) -> None:
    assert selection.trail == (PROGRAM, Scope("Net"))


def test_selecting_a_tensor_selects_the_node_that_holds_it(
    qtbot: QtBot, selection: Selection
) -> None:
    with qtbot.waitSignal(selection.changed):
        selection.select_tensor("hidden.weight")
    assert selection.nodes == {"hidden"}
    assert selection.span is not None
    assert selection.span.line == 8


def test_selecting_a_plain_tensors_node_selects_the_tensor(selection: Selection) -> None:
    selection.select_nodes({"scale"})
    assert selection.tensor == "scale"


def test_selecting_a_place_in_the_source_selects_the_innermost_node(selection: Selection) -> None:
    graph = selection.graph
    assert graph is not None
    node = next(node for node in graph.nodes if node.id == "hidden")
    selection.select_span(node.span)
    assert selection.nodes == {"hidden"}


def test_leaving_a_scope_goes_back_to_the_one_around_it(selection: Selection) -> None:
    selection.leave()
    assert selection.trail == (PROGRAM,)
    selection.leave()
    assert selection.trail == (PROGRAM,)


def test_a_class_that_is_gone_leaves_the_trail(workspace: Workspace, selection: Selection) -> None:
    workspace.new(Document("import torch\n"))
    assert selection.trail == (PROGRAM,)


NESTED = """import torch
from torch import nn


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.ones(4, requires_grad=True)

    def forward(self, x):
        return x * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Inner()

    def forward(self, x):
        return self.block(x)


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD([model.block.scale], lr=0.1)
"""


def test_a_tensor_is_revealed_on_the_canvas_that_holds_it(
    workspace: Workspace, selection: Selection
) -> None:
    workspace.new(Document(NESTED))
    selection.reveal("block.scale", is_tensor=True)
    assert selection.trail == (PROGRAM, Scope("Net"), Scope("Inner", "block"))
    assert (selection.tensor, selection.nodes) == ("block.scale", {"scale"})
    selection.reveal("block", is_tensor=False)
    assert selection.trail == (PROGRAM, Scope("Net"))
    assert selection.nodes == {"block"}


def test_a_verdict_on_the_optimizer_is_revealed_in_the_program(
    workspace: Workspace, selection: Selection
) -> None:
    workspace.new(Document(NESTED))
    selection.reveal("optimizer", is_tensor=False)
    assert selection.trail == (PROGRAM,)
    assert selection.nodes == {"optimizer"}
