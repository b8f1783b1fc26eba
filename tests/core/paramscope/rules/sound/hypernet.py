import torch
import torch.nn as nn
import torch.nn.functional as F


class HyperNet(nn.Module):
    def __init__(self, z=4, i=6, o=5):
        super().__init__()
        self.i, self.o = i, o
        self.z = nn.Parameter(torch.randn(3, z))
        self.w = nn.Linear(z, i * o)
        self.b = nn.Linear(z, o)
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)
        self.cache = {}

    def forward(self, x, task):
        W = self.w(self.z[task]).view(self.o, self.i)
        b = self.b(self.z[task])
        self.cache["last"] = W.detach()
        return F.linear(x, W, b)


def build():
    return HyperNet()


def optimizer(model):
    return torch.optim.Adamax(model.parameters(), lr=2e-3)


def batch():
    return torch.randn(12, 6), torch.randint(0, 5, (3, 12))


def loss(model, x, y):
    return sum(F.cross_entropy(model(x, t), y[t]) for t in range(3))
