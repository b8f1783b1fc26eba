import torch
import torch.nn as nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.fc = nn.Linear(16, 1000)

    def forward(self, x):
        return self.fc(self.features(x))


class Transfer(nn.Module):
    def __init__(self):
        super().__init__()
        self.model_conv = Backbone()
        for param in self.model_conv.parameters():
            param.requires_grad = False
        self.model_conv.fc = nn.Linear(self.model_conv.fc.in_features, 2)

    def train(self, mode=True):
        super().train(mode)
        self.model_conv.features.eval()
        return self

    def forward(self, x):
        return self.model_conv(x)


def build():
    model = Transfer()
    model.train()
    return model


def optimizer(model):
    return torch.optim.SGD(model.model_conv.fc.parameters(), lr=0.001, momentum=0.9)


def batch():
    return torch.randn(8, 3, 16, 16), torch.randint(0, 2, (8,))


criterion = nn.CrossEntropyLoss()


def loss(model, x, y):
    return criterion(model(x), y)


def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    with torch.set_grad_enabled(True):
        outputs = model(x)
        _, preds = torch.max(outputs, 1)
        value = criterion(outputs, y)
        value.backward()
        optimizer.step()
    assert preds.shape == y.shape
    return value
