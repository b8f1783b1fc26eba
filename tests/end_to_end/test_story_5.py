"""Story 5, XOR from the keyboard: no mouse, wires and shapes by themselves, the loss under 0.05."""

BEGINNING = '''"""XOR, to be composed."""
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        return ...


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.05)


def batch():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    return x, y


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
'''
