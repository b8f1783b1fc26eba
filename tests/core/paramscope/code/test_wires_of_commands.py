"""What a command does to the wires: the one it means, and no other.

Each node is given a place of its own; places follow the nodes, so that nodes are known again
after the command, whatever their ids are then.
"""

from collections.abc import Iterator

import pytest

from paramscope.code.commands import (
    AddModule,
    AddOperation,
    Connect,
    Delete,
    Disconnect,
    InsertOnWire,
    Rename,
)
from paramscope.code.graph import Graph, Node, NodeKind, PortRef, Wire
from paramscope.code.parse import parse
from paramscope.document.document import Command, CommandRefused, Document, Layout, Point

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
CHAIN = (
    HEAD
    + """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2, 8)
        self.fc2 = nn.Linear(8, 8)
        self.spare = nn.Linear(8, 1)

    def forward(self, x):
        x = self.fc1(x)
        x = torch.relu(x)
        x = self.fc2(x)
        x = torch.relu(x)
        return x
"""
)
NESTED = (
    HEAD
    + """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, h, mask=None):
        y = F.gelu(self.fc(self.norm(h))) * self.scale
        if mask is not None:
            y = y * mask
        y += h
        return torch.cat([y, self.fc(h.relu())], dim=-1), y.mean()
"""
)
SEVERAL = (
    HEAD
    + """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        out, (h, c) = self.rnn(x)
        steps = []
        for t in range(3):
            steps.append(self.head(out[t]))
        a, b = h + c, torch.stack(steps)
        self.last = a.detach()
        return {"a": a, "b": b - a}
"""
)
SOURCES = (CHAIN, NESTED, SEVERAL)
Known = tuple[int, int, int, str]  # giver, its port, taker, the taker's input


class Placed:
    """A document whose nodes of one graph each have a place, and their wires by place."""

    def __init__(self, source: str) -> None:
        self.graph = parse(source).graphs["Net"]
        self.numbers = {node.id: number for number, node in enumerate(self.graph.nodes)}
        places = {f"Net/{key}": Point(n, 0) for key, n in self.numbers.items()}
        self.document = Document(source, Layout(places))
        self.wires = _wires(self.graph, self.numbers)

    def after(self, command: Command) -> tuple[set[Known], set[int], Graph, dict[str, int]] | None:
        """Wires, living nodes, graph and numbers after a command; None if it is refused."""
        try:
            document = command.apply(self.document)
        except CommandRefused:
            return None
        graph = parse(document.source).graphs["Net"]
        ids = {node.id for node in graph.nodes}
        numbers = {
            key.partition("/")[2]: int(place.x)
            for key, place in document.layout.positions.items()
            if key.partition("/")[2] in ids
        }
        return _wires(graph, numbers), set(numbers.values()), graph, numbers

    def known(self, wire: Wire) -> Known:
        """A wire of the document by the numbers of its nodes."""
        return _known(wire, {n.id: n for n in self.graph.nodes}, self.numbers)


def _known(wire: Wire, nodes: dict[str, Node], numbers: dict[str, int]) -> Known:
    name = nodes[wire.target.node].inputs[wire.target.port].name
    return (
        numbers.get(wire.source.node, -1),
        wire.source.port,
        numbers.get(wire.target.node, -1),
        name,
    )


def _wires(graph: Graph, numbers: dict[str, int]) -> set[Known]:
    nodes = {node.id: node for node in graph.nodes}
    return {_known(wire, nodes, numbers) for wire in graph.wires}


def _ports(graph: Graph) -> Iterator[PortRef]:
    return (PortRef(n.id, port) for n in graph.nodes for port in range(len(n.outputs)))


def _old(wires: set[Known]) -> set[Known]:
    return {wire for wire in wires if wire[0] >= 0 and wire[2] >= 0}


@pytest.mark.parametrize("source", SOURCES)
def test_connecting_lays_one_wire_and_takes_one_off(source: str) -> None:
    placed = Placed(source)
    done = 0
    for giver in _ports(placed.graph):
        for node in placed.graph.nodes:
            for port, item in enumerate(node.inputs):
                if node.kind is NodeKind.CODE and item.name != "value":
                    continue  # a name in its text is replaced, and the port's name with it
                found = placed.after(Connect("Net", giver, PortRef(node.id, port)))
                if found is None:
                    continue
                taker = placed.numbers[node.id]
                kept = {w for w in placed.wires if (w[2], w[3]) != (taker, item.name)}
                new = (placed.numbers[giver.node], giver.port, taker, item.name)
                assert found[0] == kept | {new}
                assert found[1] == set(placed.numbers.values())
                done += 1
    assert done > 10


