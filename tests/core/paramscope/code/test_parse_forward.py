"""From the source of a class to its graph: nodes, wires, ids, members and holes."""

from textwrap import dedent

import pytest

from paramscope.code.graph import Graph, Node, NodeKind, Program, Span
from paramscope.code.parse import SourceError, parse

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"


def program(text: str) -> Program:
    return parse(HEAD + dedent(text).strip("\n") + "\n")


def forward(body: str, init: str = "", signature: str = "self, x") -> Graph:
    members = "".join(f"        {line}\n" for line in dedent(init).strip().splitlines())
    lines = "".join(f"        {line}\n" for line in dedent(body).strip("\n").splitlines())
    return parse(
        f"{HEAD}class Net(nn.Module):\n"
        f"    def __init__(self):\n        super().__init__()\n{members}\n"
        f"    def forward({signature}):\n{lines}"
    ).graphs["Net"]


def node(graph: Graph, key: str) -> Node:
    return next(node for node in graph.nodes if node.id == key)


def wires(graph: Graph) -> set[str]:
    """Wires as ``source.output->target.input``, by the names of ports."""
    nodes = {node.id: node for node in graph.nodes}
    return {
        f"{wire.source.node}.{nodes[wire.source.node].outputs[wire.source.port].name}"
        f"->{wire.target.node}.{nodes[wire.target.node].inputs[wire.target.port].name}"
        for wire in graph.wires
    }


def ids(graph: Graph) -> list[str]:
    return [node.id for node in graph.nodes]


def test_calls_of_members_are_modules_wired_in_a_chain() -> None:
    graph = forward(
        "x = self.fc1(x)\nx = torch.relu(x)\nreturn self.fc2(x)",
        "self.fc1 = nn.Linear(2, 3)\nself.fc2 = nn.Linear(3, 1)",
    )

    assert ids(graph) == ["x", "fc1", "relu", "fc2", "output"]
    assert wires(graph) == {
        "x.x->fc1.input",
        "fc1.x->relu.input",
        "relu.x->fc2.input",
        "fc2.output->output.output",
    }
    assert node(graph, "fc1").title == "Linear"
    assert node(graph, "fc1").path == "fc1"


def test_each_nested_call_is_a_node_with_its_own_span() -> None:
    graph = forward("return torch.relu(self.fc(x))", "self.fc = nn.Linear(2, 3)")

    line = node(graph, "relu").span
    assert line is not None
    assert line == Span(line.line, 15, line.line, 37)
    assert node(graph, "fc").span == Span(line.line, 26, line.line, 36)


def test_a_second_call_of_a_member_is_a_second_node_of_the_same_path() -> None:
    graph = forward("return self.fc(self.fc(x))", "self.fc = nn.Linear(2, 2)")

    assert ids(graph) == ["x", "fc", "fc#2", "output"]
    assert node(graph, "fc#2").path == "fc"


def test_operators_and_parameters_are_drawn() -> None:
    graph = forward(
        "return x @ self.weight + self.bias * 2",
        "self.weight = nn.Parameter(torch.randn(2, 3))\nself.bias = torch.zeros(3)",
    )

    assert node(graph, "weight").kind is NodeKind.PARAMETER
    assert node(graph, "bias").kind is NodeKind.TENSOR
    assert [node.title for node in graph.nodes][1:] == ["weight", "@", "bias", "×", "+", "output"]
    assert "weight.weight->matmul.other" in wires(graph)
    assert node(graph, "mul").arguments[0].text == "2"


def test_registered_buffers_and_parameters_are_members() -> None:
    graph = forward(
        "return x * self.mask + self.shift",
        "self.register_buffer('mask', torch.ones(3))\n"
        "self.register_parameter('shift', nn.Parameter(torch.zeros(3)))",
    )

    assert node(graph, "mask").kind is NodeKind.BUFFER
    assert node(graph, "shift").kind is NodeKind.PARAMETER


def test_a_member_that_is_never_called_has_no_span_and_an_open_input() -> None:
    graph = forward("return x", "self.fc = nn.Linear(2, 3)")

    assert node(graph, "fc").span is None
    assert [port.required for port in node(graph, "fc").inputs] == [True]
    assert node(graph, "fc").definition is not None


def test_a_loop_is_a_code_node_with_what_it_reads_and_writes() -> None:
    graph = forward(
        "for layer in self.layers:\n    x = layer(x)\nreturn x",
        "self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])",
    )

    loop = next(node for node in graph.nodes if node.kind is NodeKind.CODE)
    assert loop.title == "for layer in self.layers"
    assert loop.path == "layers"
    assert [port.name for port in loop.inputs] == ["x"]
    assert [port.name for port in loop.outputs] == ["x"]
    assert loop.text.startswith("for layer in self.layers:\n")
    assert wires(graph) == {"x.x->x#2.x", "x#2.x->output.output"}


def test_a_branch_takes_the_value_that_it_may_leave_as_it_is() -> None:
    graph = forward("h = torch.relu(x)\nif self.training:\n    h = x + 1\nreturn h")

    assert {"relu.h->h.h", "x.x->h.x", "h.h->output.output"} <= wires(graph)


def test_a_list_grown_in_a_loop_flows_on_from_the_loop() -> None:
    graph = forward("out = []\nfor i in range(3):\n    out.append(x * i)\nreturn torch.stack(out)")

    assert "out#2.out->stack.tensors" in wires(graph)


def test_an_operation_in_place_is_what_later_reads_see() -> None:
    graph = forward("h = x * 1.0\nh.add_(2)\nreturn h")

    assert "add.output->output.output" in wires(graph)


