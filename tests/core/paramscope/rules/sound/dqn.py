import copy

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
        self.target = copy.deepcopy(self.q)

    def forward(self, x):
        return self.q(x)


steps = [0]


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.q.parameters(), lr=1e-3)


def batch():
    s = torch.randn(16, 8)
    return (s, torch.randint(0, 3, (16,)), torch.randn(16), torch.randn(16, 8)), torch.zeros(16)


def loss(model, x, y):
    s, a, r, s2 = x
    q = model(s).gather(1, a[:, None]).squeeze(1)
    with torch.no_grad():
        t = r + 0.99 * model.target(s2).max(1).values
    return F.smooth_l1_loss(q, t)


def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    nn.utils.clip_grad_norm_(model.q.parameters(), 10.0)
    optimizer.step()
    steps[0] += 1
    if steps[0] % 100 == 0:
        model.target.load_state_dict(model.q.state_dict())
    return value
