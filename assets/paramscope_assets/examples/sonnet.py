"""A small transformer: it learns a sonnet by heart, character by character."""
import torch
import torch.nn as nn

# W. Shakespeare, sonnet 18, 1609
TEXT = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade,
Nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee.
"""
LETTERS = sorted(set(TEXT))
CODES = torch.tensor([LETTERS.index(letter) for letter in TEXT])
LENGTH = 24  # letters that the model sees at once


class Attention(nn.Module):
    def __init__(self, dim, length):
        super().__init__()
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        # A constant that belongs to the model: no letter may look at those after it
        self.register_buffer("future", torch.triu(torch.ones(length, length), diagonal=1) > 0)
        self.scale = dim ** -0.5

    def forward(self, x):
        score = self.scale * self.query(x) @ self.key(x).transpose(1, 2)
        weight = torch.softmax(score.masked_fill(self.future, -1e9), dim=-1)
        return weight @ self.value(x)


class Block(nn.Module):
    def __init__(self, dim, length):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = Attention(dim, length)
        self.norm2 = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 4 * dim)
        self.shrink = nn.Linear(4 * dim, dim)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.shrink(torch.relu(self.expand(self.norm2(x))))


class CharModel(nn.Module):
    def __init__(self, letters, dim=32, length=LENGTH):
        super().__init__()
        self.embed = nn.Embedding(letters, dim)
        self.position = nn.Parameter(0.1 * torch.randn(length, dim))
        self.block1 = Block(dim, length)
        self.block2 = Block(dim, length)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, letters)

    def forward(self, codes):
        x = self.embed(codes) + self.position
        x = self.block1(x)
        x = self.block2(x)
        return self.head(self.norm(x))


def build():
    return CharModel(len(LETTERS))


def optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=0.003)


def batch():
    start = torch.randint(0, len(CODES) - LENGTH, (16, 1))
    window = CODES[start + torch.arange(LENGTH + 1)]
    return window[:, :-1], window[:, 1:]


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())


def evaluate(model):
    end = (len(CODES) - 1) // LENGTH * LENGTH
    x, y = CODES[:end].reshape(-1, LENGTH), CODES[1 : end + 1].reshape(-1, LENGTH)
    return {"letters guessed": (model(x).argmax(dim=-1) == y).float().mean()}
