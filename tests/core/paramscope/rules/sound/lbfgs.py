import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 1)

    def forward(self, x):
        return self.l(x)


def build():
    return Net()


def optimizer(model):
    return torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5)


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def loss(model, x, y):
    return F.mse_loss(model(x), y)


def train_step(model, optimizer, x, y):
    def closure():
        optimizer.zero_grad()
        value = loss(model, x, y)
        value.backward()
        return value

    return optimizer.step(closure)
