"""Each command on a small document: the lines it writes, and all else byte for byte."""

import pytest

from edited_text import MLP, applied, net, port, refusal, wire
from paramscope.code.commands import (
    AddModule,
    AddOperation,
    AddTensor,
    Connect,
    ConnectThrough,
    Disconnect,
    InsertOnWire,
    Rename,
)
from paramscope.code.graph import NodeKind, PortRef
from paramscope.code.parse import parse
from paramscope.document.document import Document, Point

# Adding


def test_a_new_layer_stands_behind_the_others() -> None:
    assert applied(MLP, AddModule("Net", "nn.Dropout(0.5)")) == MLP.replace(
        "(width, 1)\n", "(width, 1)\n        self.dropout = nn.Dropout(0.5)\n"
    )


def test_a_new_layer_has_a_name_of_its_own() -> None:
    source = applied(MLP, AddModule("Net", "nn.Linear(1, 1)"), AddModule("Net", "nn.Linear(1, 1)"))

    assert "self.fc = nn.Linear(1, 1)\n        self.fc3 = nn.Linear(1, 1)\n" in source


def test_a_layer_added_behind_the_last_one_feeds_the_output() -> None:
    source = applied(MLP, AddModule("Net", "nn.ReLU()", connect_from=port("fc2")))

    assert source == MLP.replace(
        "(width, 1)\n", "(width, 1)\n        self.relu = nn.ReLU()\n"
    ).replace(
        "        return self.fc2(h)\n",
        "        h = self.fc2(h)\n        h = self.relu(h)\n        return h\n",
    )


def test_layers_added_one_behind_the_other_make_a_chain() -> None:
    source = applied(
        net("", "return x"),
        AddModule("Net", "nn.Linear(2, 8)", connect_from=port("x")),
        AddOperation("Net", "torch.tanh", connect_from=port("fc")),
        AddModule("Net", "nn.Linear(8, 1)", connect_from=port("tanh")),
    )

    assert source == net(
        "self.fc = nn.Linear(2, 8)\nself.fc2 = nn.Linear(8, 1)",
        "x = self.fc(x)\nx = torch.tanh(x)\nx = self.fc2(x)\nreturn x",
    )


def test_a_layer_added_to_a_value_in_use_is_a_branch() -> None:
    source = applied(MLP, AddModule("Net", "nn.Linear(2, 1)", "skip", connect_from=port("x")))

    assert "        h2 = self.skip(x)\n        return self.fc2(h)\n" in source


def test_new_code_is_written_as_the_file_writes_it() -> None:
    head = "import torch.nn as layers\nfrom torch.nn import Parameter\n"
    source = net("", "return x", head).replace("nn.Module", "layers.Module")

    added = applied(
        source,
        AddModule("Net", "nn.Linear(2, 3)"),
        AddTensor("Net", NodeKind.PARAMETER, "scale", "torch.ones(3)"),
    )
    assert "self.fc = layers.Linear(2, 3)\n" in added
    assert "self.scale = Parameter(torch.ones(3))\n" in added
    assert added.startswith(head + "import torch\n")


def test_an_import_is_added_where_one_is_missing() -> None:
    source = "import math\n\nfrom torch.nn import Module\n\n\nclass Net(Module):\n    pass\n"

    assert applied(source, AddModule("Net", "nn.Tanh()")) == (
        "import math\n\nfrom torch.nn import Module\nfrom torch import nn\n\n\n"
        "class Net(Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.tanh = nn.Tanh()\n"
    )


def test_gradcore_is_imported_where_gradcore_is_used() -> None:
    source = net("", "return x", "from gradcore import nn\n")
    added = applied(source, AddOperation("Net", "torch.relu", connect_from=port("x")))

    assert added.startswith("from gradcore import nn\nimport gradcore as torch\n")


@pytest.mark.parametrize(
    "text, line",
    [
        ("torch.relu", "h = torch.relu(...)"),
        ("relu", "h = torch.relu(...)"),
        ("+", "h = ... + ..."),
        ("torch.cat", "h = torch.cat([..., ...])"),
        ("softmax", "h = torch.softmax(..., dim=-1)"),
        ("torch.sum(..., dim=1)", "h = torch.sum(..., dim=1)"),
    ],
)
def test_an_operation_that_is_not_wired_has_holes(text: str, line: str) -> None:
    source = applied(net("", "return x"), AddOperation("Net", text))

    assert source == net("", f"{line}\nreturn x")


