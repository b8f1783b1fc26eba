import torch
import torch.nn.functional as F
from torch import nn


class LoRA(nn.Module):
    def __init__(self, base, r=2):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(r, base.in_features) * 0.01)
        self.B = nn.Parameter(torch.zeros(base.out_features, r))

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(LoRA(nn.Linear(8, 8)), nn.GELU(), LoRA(nn.Linear(8, 1)))

    def forward(self, x):
        return self.net(x)


def build():
    return Net()


def optimizer(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def loss(model, x, y):
    return F.mse_loss(model(x), y)
