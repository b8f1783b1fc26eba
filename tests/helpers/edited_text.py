"""A small model as text, and commands on it: what the tests of commands share."""

import pytest

from paramscope.code.graph import PortRef, Wire
from paramscope.document.document import Command, CommandRefused, Document

MLP = '''\
"""A small net."""

import torch
from torch import nn


class Net(nn.Module):
    # Two layers are enough here.
    def __init__(self, width=8):
        super().__init__()
        self.fc1 = nn.Linear(2, width)  # in
        self.fc2 = nn.Linear(width, 1)

    def forward(self, x):
        h = torch.tanh(self.fc1(x))
        return self.fc2(h)


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)
'''
TORCH = "import torch\nfrom torch import nn\n"


def net(init: str, forward: str, head: str = TORCH) -> str:
    """Return a file with one class; the lines of its two methods are given."""

    def body(text: str) -> str:
        return "".join(f"        {line}\n" for line in text.strip("\n").splitlines())

    return (
        f"{head}\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"{body(init)}\n    def forward(self, x):\n{body(forward)}"
    )


def applied(source: str, *commands: Command) -> str:
    """Return the source after the commands; it must still be Python."""
    document = Document(source)
    for command in commands:
        document = command.apply(document)
    compile(document.source, "model.py", "exec")
    return document.source


def refusal(source: str, command: Command) -> str:
    """Return why a command is refused."""
    with pytest.raises(CommandRefused) as caught:
        command.apply(Document(source))
    return caught.value.reason


def port(text: str) -> PortRef:
    """Return the port that is written ``fc1`` or ``fc1.2``."""
    node, _, number = text.partition(".")
    return PortRef(node, int(number or 0))


def wire(source: str, target: str) -> Wire:
    """Return the wire between two ports, written as `port` takes them."""
    return Wire(port(source), port(target))
