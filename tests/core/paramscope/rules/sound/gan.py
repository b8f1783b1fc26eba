import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8))
        self.d = nn.Sequential(
            nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(16, 1)
        )

    def forward(self, z):
        return self.d(self.g(z))


def build():
    return Net()


def optimizer(model):
    return [
        torch.optim.Adam(model.g.parameters(), lr=2e-4, betas=(0.5, 0.999)),
        torch.optim.Adam(model.d.parameters(), lr=2e-4),
    ]


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def train_step(model, optimizers, x, y):
    og, od = optimizers
    z = torch.randn(16, 4)
    fake = model.g(z)
    ld = F.binary_cross_entropy_with_logits(
        model.d(x), torch.ones(16, 1)
    ) + F.binary_cross_entropy_with_logits(model.d(fake.detach()), torch.zeros(16, 1))
    od.zero_grad()
    ld.backward()
    od.step()
    lg = F.binary_cross_entropy_with_logits(model.d(fake), torch.ones(16, 1))
    og.zero_grad()
    lg.backward()
    og.step()
    return ld
