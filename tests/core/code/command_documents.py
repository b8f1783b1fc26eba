"""Sources that the tests of commands share."""

from textwrap import dedent

from paramscope.document.document import Command, Document

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


def source_of(init: str, forward: str, head: str = "import torch\nfrom torch import nn\n") -> str:
    """A file with one class ``Net``."""

    def body(text: str) -> str:
        return "".join(f"        {line}\n" for line in dedent(text).strip("\n").splitlines())

    return (
        f"{head}\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"{body(init)}\n    def forward(self, x):\n{body(forward)}"
    )


def applied(source: str, *commands: Command) -> str:
    """The source after the commands; it must be Python."""
    document = Document(source)
    for command in commands:
        document = command.apply(document)
    compile(document.source, "model.py", "exec")
    return document.source


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that are gone and lines that are new, stripped, in order."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return [line.strip() for line in old], [line.strip() for line in new]
