"""Two spirals: a classic that needs two hidden layers."""
import torch
import torch.nn as nn

from paramscope.data import spirals

points, classes = (torch.from_numpy(array) for array in spirals.train())
held_out_points, held_out_classes = (torch.from_numpy(array) for array in spirals.test())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2, 32)
        self.fc2 = nn.Linear(32, 32)
        self.fc3 = nn.Linear(32, 2)

    def forward(self, x):
        x = torch.tanh(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return self.fc3(x)


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    chosen = torch.randint(0, len(points), (64,))
    return points[chosen], classes[chosen]


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)


def evaluate(model):
    scores = model(held_out_points)
    return {
        "held-out loss": nn.functional.cross_entropy(scores, held_out_classes),
        "held-out accuracy": (scores.argmax(dim=1) == held_out_classes).float().mean(),
    }
