import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        return self.net(x)


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    x = torch.randn(16, 8)
    return x, (x.sum(1) > 0).long()


def loss(model, x, y):
    return F.cross_entropy(model(x), y)


def train_step(model, optimizer, x, y):
    delta = torch.zeros_like(x, requires_grad=True)
    loss(model, x + delta, y).backward()
    adv = (x + 0.1 * delta.grad.sign()).detach()
    optimizer.zero_grad()
    value = loss(model, adv, y)
    value.backward()
    optimizer.step()
    return value
