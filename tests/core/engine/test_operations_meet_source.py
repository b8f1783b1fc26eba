"""Each traced operation lies on its own sub-expression of the document, and knows its Module."""

import pytest

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


def test_operations_have_their_own_expressions_in_order(operations) -> None:
    loop = ["layer(h)", "torch.relu(layer(h))", "h + torch.relu(layer(h))"]
    assert [text_of(op) for op in operations] == [
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
    assert [op.module for op in operations] == 8 * ["block"] + 2 * [""] + 3 * [None]


def test_operations_have_shapes_and_the_gradients_that_came_back(operations) -> None:
    assert [op.shape for op in operations][-4:] == [(8, 1), (8, 1), (8, 1), ()]
    assert all(op.requires_grad and op.gradient_norm is not None for op in operations)
    assert operations[-1].gradient_norm == pytest.approx(1.0)
