"""Each traced operation lies on its own sub-expression of the document, and knows its Module."""

import pytest

from paramscope.engine.entrances import entering
from paramscope.engine.protocol import OperationRecord
from paramscope.engine.session import Session

SOURCE = """\
import torch
from torch import nn


def squash(h):
    return torch.tanh(h) * 2


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.lins = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, h):
        for layer in self.lins:
            h = h + torch.relu(layer(h))
        return squash(h)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        ä = self.block(x)
        return self.out(ä).sigmoid()


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    x = torch.randn(8, 4)
    return x, x[:, :1]


def loss(model, x, y):
    return (model(x) - y).pow(2).mean()
"""
LINES = SOURCE.splitlines()


def text_of(op: OperationRecord) -> str:
    line = LINES[op.span.line - 1].encode()
    return line[op.span.column : op.span.end_column].decode()


@pytest.fixture
def operations(adapter) -> list[OperationRecord]:
    session = Session(adapter)
    assert session.load(SOURCE, "<document>"), session.failure.text
    assert session.run_step()
    # The batch is no part of the model.
    return [op for op in session.take_news().operations if op.span.line not in (40, 41)]


def calls(operations: list[OperationRecord]) -> list[OperationRecord]:
    """The operations without what enters each forward."""
    return [op for op in operations if op.name != "input"]


def test_operations_have_their_own_expressions_in_order(operations) -> None:
    loop = ["layer(h)", "torch.relu(layer(h))", "h + torch.relu(layer(h))"]
    assert [text_of(op) for op in calls(operations)] == [
        *loop,
        *loop,
        "torch.tanh(h)",
        "torch.tanh(h) * 2",
        "self.out(ä)",
        "self.out(ä).sigmoid()",
        "model(x) - y",
        "(model(x) - y).pow(2)",
        "(model(x) - y).pow(2).mean()",
    ]


def test_operations_know_the_module_that_called_them(operations) -> None:
    assert [op.module for op in calls(operations)] == 8 * ["block"] + 2 * [""] + 3 * [None]


def test_operations_have_shapes_and_the_gradients_that_came_back(operations) -> None:
    assert [op.shape for op in operations][-4:] == [(8, 1), (8, 1), (8, 1), ()]
    assert all(op.requires_grad and op.gradient_norm is not None for op in calls(operations))
    assert operations[-1].gradient_norm == pytest.approx(1.0)


def test_what_enters_a_forward_is_noted_at_its_argument(operations) -> None:
    entered = [op for op in operations if op.name == "input"]
    assert [(text_of(op), op.module, op.shape) for op in entered] == [
        ("x", "", (8, 4)),
        ("h", "block", (8, 4)),
    ]
    assert [op.requires_grad for op in entered] == [False, False]


ODD_FORWARDS = """\
import torch
from torch import nn


class Mix(nn.Module):
    def forward(self, x, *rest, scale, flag=True):
        return x * scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))
        self.mix = Mix()

    def forward(self, batch):
        return self.mix(batch * self.w, None, scale=self.w)


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    return torch.ones(2, 3), torch.ones(2, 3)


def loss(model, x, y):
    return (model(batch=x) - y).pow(2).mean()
"""


def test_arguments_given_by_name_are_noted_too(adapter) -> None:
    session = Session(adapter)
    assert session.load(ODD_FORWARDS, "<document>"), session.failure.text
    assert session.run_step()
    entered = [op for op in session.take_news().operations if op.name == "input"]
    assert [(op.span.line, op.module, op.shape) for op in entered] == [
        (16, "", (2, 3)),
        (6, "mix", (2, 3)),
        (6, "mix", (3,)),
    ]
    assert [op.requires_grad for op in entered] == [False, True, True]


def test_no_hook_stays_on_a_watched_module(adapter) -> None:
    namespace: dict[str, object] = {}
    exec(compile(ODD_FORWARDS, "<document>", "exec"), namespace)
    model = namespace["build"]()
    seen = []
    modules = {"": model, "mix": model.mix}
    with entering(ODD_FORWARDS, "<document>", modules, lambda *note: seen.append(note[:2])):
        model(namespace["batch"]()[0])
    assert [path for _, path in seen] == ["", "mix", "mix"]
    assert not model._forward_pre_hooks and not model.mix._forward_pre_hooks
