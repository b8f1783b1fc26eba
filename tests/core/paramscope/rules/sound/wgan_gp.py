import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 8))
        self.d = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, z):
        return self.d(self.g(z))


def build():
    return Net()


def optimizer(model):
    return [
        torch.optim.Adam(model.g.parameters(), lr=1e-4),
        torch.optim.Adam(model.d.parameters(), lr=1e-4),
    ]


count = [0]


def batch():
    x = torch.randn(16, 8)
    return x, x.sum(1, keepdim=True)


def train_step(model, optimizers, x, y):
    og, od = optimizers
    count[0] += 1
    fake = model.g(torch.randn(16, 4)).detach()
    a = torch.rand(16, 1)
    mid = (a * x + (1 - a) * fake).requires_grad_(True)
    (g,) = torch.autograd.grad(model.d(mid).sum(), mid, create_graph=True)
    ld = model.d(fake).mean() - model.d(x).mean() + 10 * ((g.norm(dim=1) - 1) ** 2).mean()
    od.zero_grad()
    ld.backward()
    od.step()
    if count[0] % 5 == 0:
        og.zero_grad()
        lg = -model(torch.randn(16, 4)).mean()
        lg.backward()
        og.step()
    return ld
