"""Handwritten digits with convolutions: 97 % of the held-out images in seconds."""
import torch
import torch.nn as nn

from paramscope.data import digits

images, labels = (torch.from_numpy(array) for array in digits.train())
held_out_images, held_out_labels = (torch.from_numpy(array) for array in digits.test())


class DigitsCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = self.pool(x)
        x = self.flatten(x)
        return self.fc(x)


def build():
    return DigitsCNN()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.005)


def batch():
    chosen = torch.randint(0, len(images), (32,))
    return images[chosen], labels[chosen]


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)


def evaluate(model):
    scores = model(held_out_images)
    return {
        "held-out loss": nn.functional.cross_entropy(scores, held_out_labels),
        "held-out accuracy": (scores.argmax(dim=1) == held_out_labels).float().mean(),
    }
