import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.b = nn.Linear(16, 16)
        self.c = nn.Linear(16, 2)
        self.register_buffer("q", F.normalize(torch.randn(32, 16), dim=1))
        self.register_buffer("ptr", torch.zeros(1, dtype=torch.long))

    def forward(self, x):
        h = F.normalize(F.relu(self.b(F.relu(self.a(x)))), dim=1)
        p = int(self.ptr)
        s = h @ self.q.clone().detach().T
        if self.training:
            self.q[p : p + 16] = h.detach()[: 32 - p]
            self.ptr[0] = (p + 16) % 32
        h = h + s[:, :16]
        return self.c(h)


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    x = torch.randn(16, 8)
    return x, (x.sum(1) > 0).long()


def loss(model, x, y):
    return F.cross_entropy(model(x), y)
