"""Handwritten digits: 1,442 real images, one hidden layer."""
import torch
import torch.nn as nn

from paramscope.data import digits

images, labels = (torch.from_numpy(array) for array in digits.train())
held_out_images, held_out_labels = (torch.from_numpy(array) for array in digits.test())


class DigitsMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.flatten(x)
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


def build():
    return DigitsMLP()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.003)


def batch():
    chosen = torch.randint(0, len(images), (64,))
    return images[chosen], labels[chosen]


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)


def evaluate(model):
    scores = model(held_out_images)
    return {
        "held-out loss": nn.functional.cross_entropy(scores, held_out_labels),
        "held-out accuracy": (scores.argmax(dim=1) == held_out_labels).float().mean(),
    }
