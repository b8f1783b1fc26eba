import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)) for _ in range(4)
        )

    def forward(self, x):
        p = F.softmax(self.gate(x), -1)
        v, k = p.topk(2, dim=-1)
        v = v / v.sum(-1, keepdim=True)
        out = torch.zeros(x.shape[0], 1)
        for e, ex in enumerate(self.experts):
            m = k == e
            if m.any():
                rows = m.any(-1)
                out[rows] += (v * m).sum(-1)[rows, None] * ex(x[rows])
        return out


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def loss(model, x, y):
    return F.mse_loss(model(x), y)
