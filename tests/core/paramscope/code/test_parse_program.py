"""The top level of a document, and parsing what is not written for us."""

import ast
import glob
import importlib.util
import time
from pathlib import Path

import pytest

from paramscope.code.graph import Graph, Node, NodeKind, Span
from paramscope.code.parse import SourceError, analyze, parse
from paramscope.code.templates import empty_model, new_model

DOCUMENT = """\
import torch
from torch import nn

rate = 0.1


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc = nn.Linear(2, width)

    def forward(self, x):
        return self.fc(x)


def build():
    model = Net(width=4)
    return model


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)


def batch():
    return torch.randn(4, 2), torch.randn(4, 4)


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)


def accuracy(model):
    return 1.0
"""


def node(graph: Graph, key: str) -> Node:
    return next(node for node in graph.nodes if node.id == key)


def test_the_program_is_data_model_loss_and_optimizer() -> None:
    graph = parse(DOCUMENT).graphs[""]

    assert [(n.id, n.kind, n.title) for n in graph.nodes] == [
        ("data", NodeKind.DATA, "batch()"),
        ("model", NodeKind.MODEL, "Net"),
        ("loss", NodeKind.LOSS, "mse_loss"),
        ("optimizer", NodeKind.OPTIMIZER, "SGD"),
        ("rate", NodeKind.CODE, "rate = 0.1"),
        ("accuracy", NodeKind.CODE, "accuracy()"),
    ]
    assert {(w.source.node, w.target.node, w.target.port) for w in graph.wires} == {
        ("model", "loss", 0),
        ("data", "loss", 1),
        ("data", "loss", 2),
        ("model", "optimizer", 0),
        ("rate", "optimizer", 1),
    }


def test_the_model_is_the_class_that_build_makes() -> None:
    program = parse(DOCUMENT)

    assert program.model == "Net"
    assert node(program.graphs[""], "model").scope == "Net"
    assert [(a.name, a.text) for a in node(program.graphs[""], "model").arguments] == [
        ("width", "4")
    ]


def test_the_optimizer_shows_its_arguments_with_their_places() -> None:
    arguments = node(parse(DOCUMENT).graphs[""], "optimizer").arguments

    assert [(a.name, a.text) for a in arguments] == [("lr", "rate"), ("momentum", "0.9")]
    assert arguments[0].span == Span(22, 50, 22, 54)


@pytest.mark.parametrize(
    "build, model",
    [
        ("def build():\n    return A()\n", "A"),
        ("def build():\n    m = B()\n    m = m\n    return m\n", "B"),
        ("def build():\n    return A().to('cpu')\n", "A"),
        ("def build():\n    return torch.compile(A())\n", "A"),
        ("def build():\n    return nn.Sequential(A(), B())\n", None),
        ("model = A()\n", "A"),
        ("", "B"),
    ],
)
def test_the_model_is_found_in_every_usual_form(build: str, model: str | None) -> None:
    classes = "class A(nn.Module):\n    pass\nclass B(nn.Module):\n    pass\n"

    assert parse(f"import torch\nfrom torch import nn\n{classes}{build}").model == model


def test_a_plain_script_is_drawn_statement_by_statement() -> None:
    graph = parse(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def forward(self, x):\n        return x\n"
        "model = Net()\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "x = torch.randn(2, 3)\nloss = model(x).sum()\nloss.backward()\noptimizer.step()\n"
    ).graphs[""]

    kinds = {n.id: n.kind for n in graph.nodes}
    assert kinds["Net"] is NodeKind.MODEL
    assert kinds["SGD"] is NodeKind.OPTIMIZER
    assert {"backward", "step", "randn", "sum"} <= set(kinds)


@pytest.mark.parametrize("source", ["", "\n", "# nothing\n", '"""Only words."""\n', "x = 1\n"])
def test_a_file_without_classes_has_a_program_graph(source: str) -> None:
    program = parse(source)

    assert list(program.graphs) == [""]
    assert program.model is None


def test_templates_have_a_graph_without_problems() -> None:
    for document in (new_model(), empty_model()):
        program = parse(document.source)
        assert program.model == "Net"
        assert program.problems == ()
        assert {n.kind for n in program.graphs[""].nodes} == {
            NodeKind.DATA,
            NodeKind.MODEL,
            NodeKind.LOSS,
            NodeKind.OPTIMIZER,
        }


def test_spans_are_those_that_a_running_frame_reports() -> None:
    source = (
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        y = (\n            x.view(1)\n            .relu()\n        )\n"
        "        y += x.tanh()\n        return y.add(x)[0] @ x\n"
    )
    code = next(
        inner
        for outer in compile(source, "m.py", "exec").co_consts
        if hasattr(outer, "co_consts")
        for inner in outer.co_consts
        if hasattr(inner, "co_positions") and inner.co_name == "forward"
    )
    running = {
        Span(line, column, end_line, end_column)
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and column is not None
        if end_line is not None and end_column is not None
    }
    nodes = [n for n in parse(source).graphs["Net"].nodes if n.kind is NodeKind.OPERATION]

    assert [n.title for n in nodes] == ["view", "relu", "tanh", "+=", "add", "[0]", "@"]
    assert all(n.span in running for n in nodes)


def _covered(source: str) -> list[str]:
    """The statements of drawn functions that no node stands for."""
    missing = []
    analysis = analyze(source)
    for drawing in analysis.drawings.values():
        if drawing.function is None:
            continue
        drawn = {id(draft.statement) for draft in drawing.drafts.values()}
        drawn |= {id(draft.syntax) for draft in drawing.drafts.values()}
        for place, statement in enumerate(drawing.function.body):
            plain = isinstance(statement, ast.Pass) or (
                isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            )
            alias = isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(
                statement.value, ast.Name | ast.Tuple | ast.Attribute | ast.Constant
            )
            if not ((plain and place == 0) or plain or alias) and id(statement) not in drawn:
                missing.append(f"{drawing.graph.name}:{statement.lineno}")
    return missing


def _torch_sources() -> list[str]:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent
    return sorted(glob.glob(f"{folder}/nn/modules/*.py"))


def test_every_statement_of_real_modules_is_covered_by_a_node() -> None:
    files = _torch_sources()
    if not files:
        pytest.skip("PyTorch is not installed, and its own source files are what is read here")
    graphs = 0
    for file in files:
        source = Path(file).read_text(encoding="utf-8")
        assert _covered(source) == [], file
        graphs += len(parse(source).graphs)
    assert graphs > 150


def test_no_installed_python_file_stops_the_parser() -> None:
    """Reads the standard library beside us: 160 files of every style."""
    files = sorted(glob.glob(f"{Path(ast.__file__).parent}/*.py"))[:120]
    files += sorted(glob.glob(f"{Path(ast.__file__).parent}/test/test_[a-d]*.py"))[:40]
    slowest = 0.0
    for file in files:
        try:
            source = Path(file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        start = time.process_time()
        try:
            parse(source)
        except SourceError as error:
            assert error.span.line >= 1
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 2.0