@pytest.mark.parametrize("source", SOURCES)
def test_disconnecting_takes_one_wire_off(source: str) -> None:
    placed = Placed(source)
    done = 0
    for wire in placed.graph.wires:
        found = placed.after(Disconnect("Net", wire.target))
        if found is not None:
            assert found[0] == placed.wires - {placed.known(wire)}
            assert found[1] == set(placed.numbers.values())
            done += 1
    assert done >= len(placed.graph.wires) // 2


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("expression", ["nn.Tanh()", "torch.sigmoid"])
def test_inserting_goes_into_one_wire(source: str, expression: str) -> None:
    placed = Placed(source)
    done = 0
    for wire in placed.graph.wires:
        found = placed.after(InsertOnWire("Net", wire, expression))
        if found is not None:
            one = placed.known(wire)
            code = {w for w in placed.wires if w[2] == one[2]} if wire.span is None else set()
            assert _old(found[0]) == placed.wires - {one} - code or one[3] == "value"
            assert (one[0], one[1], -1, "input") in found[0]
            assert any(w[0] == -1 and w[2:] == one[2:] for w in found[0])
            assert found[1] == set(placed.numbers.values())
            done += 1
    assert done >= len(placed.graph.wires) // 2


@pytest.mark.parametrize("source", SOURCES)
def test_deleting_takes_off_the_wires_of_one_node(source: str) -> None:
    placed = Placed(source)
    done = 0
    for node in placed.graph.nodes:
        found = placed.after(Delete("Net", (node.id,)))
        if found is not None:
            number = placed.numbers[node.id]
            assert found[0] == {w for w in placed.wires if number not in (w[0], w[2])}
            assert found[1] == set(placed.numbers.values()) - {number}
            done += 1
    assert done >= 4


@pytest.mark.parametrize("source", SOURCES)
def test_deleting_with_reconnection_joins_first_input_and_outputs(source: str) -> None:
    placed = Placed(source)
    for node in placed.graph.nodes:
        number = placed.numbers[node.id]
        into = [w for w in placed.graph.wires if w.target.node == node.id]
        if node.kind is NodeKind.CODE or len(node.outputs) != 1 or not into:
            continue
        found = placed.after(Delete("Net", (node.id,), reconnect=True))
        if found is None:
            continue
        first = placed.known(min(into, key=lambda wire: wire.target.port))
        kept = {w for w in placed.wires if number not in (w[0], w[2])}
        joined = {(first[0], first[1], w[2], w[3]) for w in placed.wires if w[0] == number}
        assert found[0] == kept | joined or len(into) > 1
        assert number not in found[1]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("command", [AddModule, AddOperation])
def test_a_node_added_behind_another_takes_its_value(source: str, command: type) -> None:
    placed = Placed(source)
    for giver in _ports(placed.graph):
        text = "nn.Tanh()" if command is AddModule else "torch.sigmoid"
        found = placed.after(command("Net", text, connect_from=giver))
        if found is None:
            continue
        number = placed.numbers[giver.node]
        mine = {w for w in placed.wires if w[:2] == (number, giver.port)}
        output = placed.numbers["output"]
        rest = _old(found[0])
        assert (number, giver.port, -1, "input") in found[0]
        assert rest == placed.wires or (
            rest == placed.wires - mine and len(mine) == 1 and {w[2] for w in mine} == {output}
        )
        assert found[1] == set(placed.numbers.values())


@pytest.mark.parametrize("source", SOURCES)
def test_renaming_keeps_all_wires(source: str) -> None:
    placed = Placed(source)
    done = 0
    for node in placed.graph.nodes:
        found = placed.after(Rename("Net", node.id, "renamed"))
        if found is not None:
            ends = {w[:3] for w in found[0]}
            assert ends == {w[:3] for w in placed.wires}
            assert found[1] == set(placed.numbers.values())
            done += 1
    assert done >= 3
