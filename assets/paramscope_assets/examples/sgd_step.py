"""One SGD step: forward, loss, backward and optimizer, phase by phase."""
import torch
import torch.nn as nn


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.my_weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return x @ self.my_weight


def build():
    return MyModel()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    return torch.randn(2, 3), None  # input; a fake loss needs no target


def loss(model, x, y):
    return model(x).sum()  # fake loss
