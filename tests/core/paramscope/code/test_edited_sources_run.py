"""Sources after commands, run on gradcore: edits that mean nothing change no number."""

from typing import Any

import pytest

import gradcore
from edited_text import applied
from paramscope.code.commands import (
    AddModule,
    AddOperation,
    AddTensor,
    Connect,
    ConnectThrough,
    Delete,
    InsertOnWire,
    Register,
    Rename,
    SetArgument,
)
from paramscope.code.graph import NodeKind, PortRef
from paramscope.code.parse import parse
from paramscope.code.templates import empty_model, new_model
from paramscope.document.document import CommandRefused

SOURCE = """\
import gradcore as torch
from gradcore import nn


class Block(nn.Module):
    def __init__(self, size, slope=0.1):
        super().__init__()
        self.fc = nn.Linear(size, size)
        self.scale = nn.Parameter(torch.full((size,), 0.5))

    def forward(self, h):
        y = torch.tanh(self.fc(h)) * self.scale
        return h + y


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.inner = Block(width)
        self.head = nn.Linear(2 * width, 2)
        self.shift = torch.linspace(0.0, 1.0, width)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        a = self.inner(a)
        a += self.shift
        x = torch.cat([a, torch.relu(b)], dim=1)
        for _ in range(2):
            x = x * 0.9
        return self.head(x)


def build():
    return Net()
"""


def output(source: str) -> Any:
    """What the model of a source gives for fixed weights and a fixed input."""
    names: dict[str, Any] = {}
    gradcore.manual_seed(0)
    exec(compile(source, "model.py", "exec"), names)
    model = names["build"]()
    gradcore.manual_seed(1)
    return model(gradcore.randn(3, 8)).tolist()


def _nodes(graph: str) -> list[str]:
    return [node.id for node in parse(SOURCE).graphs[graph].nodes]


@pytest.mark.parametrize("graph", ["Net", "Block"])
def test_renaming_changes_no_number(graph: str) -> None:
    wanted = output(SOURCE)
    done = 0
    for node in _nodes(graph):
        try:
            renamed = applied(SOURCE, Rename(graph, node, "renamed"))
        except CommandRefused:
            continue
        assert renamed != SOURCE
        assert output(renamed) == wanted
        done += 1
    assert done >= 5


@pytest.mark.parametrize("graph", ["Net", "Block"])
def test_an_identity_in_a_wire_changes_no_number_and_can_be_taken_out(graph: str) -> None:
    wanted = output(SOURCE)
    done = 0
    for wire in parse(SOURCE).graphs[graph].wires:
        try:
            source = applied(SOURCE, InsertOnWire(graph, wire, "nn.Identity()"))
        except CommandRefused:
            continue
        assert output(source) == wanted
        assert output(applied(source, Delete(graph, ("identity",), reconnect=True))) == wanted
        done += 1
    assert done >= 6


@pytest.mark.parametrize("graph", ["Net", "Block"])
def test_laying_a_wire_where_it_is_changes_nothing(graph: str) -> None:
    for wire in parse(SOURCE).graphs[graph].wires:
        assert applied(SOURCE, Connect(graph, wire.source, wire.target)) == SOURCE


def test_a_branch_that_nobody_reads_changes_no_number() -> None:
    wanted = output(SOURCE)
    for node in parse(SOURCE).graphs["Net"].nodes:
        for port in range(len(node.outputs)):
            if node.id in ("head", "output"):
                continue
            command = AddOperation("Net", "torch.abs", connect_from=PortRef(node.id, port))
            assert output(applied(SOURCE, command)) == wanted


def test_a_model_composed_by_commands_trains() -> None:
    source = applied(
        on_gradcore(empty_model().source),
        AddModule("Net", "nn.Linear(2, 8)", connect_from=PortRef("x", 0)),
        AddOperation("Net", "torch.tanh", connect_from=PortRef("fc", 0)),
        AddModule("Net", "nn.Linear(8, 1)", connect_from=PortRef("tanh", 0)),
        AddTensor("Net", NodeKind.TENSOR, "scale", "torch.ones(1)"),
        Register("Net", "scale"),
        AddOperation("Net", "*", connect_from=PortRef("fc2", 0)),
        Connect("Net", PortRef("scale", 0), PortRef("mul", 1)),
        SetArgument("", "optimizer", "lr", "0.1"),
    )

    assert _losses(source, 200)[-1] < 0.05


def test_the_new_model_trains_as_it_is() -> None:
    losses = _losses(on_gradcore(new_model().source), 150)

    assert losses[-1] < 0.7 * losses[0]


def test_a_wire_laid_through_flatten_runs() -> None:
    source = SOURCE.replace("return self.head(x)", "return self.head(...)")
    through = ConnectThrough("Net", PortRef("x#2", 0), PortRef("head", 0), "nn.Flatten()")

    assert output(applied(source, through)) == output(SOURCE)


def on_gradcore(source: str) -> str:
    """The source with gradcore in PyTorch's place."""
    return source.replace("import torch\nfrom torch", "import gradcore as torch\nfrom gradcore")


def _losses(source: str, steps: int) -> list[float]:
    names: dict[str, Any] = {}
    gradcore.manual_seed(0)
    exec(compile(source, "model.py", "exec"), names)
    model = names["build"]()
    optimizer = names["optimizer"](model)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = names["loss"](model, *names["batch"]())
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses
