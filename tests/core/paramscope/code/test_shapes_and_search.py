"""Shapes before running, refused wires with their repair, and search-to-add."""

import pytest

from paramscope.code.commands import Together
from paramscope.code.graph import PortRef
from paramscope.code.parse import parse
from paramscope.code.search import search
from paramscope.code.shape_rules import Misfit, Shape, operation_shape
from paramscope.code.shapes import Accepted, Refused, check_connection, infer_shapes
from paramscope.document.document import Document

HEAD = "import torch\nfrom torch import nn\n\n\n"


def net(init: str, forward: str, signature: str = "self, size=4") -> str:
    def body(text: str) -> str:
        return "".join(f"        {line}\n" for line in text.splitlines())

    return (
        f"{HEAD}class Net(nn.Module):\n    def __init__({signature}):\n"
        f"        super().__init__()\n{body(init)}\n    def forward(self, x):\n{body(forward)}"
        "\n\ndef build():\n    return Net()\n"
    )


def shapes_of(source: str, given: Shape) -> dict[str, Shape]:
    found = infer_shapes(parse(source), "Net", {PortRef("x", 0): given})
    return {port.node: shape for port, shape in found.items()}


def test_shapes_flow_through_layers_and_operations() -> None:
    source = net(
        "self.conv = nn.Conv2d(1, 8, 3, padding=1)\nself.pool = nn.MaxPool2d(2)\n"
        "self.fc = nn.Linear(8 * 4 * 4, 2 * size)",
        "x = self.pool(torch.relu(self.conv(x)))\nx = torch.flatten(x, 1)\n"
        "y = self.fc(x)\nreturn (y + 1).sum(dim=1)",
    )

    assert shapes_of(source, ("N", 1, 8, 8)) == {
        "x": ("N", 1, 8, 8),
        "conv": ("N", 8, 8, 8),
        "relu": ("N", 8, 8, 8),
        "pool": ("N", 8, 4, 4),
        "flatten": ("N", 128),
        "fc": ("N", 8),
        "add": ("N", 8),
        "sum": ("N",),
    }


def test_arguments_of_a_nested_class_come_from_where_it_is_made() -> None:
    source = HEAD + (
        "class Block(nn.Module):\n    def __init__(self, size):\n        super().__init__()\n"
        "        self.fc = nn.Linear(size, 2 * size)\n\n"
        "    def forward(self, h):\n        return self.fc(h)\n\n\n"
        "class Net(nn.Module):\n    def __init__(self, width=3):\n        super().__init__()\n"
        "        self.block = Block(width + 1)\n\n"
        "    def forward(self, x):\n        return self.block(x)\n\n\n"
        "def build():\n    return Net(5)\n"
    )
    found = infer_shapes(parse(source), "Block", {PortRef("h", 0): ("N", 6)})

    assert found[PortRef("fc", 0)] == ("N", 12)


def test_what_is_not_known_refuses_nothing() -> None:
    source = net("self.fc = nn.Linear(unknown(), 3)", "return self.fc(x)")

    assert shapes_of(source, ("N", 7))["fc"] == ("N", 3)


def test_a_wrong_size_is_refused_with_the_repair() -> None:
    source = net("self.fc = nn.Linear(16, 3)", "return self.fc(...)")
    found = check_connection(
        parse(source), "Net", PortRef("x", 0), PortRef("fc", 0), {PortRef("x", 0): (64, 8)}
    )

    assert isinstance(found, Refused)
    assert found.reason == "got (N, 8), Linear wants (*, 16)"
    assert [command.label for command in found.repairs] == ["Set in_features=8"]
    assert found.repairs[0].apply(Document(source)).source == net(
        "self.fc = nn.Linear(8, 3)", "return self.fc(x)"
    )


def test_an_image_for_a_linear_layer_is_flattened() -> None:
    source = net("self.fc = nn.Linear(64, 3)", "return self.fc(...)")
    found = check_connection(
        parse(source), "Net", PortRef("x", 0), PortRef("fc", 0), {PortRef("x", 0): (5, 1, 8, 8)}
    )

    assert isinstance(found, Refused)
    assert isinstance(found.repairs[0], Together)
    assert found.repairs[0].label == "Insert Flatten"
    assert found.repairs[0].apply(Document(source)).source == net(
        "self.fc = nn.Linear(64, 3)\nself.flatten = nn.Flatten()",
        "return self.fc(self.flatten(x))",
    )


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    source = net("", "return x + ...").replace("self, x)", "self, x, y)")
    shapes: dict[PortRef, Shape] = {PortRef("x", 0): (4, 3), PortRef("y", 0): (4, 2)}
    found = check_connection(parse(source), "Net", PortRef("y", 0), PortRef("add", 1), shapes)

    assert isinstance(found, Refused)
    assert "sizes 3 and 2 do not go together" in found.reason


def test_a_wire_that_fits_is_accepted_with_its_shape() -> None:
    source = net("self.fc = nn.Linear(8, 3)", "return self.fc(...)")
    program = parse(source)
    x, fc = PortRef("x", 0), PortRef("fc", 0)

    assert check_connection(program, "Net", x, fc, {x: (64, 8)}) == Accepted((64, 8))
    assert check_connection(program, "Net", x, fc, {}) == Accepted()


def test_a_circle_is_refused_before_shapes() -> None:
    source = net("self.a = nn.Linear(4, 4)\nself.b = nn.Linear(4, 4)", "return self.b(self.a(x))")
    found = check_connection(parse(source), "Net", PortRef("b", 0), PortRef("a", 0), {})

    assert isinstance(found, Refused) and "circle" in found.reason


@pytest.mark.parametrize(
    "name, shapes, arguments, wanted",
    [
        ("add", [("N", 3), (3,)], {}, ("N", 3)),
        ("matmul", [("N", 2, 3), (3, 5)], {}, ("N", 2, 5)),
        ("matmul", [(3,), (3, 5)], {}, (5,)),
        ("cat", [("N", 3), ("N", 4)], {"dim": -1}, ("N", 7)),
        ("stack", [(2, 3), (2, 3)], {"dim": 1}, (2, 2, 3)),
        ("view", [(4, 6)], {"shape1": -1, "shape2": 3}, (8, 3)),
        ("reshape", [(4, 6)], {"shape": (2, -1)}, (2, 12)),
        ("transpose", [("N", 3, 4)], {"dim0": 1, "dim1": 2}, ("N", 4, 3)),
        ("permute", [(2, 3, 4)], {"dims": (2, 0, 1)}, (4, 2, 3)),
        ("unsqueeze", [(2, 3)], {"dim": -1}, (2, 3, 1)),
        ("squeeze", [(2, 1, 3)], {"dim": 1}, (2, 3)),
        ("mean", [(2, 3)], {"dim": 1, "keepdim": True}, (2, 1)),
        ("mean", [(2, 3)], {}, ()),
        ("flatten", [("N", 2, 3)], {"start_dim": 1}, ("N", 6)),
        ("cross_entropy", [("N", 3), ("N",)], {}, ()),
        ("unheard_of", [(2,)], {}, None),
    ],
)
def test_operations_give_their_shape(
    name: str, shapes: list[Shape], arguments: dict[str, object], wanted: Shape | None
) -> None:
    assert operation_shape(name, shapes, arguments) == wanted


@pytest.mark.parametrize(
    "name, shapes, arguments",
    [
        ("add", [(2, 3), (2, 4)], {}),
        ("matmul", [(2, 3), (4, 5)], {}),
        ("cat", [(2, 3), (3, 3)], {"dim": 1}),
        ("view", [(4, 6)], {"shape": (5, -1)}),
    ],
)
def test_operations_refuse_what_does_not_fit(
    name: str, shapes: list[Shape], arguments: dict[str, object]
) -> None:
    with pytest.raises(Misfit):
        operation_shape(name, shapes, arguments)


@pytest.mark.parametrize(
    "query, shape, wanted",
    [
        ("linear 16", (64, 8), "nn.Linear(8, 16)"),
        ("fc 4", ("N", 8), "nn.Linear(8, 4)"),
        ("dense", ("N", 8), "nn.Linear(8, 8)"),
        ("linear 8 16", ("N", 3), "nn.Linear(8, 16)"),
        ("linear 4 bias=False", ("N", 7), "nn.Linear(7, 4, bias=False)"),
        ("nn.Linear(8, 16)", None, "nn.Linear(8, 16)"),
        ("conv 16 3", ("N", 1, 8, 8), "nn.Conv2d(1, 16, 3)"),
        ("conv 16 3", ("N", 1, 8), "nn.Conv1d(1, 16, 3)"),
        ("bn", ("N", 16), "nn.BatchNorm1d(16)"),
        ("bn", ("N", 16, 8, 8), "nn.BatchNorm2d(16)"),
        ("ln", ("N", 7), "nn.LayerNorm(7)"),
        ("dropout 0.2", None, "nn.Dropout(0.2)"),
        ("softmax 1", ("N", 3), "torch.softmax(..., dim=1)"),
        ("residual", None, "torch.add(..., ...)"),
        ("embed 100 16", None, "nn.Embedding(100, 16)"),
        ("max pool", ("N", 1, 8, 8), "nn.MaxPool2d(3)"),
        ("", None, "nn.Linear(8, 8)"),
    ],
)
def test_the_first_answer_is_what_was_meant(query: str, shape: Shape | None, wanted: str) -> None:
    assert search(query, None, shape)[0].expression == wanted


def test_answers_that_do_not_fit_come_last_with_the_reason() -> None:
    found = search("conv", None, ("N", 1, 8, 8))

    assert [match.fits for match in found] == sorted((m.fits for m in found), reverse=True)
    assert "Conv1d wants" in next(m for m in found if m.entry.title == "Conv1d").reason
    assert all(match.fits for match in search("conv", None, ("N", 1, 8, 8), only_fitting=True))


def test_classes_of_the_document_are_found() -> None:
    program = parse(net("", "return x"))

    assert search("net 3", program)[0].expression == "Net(3)"


def test_search_gives_the_same_answers_each_time() -> None:
    assert search("re") == search("re")
    assert search("qqqq") == []
