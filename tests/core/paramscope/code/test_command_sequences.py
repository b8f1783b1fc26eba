"""Random sequences of commands with undo and redo, on documents of several styles."""

import warnings
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from paramscope.code.commands import (
    AddModule,
    AddOperation,
    AddTensor,
    Connect,
    Delete,
    Disconnect,
    InsertOnWire,
    MoveNodes,
    Register,
    RegisterBuffer,
    Rename,
    ReplaceText,
    SetArgument,
    Unregister,
)
from paramscope.code.graph import Graph, NodeKind, PortRef
from paramscope.code.parse import analyze, parse
from paramscope.document.document import Command, CommandRefused, Document, Layout, Point
from paramscope.document.history import History

CHAIN = '''\
"""A chain."""
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc1 = nn.Linear(2, width)  # in
        self.fc2 = nn.Linear(width, 1)

    def forward(self, x):
        # first
        x = self.fc1(x)
        x = torch.relu(x)

        return self.fc2(x)

def build():
    return Net()

def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)

def batch():
    return torch.randn(4, 2), torch.randn(4, 1)

def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
'''
BRANCHES = """\
import torch, torch.nn as nn, torch.nn.functional as F

class Block(nn.Module):
\tdef __init__(self, size):
\t\tsuper().__init__()
\t\tself.norm = nn.LayerNorm(size)
\t\tself.fc = nn.Linear(
\t\t\tsize,
\t\t\tsize,
\t\t)

\tdef forward(self, h, mask=None):
\t\ty = F.gelu(self.fc(self.norm(h)))
\t\treturn h + y

class Net(nn.Module):
\tdef __init__(self):
\t\tsuper().__init__()
\t\tself.a = Block(4); self.b = Block(4)
\t\tself.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
\t\tself.scale = nn.Parameter(torch.ones(4))
\t\tself.shift = torch.zeros(4, requires_grad=True)
\t\tself.register_buffer('mask', torch.ones(4))

\tdef forward(self, x, y=None):
\t\tu, v = self.a(x), self.b(x)
\t\tfor layer in self.layers:
\t\t\tu = layer(u)
\t\tw = torch.cat([u * self.scale, v], dim=-1)
\t\tif y is not None:
\t\t\tw = w + y
\t\tw += self.shift
\t\tself.last = w.detach()
\t\treturn w[:, :4] * self.mask, {'mean': w.mean(0)}
"""
WINDOWS = (
    "from torch.nn import Module, Linear, Sequential, ReLU\r\nimport torch\r\n\r\n\r\n"
    "class Größe(Module):\r\n    def __init__(self):\r\n        super().__init__()\r\n"
    "        self.netz = Sequential(Linear(2, 3), ReLU())  # äöü 😀\r\n"
    "        self.aus = Linear(3, 1)\r\n\r\n"
    "    def forward(self, x): y = self.netz(x); return self.aus(y)\r\n"
)
SOURCES = (CHAIN, BRANCHES, WINDOWS)
EXPRESSIONS = ("nn.Linear(4, 4)", "nn.ReLU()", "nn.Dropout(0.5)", "torch.nn.Tanh()")
OPERATIONS = ("torch.relu", "+", "@", "torch.cat", "torch.softmax(..., dim=-1)", "F.gelu", "...[0]")
NAMES = ("h", "out", "fc1", "x", "größe", "class", "1x", "scale", "self")
TEXTS = ("1", "2 * 3", "None", "width", "(1, 2)", "a b", "", "torch.float32")


def _ports(graph: Graph, inputs: bool) -> list[PortRef]:
    return [
        PortRef(node.id, port)
        for node in graph.nodes
        for port in range(len(node.inputs if inputs else node.outputs))
    ]


def _command(draw: st.DataObject, document: Document) -> Command:
    """A command that might fit the document, or might be refused."""
    program = parse(document.source)
    name = draw.draw(st.sampled_from(sorted(program.graphs)))
    graph = program.graphs[name]
    choices = [*_additions(name, graph), *_changes(name, graph)]
    typed = "# typed\r\n" if "\r" in document.source else "# typed\n"
    choices.append(st.builds(ReplaceText, st.just(document.source + typed)))
    arguments = [(node.id, item.name) for node in graph.nodes for item in node.arguments]
    if arguments:
        node, argument = draw.draw(st.sampled_from(arguments))
        text = st.one_of(st.none(), st.sampled_from(TEXTS))
        choices.append(
            st.builds(SetArgument, st.just(name), st.just(node), st.just(argument), text)
        )
    return draw.draw(st.one_of(choices))


