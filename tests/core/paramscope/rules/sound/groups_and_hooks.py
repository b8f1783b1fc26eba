from functools import partial

import torch
import torch.nn as nn

steps = 0


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.stem = nn.Sequential(nn.Linear(8, 16), norm(16), nn.GELU())
        self.body = nn.Sequential(nn.Linear(16, 16), norm(16), nn.GELU())
        self.head = nn.Linear(16, 4)
        self.hooks = []
        self.activations = {}
        self.body.register_forward_hook(
            lambda m, i, o: self.activations.__setitem__("body", o.detach())
        )

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


def build():
    return Net()


def optimizer(model):
    groups = [
        {"params": model.stem.parameters(), "lr": 1e-4},
        {"params": model.body.parameters(), "lr": 5e-4},
        {"params": model.head.parameters()},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.01)


def batch():
    return torch.randn(16, 8), torch.randint(0, 4, (16,))


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)


@torch.no_grad()
def evaluate(model, x, y):
    model.eval()
    acc = (model(x).argmax(-1) == y).float().mean().item()
    model.train()
    return acc


def train_step(model, optimizer, x, y):
    global steps
    steps += 1
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    if steps % 2 == 0:
        evaluate(model, x, y)
    return value
