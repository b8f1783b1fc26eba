"""A learnable 3 x 3 weight: the first Parameter."""
import torch
import torch.nn as nn


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        # Create a custom 3x3 learnable parameter
        self.my_weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return x @ self.my_weight  # matrix multiplication


def build():
    model = MyModel()
    # All trainable parameters (includes my_weight)
    for name, param in model.named_parameters():
        print(name, param.shape, param.requires_grad)
    return model


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    # The weight to be found: each output is one input, moved one place and scaled
    target = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [-1.0, 0.0, 0.0]])
    x = torch.randn(32, 3)
    return x, x @ target + 0.1 * torch.randn(32, 3)  # measured with a little noise


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
