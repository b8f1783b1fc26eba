"""Whole documents for the examples of rules, made of the few lines that matter."""

_DOCUMENT = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.out = nn.Linear(4, 1)
{init}

    def forward(self, x):
{forward}
        return self.out(h)


def build():
{build}


def optimizer(model):
{optimizer}


def batch():
    x = torch.randn(16, 4)
    return x, x.sum(dim=1, keepdim=True)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""


def document(
    init: str = "",
    forward: str = "h = torch.tanh(self.inner(x))",
    build: str = "return Net()",
    optimizer: str = "return torch.optim.SGD(model.parameters(), lr=0.01)",
    tail: str = "",
) -> str:
    """Return a document with these lines in its ``__init__``, ``forward`` and functions."""
    source = _DOCUMENT.format(
        init=_indented(init, 8),
        forward=_indented(forward, 8),
        build=_indented(build, 4),
        optimizer=_indented(optimizer, 4),
    )
    source = source.replace("(4, 1)\n\n\n    def", "(4, 1)\n\n    def")
    return source + (f"\n\n{tail}\n" if tail else "")


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line if line else "" for line in text.splitlines())
