"""BadModel: a plain tensor is invisible to the optimizer."""
import torch
import torch.nn as nn


class BadModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.my_tensor = torch.randn(3, 3)  # Not a Parameter

    def forward(self, x):
        return x @ self.my_tensor


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bad_model = BadModel()
        self.head = nn.Linear(3, 1)

    def forward(self, x):
        h = torch.tanh(self.bad_model(x))
        return self.head(h)


def build():
    bad_model = BadModel()
    print(list(bad_model.parameters()))  # []
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.02)


def batch():
    x = torch.randn(64, 3)
    return x, torch.tanh(2.0 * x[:, 0:1]) + torch.tanh(2.0 * x[:, 1:2])


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
