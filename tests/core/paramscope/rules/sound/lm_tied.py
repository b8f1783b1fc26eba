import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, V=20, d=16):
        super().__init__()
        self.tok = nn.Embedding(V, d)
        self.pos = nn.Parameter(torch.zeros(1, 12, d))
        layer = nn.TransformerEncoderLayer(d, 2, 32, dropout=0.1, batch_first=True)
        self.enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, V, bias=False)
        self.head.weight = self.tok.weight
        self.register_buffer(
            "mask", torch.triu(torch.ones(12, 12, dtype=torch.bool), 1), persistent=False
        )

    def forward(self, x):
        h = self.tok(x) + self.pos[:, : x.shape[1]]
        return self.head(self.norm(self.enc(h, mask=self.mask)))


def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def batch():
    x = torch.randint(0, 20, (8, 13))
    return x[:, :-1], x[:, 1:]


def loss(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())
