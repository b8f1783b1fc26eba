"""New documents to begin with, written as the rest of the documents are."""

from paramscope.document.document import Document

_NEW_MODEL = '''\
"""A small network that learns which of two spirals a point lies on."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2, 32)
        self.fc2 = nn.Linear(32, 2)

    def forward(self, x):
        x = self.fc1(x)
        x = torch.tanh(x)
        return self.fc2(x)


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    y = torch.randint(0, 2, (64,))
    turn = torch.rand(64)
    angle = 5.0 * turn + 3.14159 * y
    x = torch.stack([turn * torch.cos(angle), turn * torch.sin(angle)], dim=1)
    return x, y


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)
'''

_EMPTY_MODEL = '''\
"""A network to compose: its forward gives back what it gets."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        return x


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.05)


def batch():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    return x, y


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
'''


def new_model() -> Document:
    """A small MLP that trains at once."""
    return Document(_NEW_MODEL)


def empty_model() -> Document:
    """A class without layers, with the four points of XOR to learn."""
    return Document(_EMPTY_MODEL)
