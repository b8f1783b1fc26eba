import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
        self.pred = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, a, b):
        za, zb = self.f(a), self.f(b)
        return self.pred(za), self.pred(zb), za.detach(), zb.detach()


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def loss(model, x, y):
    p, q, za, zb = model(x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x))
    return -(F.cosine_similarity(p, zb).mean() + F.cosine_similarity(q, za).mean()) / 2