@pytest.mark.parametrize(
    "kind, line",
    [
        (NodeKind.PARAMETER, "self.w = nn.Parameter(torch.ones(3))"),
        (NodeKind.BUFFER, 'self.register_buffer("w", torch.ones(3))'),
        (NodeKind.TENSOR, "self.w = torch.ones(3)"),
    ],
)
def test_a_tensor_is_added_as_what_it_is(kind: NodeKind, line: str) -> None:
    source = applied(net("", "return x"), AddTensor("Net", kind, "w", "torch.ones(3)"))

    assert source == net(line, "return x")
    assert next(n for n in parse(source).graphs["Net"].nodes if n.id == "w").kind is kind


def test_a_tensor_added_to_the_canvas_can_be_wired() -> None:
    source = applied(
        net("", "return x"),
        AddTensor("Net", NodeKind.PARAMETER, "w", "torch.ones(3)"),
        AddOperation("Net", "*", connect_from=port("x")),
        Connect("Net", port("w"), port("mul.1")),
    )

    assert source == net("self.w = nn.Parameter(torch.ones(3))", "x = x * self.w\nreturn x")


@pytest.mark.parametrize(
    "name, words",
    [
        ("1a", "not a Python name"),
        ("for", "a word of Python's own"),
        ("fc1", "has a `fc1` already"),
        ("forward", "that every Module has"),
        ("a b", "not a Python name"),
        ("parameters", "that every Module has"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, words: str) -> None:
    assert words in refusal(MLP, AddModule("Net", "nn.ReLU()", name))
    assert words in refusal(MLP, Rename("Net", "fc2", name))


def test_what_makes_no_module_is_refused() -> None:
    assert "makes no Module" in refusal(MLP, AddModule("Net", "torch.relu"))
    assert "not a Python expression" in refusal(MLP, AddModule("Net", "nn.Linear(2,"))
    assert "enter the model first" in refusal(MLP, AddModule("", "nn.ReLU()"))
    assert "cannot contain itself" in refusal(MLP, AddModule("Net", "Net()"))


def test_a_position_goes_with_the_new_node() -> None:
    document = AddModule("Net", "nn.ReLU()", position=Point(3, 4)).apply(Document(MLP))

    assert document.layout.positions == {"Net/relu": Point(3, 4)}


# Wires


def test_connecting_replaces_what_the_input_had() -> None:
    assert applied(MLP, Connect("Net", port("x"), port("fc2"))) == MLP.replace(
        "self.fc2(h)", "self.fc2(x)"
    )


def test_a_wire_taken_off_one_input_and_put_on_another_is_one_command() -> None:
    source = net("", "a = torch.relu(x)\nb = torch.tanh(...)\nreturn a + b")

    assert applied(source, Connect("Net", port("x"), port("tanh"), port("relu"))) == net(
        "", "a = torch.relu(...)\nb = torch.tanh(x)\nreturn a + b"
    )


def test_connecting_a_nested_value_gives_it_a_variable() -> None:
    assert applied(MLP, Connect("Net", port("fc1"), port("fc2"))) == MLP.replace(
        "        h = torch.tanh(self.fc1(x))\n        return self.fc2(h)\n",
        "        x = self.fc1(x)\n        h = torch.tanh(x)\n        return self.fc2(x)\n",
    )


def test_a_value_that_was_overwritten_gets_a_second_name() -> None:
    source = net("self.a = nn.Linear(2, 2)", "x = self.a(x)\nx = torch.relu(x)\nreturn x + ...")

    assert applied(source, Connect("Net", port("x"), port("add.1"))) == net(
        "self.a = nn.Linear(2, 2)",
        "x_in = x\nx = self.a(x)\nx = torch.relu(x)\nreturn x + x_in",
    )
    assert applied(source, Connect("Net", port("a"), port("add.1"))) == net(
        "self.a = nn.Linear(2, 2)",
        "x = self.a(x)\nx_a = x\nx = torch.relu(x)\nreturn x + x_a",
    )


def test_lines_change_places_where_the_value_comes_later() -> None:
    source = net("", "a = torch.relu(...)\nb = a + 1\n# about c\nc = torch.tanh(x)\nreturn b * c")

    assert applied(source, Connect("Net", port("tanh"), port("relu"))) == net(
        "", "# about c\nc = torch.tanh(x)\na = torch.relu(c)\nb = a + 1\nreturn b * c"
    )


def test_lines_whose_variable_is_used_twice_do_not_change_places() -> None:
    source = net("", "h = torch.relu(...)\ny = h + 1\nh = torch.tanh(x)\nreturn h * y")

    assert "used twice" in refusal(source, Connect("Net", port("tanh"), port("relu")))


def test_a_circle_is_refused() -> None:
    assert "close a circle" in refusal(MLP, Connect("Net", port("fc2"), port("fc1")))
    assert "close a circle" in refusal(MLP, Connect("Net", port("fc1"), port("fc1")))


def test_connecting_to_a_layer_that_is_never_called_calls_it() -> None:
    source = net("self.a = nn.Linear(2, 2)\nself.b = nn.Linear(2, 2)", "return self.a(x)")

    called = applied(source, Connect("Net", port("a"), port("b")))
    assert called == net(
        "self.a = nn.Linear(2, 2)\nself.b = nn.Linear(2, 2)",
        "x = self.a(x)\nh = self.b(x)\nreturn x",
    )
    assert applied(called, Connect("Net", port("b"), port("output"))) == called.replace(
        "return x", "return h"
    )


def test_a_layer_that_is_never_called_can_be_the_source() -> None:
    source = net("self.a = nn.Linear(2, 2)\nself.b = nn.Linear(2, 2)", "return self.a(x)")

    assert applied(source, Connect("Net", port("b"), port("output"))) == net(
        "self.a = nn.Linear(2, 2)\nself.b = nn.Linear(2, 2)",
        "h = self.b(...)\nh2 = self.a(x)\nreturn h",
    )


def test_an_optional_input_is_given_by_name() -> None:
    source = net("self.rnn = nn.RNN(2, 3)", "out, h = self.rnn(x)\nreturn out").replace(
        "self, x", "self, x, state"
    )

    connected = applied(source, Connect("Net", port("state"), port("rnn.1")))
    assert "self.rnn(x, state)" in connected
    assert applied(connected, Disconnect("Net", port("rnn.1"))) == source


def test_disconnecting_leaves_a_hole_and_keeps_what_fed_it() -> None:
    assert applied(MLP, Disconnect("Net", port("fc2"))) == MLP.replace("fc2(h)", "fc2(...)")
    assert applied(MLP, Disconnect("Net", port("tanh"))) == MLP.replace(
        "        h = torch.tanh(self.fc1(x))\n",
        "        x = self.fc1(x)\n        h = torch.tanh(...)\n",
    )


def test_a_receiver_and_an_operand_can_be_disconnected() -> None:
    source = net("", "h = x.relu()\nh = h + x\nh += x\nreturn h")

    assert "h = (...).relu()" in applied(source, Disconnect("Net", port("relu")))
    assert "h = h + ..." in applied(source, Disconnect("Net", port("add.1")))
    assert "h = ... + (x)" in applied(source, Disconnect("Net", port("add#2.0")))


def test_code_that_reads_a_name_can_be_given_another_value() -> None:
    source = net("", "h = torch.relu(x)\nfor i in range(3):\n    h = h + x\nreturn h")

    loop = next(n.id for n in parse(source).graphs["Net"].nodes if n.kind is NodeKind.CODE)
    names = [
        p.name for p in next(n for n in parse(source).graphs["Net"].nodes if n.id == loop).inputs
    ]
    target = PortRef(loop, names.index("x"))
    assert "    h = h + h\n" not in source
    assert "            h = h + " in applied(source, Connect("Net", port("relu"), target))


def test_a_node_is_inserted_into_a_wire() -> None:
    assert applied(MLP, InsertOnWire("Net", wire("tanh", "fc2"), "nn.Dropout(0.1)")) == MLP.replace(
        "(width, 1)\n", "(width, 1)\n        self.dropout = nn.Dropout(0.1)\n"
    ).replace("self.fc2(h)", "self.fc2(self.dropout(h))")
    assert applied(MLP, InsertOnWire("Net", wire("fc2", "output"), "torch.sigmoid")) == (
        MLP.replace("return self.fc2(h)", "return torch.sigmoid(self.fc2(h))")
    )


def test_a_node_inserted_before_a_plain_return_has_its_own_line() -> None:
    source = net("", "x = torch.relu(x)\nreturn x")

    assert applied(source, InsertOnWire("Net", wire("relu", "output"), "torch.tanh")) == net(
        "", "x = torch.relu(x)\nx = torch.tanh(x)\nreturn x"
    )


def test_a_node_is_inserted_before_code() -> None:
    source = net("", "x = torch.relu(x)\nfor i in range(3):\n    x = x * 2\nreturn x")
    code = next(n.id for n in parse(source).graphs["Net"].nodes if n.kind is NodeKind.CODE)

    assert "x = torch.relu(x)\n        x = torch.tanh(x)\n        for i" in applied(
        source, InsertOnWire("Net", wire("relu", code), "torch.tanh")
    )


def test_a_wire_can_be_laid_through_a_new_node() -> None:
    source = net("self.fc = nn.Linear(4, 2)", "return self.fc(...)")

    assert applied(source, ConnectThrough("Net", port("x"), port("fc"), "nn.Flatten()")) == net(
        "self.fc = nn.Linear(4, 2)\nself.flatten = nn.Flatten()",
        "return self.fc(self.flatten(x))",
    )
