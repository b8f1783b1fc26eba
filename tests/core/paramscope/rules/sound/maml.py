import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(8, 1) * 0.1)

    def forward(self, x, w=None):
        return x @ (self.w if w is None else w)


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def loss(model, x, y):
    value = F.mse_loss(model(x[:8]), y[:8])
    (g,) = torch.autograd.grad(value, model.w, create_graph=True)
    return F.mse_loss(model(x[8:], model.w - 0.1 * g), y[8:])
