"""Wine and its buffers: measures are scaled by constants that belong to the model."""
import torch
import torch.nn as nn

from paramscope.data import wine

measures, growers = (torch.from_numpy(array) for array in wine.train())
held_out_measures, held_out_growers = (torch.from_numpy(array) for array in wine.test())


class WineModel(nn.Module):
    def __init__(self):
        super().__init__()
        # Saved and moved with the model, but nothing to be learned
        self.register_buffer("mean", measures.mean(dim=0))
        self.register_buffer("deviation", measures.std(dim=0))
        self.fc1 = nn.Linear(13, 16)
        self.fc2 = nn.Linear(16, 3)

    def forward(self, x):
        x = (x - self.mean) / self.deviation
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


def build():
    return WineModel()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    chosen = torch.randint(0, len(measures), (32,))
    return measures[chosen], growers[chosen]


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)


def evaluate(model):
    scores = model(held_out_measures)
    return {
        "held-out loss": nn.functional.cross_entropy(scores, held_out_growers),
        "held-out accuracy": (scores.argmax(dim=1) == held_out_growers).float().mean(),
    }
