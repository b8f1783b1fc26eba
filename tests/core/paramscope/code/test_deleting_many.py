"""Many nodes deleted at once: the graph is that of deleting them one after the other."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paramscope.code.commands import Delete
from paramscope.code.commands import remove as remove_module
from paramscope.code.graph import NodeKind
from paramscope.code.parse import analyze, parse
from paramscope.document.document import CommandRefused, Document, Layout, Point

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4)
        self.d = nn.Linear(4, 4)  # the last
        self.norm = nn.LayerNorm(4)
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x, mask=None):
        skip = x
        x = self.a(x)
        # in the middle
        x = torch.relu(self.norm(x))
        x = torch.tanh(self.b(x)) * self.scale
        y = self.c(x); z = y + x
        h = torch.cat([z, y], dim=-1)
        first, second = h.chunk(2, dim=-1)
        if mask is not None:
            first = first * mask
        x = first + second
        x = self.d(x)
        x = torch.sigmoid(x)
        return x + skip
"""
GRAPH = "Net"
KINDS = (NodeKind.OPERATION, NodeKind.MODULE, NodeKind.CODE, NodeKind.PARAMETER)
NODES = tuple(node.id for node in parse(SOURCE).graphs[GRAPH].nodes if node.kind in KINDS)
DOCUMENT = Document(
    SOURCE, Layout({f"{GRAPH}/{node}": Point(place, 0) for place, node in enumerate(NODES)})
)


def drawn(document: Document) -> tuple[object, ...]:
    """What is on the canvas of a document, and where: names of new variables may differ."""
    graph = parse(document.source).graphs[GRAPH]
    nodes = sorted((node.id, node.kind, node.title, len(node.inputs)) for node in graph.nodes)
    wires = sorted((wire.source, wire.target) for wire in graph.wires)
    members = [name for name in ("a", "b", "c", "d", "norm") if f"self.{name} " in document.source]
    return nodes, wires, members, sorted(document.layout.positions.items())


def outcome(command: Delete) -> Document | str:
    """The document after a command, or why it is refused."""
    try:
        return command.apply(DOCUMENT)
    except CommandRefused as refusal:
        return refusal.reason


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(nodes=st.sets(st.sampled_from(NODES), min_size=2), reconnect=st.booleans())
def test_the_graph_is_that_of_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, nodes: set[str], reconnect: bool
) -> None:
    command = Delete(GRAPH, tuple(sorted(nodes)), reconnect)
    at_once = outcome(command)
    with monkeypatch.context() as patch:
        patch.setattr(remove_module, "sweep", lambda *_: None)
        one_by_one = outcome(command)
    if isinstance(at_once, str) or isinstance(one_by_one, str):
        assert isinstance(at_once, str) == isinstance(one_by_one, str)
    else:
        assert drawn(at_once) == drawn(one_by_one)


def test_a_hundred_nodes_take_a_few_readings_of_the_source() -> None:
    lines = [f"        self.fc{place} = nn.Linear(4, 4)" for place in range(200)]
    calls = [f"        x = torch.relu(self.fc{place}(x))" for place in range(200)]
    head = "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
    source = "\n".join(
        [
            f"{head}    def __init__(self):\n        super().__init__()",
            *lines,
            "\n    def forward(self, x):",
            *calls,
            "        return x\n",
        ]
    )
    nodes = [node.id for node in analyze(source).drawings["Net"].graph.nodes]
    before = analyze.cache_info().misses
    began = time.process_time()
    after = Delete("Net", tuple(nodes[101:201])).apply(Document(source))
    assert analyze.cache_info().misses - before <= 4
    assert time.process_time() - began < 2.0
    assert "self.fc49(x)" in after.source
    assert "self.fc60" not in after.source
    assert "torch.relu(self.fc100(...))" in after.source
