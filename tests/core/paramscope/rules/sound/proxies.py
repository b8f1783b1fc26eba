import torch
import torch.nn as nn
import torch.nn.functional as F


class ProxyNCA(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, dim) / 8)

    def forward(self, x, y):
        d = torch.cdist(F.normalize(x), F.normalize(self.proxies)) ** 2
        return F.cross_entropy(-3 * d, y)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        self.criterion = ProxyNCA(5, 4)

    def forward(self, x):
        return self.body(x)


def build():
    return Embedder()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    return torch.randn(20, 8), torch.randint(0, 5, (20,))


def loss(model, x, y):
    return model.criterion(model(x), y)