def test_tuples_are_unpacked_into_named_outputs() -> None:
    graph = forward("out, (h, c) = self.rnn(x)\nreturn out, h", "self.rnn = nn.LSTM(2, 3)")

    assert [port.name for port in node(graph, "rnn").outputs] == ["out", "h", "c"]
    assert [port.name for port in node(graph, "output").inputs] == ["output1", "output2"]
    assert {"rnn.out->output.output1", "rnn.h->output.output2"} <= wires(graph)


def test_a_dict_returned_names_the_outputs() -> None:
    graph = forward("return {'logits': x, 'hidden': torch.relu(x)}")

    assert [port.name for port in node(graph, "output").inputs] == ["logits", "hidden"]


def test_elements_of_a_list_argument_are_ports() -> None:
    graph = forward("return torch.cat([x, torch.relu(x)], dim=1)")

    assert [port.name for port in node(graph, "cat").inputs] == ["tensors[0]", "tensors[1]"]
    assert [(item.name, item.text) for item in node(graph, "cat").arguments] == [("dim", "1")]


def test_augmented_assignment_is_an_operation() -> None:
    graph = forward("x += torch.relu(x)\nreturn x")

    assert wires(graph) == {
        "x.x->relu.input",
        "x.x->add.input",
        "relu.output->add.other",
        "add.x->output.output",
    }


def test_methods_and_attributes_of_tensors_are_operations() -> None:
    graph = forward("return x.view(x.size(0), -1).T")

    assert [node.title for node in graph.nodes] == ["x", "size", "view", ".T", "output"]
    assert [(item.name, item.text) for item in node(graph, "view").arguments] == [("shape2", "-1")]


def test_ellipsis_is_a_hole_and_a_problem() -> None:
    source = forward("x = self.fc(...)\nreturn torch.add(x, ...)", "self.fc = nn.Linear(2, 3)")

    assert "x.x->fc.input" not in wires(source)
    problems = parse(
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc2 = nn.Linear(2, 3)\n\n    def forward(self, x):\n"
        "        return self.fc2(...)\n"
    ).problems
    assert [problem.message for problem in problems] == [
        "`fc2` has nothing on its input; connect a wire"
    ]
    assert problems[0].span == Span(12, 24, 12, 27)


def test_members_reached_through_containers_have_dotted_paths() -> None:
    graph = forward(
        "return self.blocks['a'](self.layers[0](x))",
        "self.layers = nn.ModuleList([nn.Linear(2, 3)])\n"
        "self.blocks = nn.ModuleDict({'a': nn.Tanh()})",
    )

    assert node(graph, "layers.0").title == "Linear"
    assert node(graph, "blocks.a").title == "Tanh"
    assert node(graph, "blocks.a").path == "blocks.a"


def test_a_class_of_the_file_can_be_entered() -> None:
    graphs = program("""
        class Block(nn.Module):
            def __init__(self, size, slope=0.1):
                super().__init__()
                self.fc = nn.Linear(size, size)

            def forward(self, h, mask=None):
                return self.fc(h)


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.block = Block(4)

            def forward(self, x):
                return self.block(x)
    """).graphs

    block = node(graphs["Net"], "block")
    assert block.scope == "Block"
    assert [(port.name, port.required) for port in block.inputs] == [("h", True), ("mask", False)]
    assert [(item.name, item.text, item.default) for item in block.arguments] == [
        ("size", "4", None),
        ("slope", "0.1", "0.1"),
    ]


def test_a_method_that_forward_calls_has_its_own_graph() -> None:
    graphs = program("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.mean = nn.Linear(4, 2)

            def encode(self, x):
                return self.mean(x)

            def forward(self, x):
                return self.encode(x)
    """).graphs

    assert node(graphs["Net"], "encode").scope == "Net.encode"
    assert ids(graphs["Net.encode"]) == ["x", "mean", "output"]


def test_members_of_a_base_class_are_members() -> None:
    graphs = program("""
        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 2)


        class Net(Base):
            def forward(self, x):
                return self.fc(x)
    """).graphs

    assert node(graphs["Net"], "fc").title == "Linear"


@pytest.mark.parametrize(
    "imports, base",
    [
        ("import torch", "torch.nn.Module"),
        ("from torch.nn import Module", "Module"),
        ("import torch.nn as layers", "layers.Module"),
        ("from torch.nn import *", "Module"),
        ("import gradcore.nn as nn", "nn.Module"),
        ("from gradcore import nn", "nn.Module"),
    ],
)
def test_module_is_known_under_every_alias(imports: str, base: str) -> None:
    source = f"{imports}\nclass Net({base}):\n    def forward(self, x):\n        return x\n"

    assert "Net" in parse(source).graphs


def test_a_class_that_is_no_module_has_no_graph() -> None:
    graphs = program("""
        class Config:
            def forward(self, x):
                return x


        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * x
    """).graphs

    assert list(graphs) == [""]


@pytest.mark.parametrize(
    "source, words",
    [
        ("def f(:\n    pass\n", "invalid syntax"),
        ("x = 1\0\n", "NUL"),
        ("x = '\ud800'\n", "surrogate"),
        ("x = " + "(" * 3000 + ")" * 3000, "nested"),
        ("x = " + "-" * 200_000 + "1", ""),
        ("class A:\n  x = 1\n y = 2\n", "indent"),
    ],
)
def test_what_is_not_python_is_a_source_error_with_a_place(source: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(source)

    assert words in str(caught.value)
    assert caught.value.span.line >= 1


def test_a_long_chain_of_operators_is_drawn_without_recursion() -> None:
    graph = forward("return " + " + ".join(["x"] * 400))

    assert graph.nodes[-1].id == "output"


def test_a_thousand_statements_have_a_thousand_nodes() -> None:
    graph = forward("x = torch.relu(x)\n" * 1000 + "return x")

    assert len(graph.nodes) == 1002
    assert node(graph, "relu#1000").title == "relu"
