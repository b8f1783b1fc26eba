"""An nn.Sequential as a graph of its own, and editing it in its list."""

import pytest

from edited_text import applied
from paramscope.code.commands import (
    AddModule,
    AddOperation,
    Connect,
    Delete,
    InsertOnWire,
    Rename,
    SetArgument,
)
from paramscope.code.graph import PortRef, Wire
from paramscope.code.parse import parse
from paramscope.document.document import Command, CommandRefused, Document, Layout, Point

BUILT = (
    "from torch import nn\n\n\ndef build():\n"
    "    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))\n"
)
MEMBER = (
    "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.layers = nn.Sequential(\n"
    "            nn.Linear(6, 16),  # wide\n            nn.Sequential(nn.ReLU(), nn.Tanh()),\n"
    "        )\n\n    def forward(self, x):\n        return self.layers(x)\n"
)


def test_a_sequential_that_build_returns_is_a_graph() -> None:
    program = parse(BUILT)
    graph = program.graphs["build.model"]

    assert program.graphs[""].nodes[0].scope == "build.model"
    assert [(n.id, n.title, n.path) for n in graph.nodes] == [
        ("input", "input", None),
        ("0", "Linear", "0"),
        ("1", "ReLU", "1"),
        ("2", "Linear", "2"),
        ("output", "output", None),
    ]
    assert [(w.source.node, w.target.node) for w in graph.wires] == [
        ("input", "0"),
        ("0", "1"),
        ("1", "2"),
        ("2", "output"),
    ]


def test_a_sequential_in_a_sequential_is_entered_from_there() -> None:
    graphs = parse(MEMBER).graphs

    assert next(n for n in graphs["Net"].nodes if n.id == "layers").scope == "Net.layers"
    assert next(n for n in graphs["Net.layers"].nodes if n.id == "1").scope == "Net.layers.1"
    assert [n.title for n in graphs["Net.layers.1"].nodes] == ["input", "ReLU", "Tanh", "output"]


def test_a_module_is_added_at_the_end_or_behind_another() -> None:
    graph = "build.model"

    assert "nn.Linear(16, 3), nn.Tanh())" in applied(BUILT, AddModule(graph, "nn.Tanh()"))
    assert "nn.ReLU(), nn.Tanh(), nn.Linear(16, 3))" in applied(
        BUILT, AddModule(graph, "nn.Tanh()", connect_from=PortRef("1", 0))
    )
    assert "(nn.Tanh(), nn.Linear(6, 16)" in applied(
        BUILT, InsertOnWire(graph, Wire(PortRef("input", 0), PortRef("0", 0)), "nn.Tanh()")
    )


def test_a_list_over_several_lines_keeps_its_form() -> None:
    behind = AddModule("Net.layers", "nn.Tanh()", connect_from=PortRef("0", 0))
    end = AddModule("Net.layers", "nn.Tanh()")

    assert applied(MEMBER, behind) == MEMBER.replace("# wide\n", "# wide\n            nn.Tanh(),\n")
    assert applied(MEMBER, end) == MEMBER.replace(
        "nn.Tanh()),\n", "nn.Tanh()),\n            nn.Tanh(),\n"
    )
    assert applied(MEMBER, Delete("Net.layers", ("0",))) == MEMBER.replace(
        "            nn.Linear(6, 16),  # wide\n", ""
    )


def test_places_follow_the_elements() -> None:
    places = {"build.model/1": Point(1, 0), "build.model/2": Point(2, 0)}
    document = Document(BUILT, Layout(places))
    added = AddModule("build.model", "nn.Tanh()", connect_from=PortRef("0", 0)).apply(document)
    deleted = Delete("build.model", ("0",)).apply(document)

    assert added.layout.positions == {"build.model/2": Point(1, 0), "build.model/3": Point(2, 0)}
    assert deleted.layout.positions == {"build.model/0": Point(1, 0), "build.model/1": Point(2, 0)}


def test_arguments_of_elements_are_set_in_the_list() -> None:
    assert "nn.Linear(6, 32)" in applied(
        BUILT, SetArgument("build.model", "0", "out_features", "32")
    )


@pytest.mark.parametrize(
    "command",
    [
        Connect("build.model", PortRef("0", 0), PortRef("2", 0)),
        AddOperation("build.model", "torch.relu"),
        Rename("build.model", "0", "first"),
        Delete("build.model", ("input",)),
        Delete("build.model", ("0", "1", "2")),
    ],
)
def test_what_a_list_cannot_say_is_refused(command: Command) -> None:
    with pytest.raises(CommandRefused, match=r"nn\.Sequential"):
        command.apply(Document(BUILT))


def test_places_follow_the_name_of_the_sequential() -> None:
    document = Document(MEMBER, Layout({"Net.layers/0": Point(1, 0), "Net/layers": Point(2, 0)}))
    renamed = Rename("Net", "layers", "body").apply(document)

    assert renamed.layout.positions == {"Net.body/0": Point(1, 0), "Net/body": Point(2, 0)}
