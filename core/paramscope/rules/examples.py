"""Whole documents for the examples of rules, made of the few lines that matter."""

_DOCUMENT = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.out = nn.Linear(4, {width})
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
    return x, {target}


def loss(model, x, y):
    return {loss}
"""


def document(
    init: str = "",
    forward: str = "h = torch.tanh(self.inner(x))",
    build: str = "return Net()",
    optimizer: str = "return torch.optim.SGD(model.parameters(), lr=0.01)",
    tail: str = "",
    loss: str = "((model(x) - y) ** 2).mean()",
    target: str = "x.sum(dim=1, keepdim=True)",
    width: int = 1,
) -> str:
    """Return a document with these lines in its ``__init__``, ``forward`` and functions.

    ``width`` is that of the output; ``loss`` and ``target`` are expressions.
    """
    source = _DOCUMENT.format(
        init=_indented(init, 8),
        forward=_indented(forward, 8),
        build=_indented(build, 4),
        optimizer=_indented(optimizer, 4),
        loss=loss,
        target=target,
        width=width,
    )
    source = source.replace(")\n\n\n    def forward", ")\n\n    def forward")
    return source + (f"\n\n{tail}\n" if tail else "")


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line if line else "" for line in text.splitlines())
