"""Plain bias: a Parameter that learns beside a tensor that cannot."""
import torch
import torch.nn as nn


class MyModule(nn.Module):
    def __init__(self):
        super().__init__()
        # This gets auto-registered as a parameter
        self.weight = nn.Parameter(torch.randn(2, 3))
        # A plain tensor won't be registered
        self.bias = torch.zeros(3)

    def forward(self, x):
        return x @ self.weight + self.bias


def build():
    model = MyModule()
    print(list(model.parameters()))  # [Parameter containing: tensor(...)]
    return model


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    # Without a bias of 1, 2 and -1 the loss cannot fall below 2
    x = torch.randn(32, 2)
    weight = torch.tensor([[1.0, -1.0, 0.5], [2.0, 0.0, 1.0]])
    bias = torch.tensor([1.0, 2.0, -1.0])
    return x, x @ weight + bias + 0.1 * torch.randn(32, 3)  # measured with a little noise


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
