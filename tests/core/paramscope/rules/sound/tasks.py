import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiTaskLossWrapper(nn.Module):
    def __init__(self, task_num):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(task_num))

    def forward(self, losses):
        total = 0
        for i, value in enumerate(losses):
            precision = torch.exp(-self.log_vars[i])
            total = total + precision * value + self.log_vars[i]
        return total


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.reg = nn.Linear(16, 1)
        self.cls = nn.Linear(16, 4)
        self.aux = nn.Linear(16, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.reg(h).squeeze(-1), self.cls(h), self.aux(h)


class System(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Shared()
        self.wrapper = MultiTaskLossWrapper(3)

    def forward(self, x):
        return self.net(x)


def build():
    return System()


def optimizer(model):
    return torch.optim.Adam(
        [{"params": model.net.parameters()}, {"params": model.wrapper.parameters(), "lr": 1e-2}],
        lr=1e-3,
    )


def batch():
    x = torch.randn(16, 8)
    return x, (x.sum(1), torch.randint(0, 4, (16,)), (x[:, :1] > 0).float())


def loss(model, x, y):
    r, c, a = model(x)
    return model.wrapper(
        [F.mse_loss(r, y[0]), F.cross_entropy(c, y[1]), F.binary_cross_entropy_with_logits(a, y[2])]
    )