def _additions(name: str, graph: Graph) -> list[st.SearchStrategy[Command]]:
    here, place = st.just(name), st.just(Point(1.0, 2.0))
    maybe = st.one_of(st.none(), st.sampled_from(_ports(graph, False) or [PortRef("none", 0)]))
    kinds = st.sampled_from([NodeKind.PARAMETER, NodeKind.BUFFER, NodeKind.TENSOR])
    found: list[st.SearchStrategy[Command]] = [
        st.builds(AddModule, here, st.sampled_from(EXPRESSIONS), st.none(), place, maybe),
        st.builds(AddOperation, here, st.sampled_from(OPERATIONS), place, maybe),
        st.builds(AddTensor, here, kinds, st.sampled_from(NAMES), st.just("torch.ones(4)")),
    ]
    if graph.wires:
        wire = st.sampled_from(graph.wires)
        text = st.sampled_from(EXPRESSIONS + OPERATIONS)
        found.append(st.builds(InsertOnWire, here, wire, text, place))
    return found


def _changes(name: str, graph: Graph) -> list[st.SearchStrategy[Command]]:
    here, place = st.just(name), st.just(Point(1.0, 2.0))
    node = st.sampled_from([node.id for node in graph.nodes] or ["none"])
    source = st.sampled_from(_ports(graph, False) or [PortRef("none", 0)])
    target = st.sampled_from(_ports(graph, True) or [PortRef("none", 0)])
    tensor = st.sampled_from([n.id for n in graph.nodes if n.path is not None] or ["none"])
    nodes = st.lists(node, min_size=1, max_size=3).map(tuple)
    found: list[st.SearchStrategy[Command]] = [
        st.builds(Connect, here, source, target),
        st.builds(Disconnect, here, target),
        st.builds(Delete, here, nodes, st.booleans()),
        st.builds(Rename, here, node, st.sampled_from(NAMES)),
        st.builds(MoveNodes, here, st.dictionaries(node, place, max_size=2)),
    ]
    if name:
        owner = st.just(name.partition(".")[0])
        found += [
            st.builds(command, owner, tensor) for command in (Register, Unregister, RegisterBuffer)
        ]
    return found


def _check(before: Document, command: Command, after: Document) -> None:
    """What must hold after any command, and after this one."""
    with warnings.catch_warnings():
        # `...[0]` is a hole in a place where Python says that it cannot run.
        warnings.simplefilter("ignore", SyntaxWarning)
        compile(after.source, "model.py", "exec")
    assert analyze.__wrapped__(after.source).program == parse(after.source)
    if "\r" in before.source:
        assert "\n" not in after.source.replace("\r\n", "")
    if isinstance(command, Connect):
        graph = parse(after.source).graphs[command.graph]
        given = next(
            n
            for n in parse(before.source).graphs[command.graph].nodes
            if n.id == command.source.node
        )
        taken = next(
            n
            for n in parse(before.source).graphs[command.graph].nodes
            if n.id == command.target.node
        )
        nodes = {node.id: node for node in graph.nodes}
        ends = {(nodes[w.source.node].title, nodes[w.target.node].title) for w in graph.wires}
        titles = {taken.title, taken.title.removesuffix("=")}
        assert any((given.title, title) in ends for title in titles) or taken.kind is NodeKind.CODE
    if isinstance(command, Rename):
        assert _shape(before) == _shape(after) or "rename" in command.label
    if isinstance(command, MoveNodes):
        assert after.source == before.source
    kept = [line for line in before.source.splitlines() if line.strip().startswith("# first")]
    assert all(line in after.source for line in kept)


def _shape(document: Document) -> list[tuple[int, int]]:
    program = parse(document.source)
    return sorted((len(g.nodes), len(g.wires)) for g in program.graphs.values())


def _run(draw: st.DataObject, steps: int) -> None:
    source = draw.draw(st.sampled_from(SOURCES))
    start = Document(source, Layout({"Net/fc1": Point(5, 5)}))
    history = History(start)
    states = [start]
    for _ in range(steps):
        before = history.document
        command = _command(draw, before)
        try:
            after = history.execute(command)
        except CommandRefused as refused:
            assert refused.reason and history.document == before
            continue
        if after != before:
            _check(before, command, after)
            states.append(after)
    for state in reversed(states[:-1]):
        assert history.undo() == state
    assert history.document.source == source
    for state in states[1:]:
        assert history.redo() == state


# Shrinking a sequence takes minutes and helps little: the commands of one are few anyway.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@given(st.data())
@settings(max_examples=30, deadline=None, phases=_PHASES, suppress_health_check=_QUIET)
def test_random_commands_undo_to_the_same_bytes(draw: st.DataObject) -> None:
    _run(draw, 8)


@pytest.mark.long
@given(st.data())
@settings(max_examples=1000, deadline=None, phases=_PHASES, suppress_health_check=_QUIET)
def test_a_thousand_random_sequences_undo_to_the_same_bytes(draw: st.DataObject) -> None:
    _run(draw, 15)


def test_the_commands_of_the_sequences_are_mostly_not_refused() -> None:
    """Guards the test above against testing refusals only."""
    counts: Counter[bool] = Counter()

    @given(st.data())
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=_QUIET,
    )
    def collect(draw: st.DataObject) -> None:
        document = Document(draw.draw(st.sampled_from(SOURCES)))
        for _ in range(4):
            try:
                document = _command(draw, document).apply(document)
                counts[True] += 1
            except CommandRefused:
                counts[False] += 1

    collect()
    assert counts[True] > 25
