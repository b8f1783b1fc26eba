import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab_size: int = 50
    hidden_size: int = 16
    num_layers: int = 2
    num_heads: int = 2
    max_position: int = 32
    pad_token_id: int = 0
    initializer_range: float = 0.02
    labels: list = field(default_factory=lambda: ["a", "b"])


@dataclass
class Output:
    loss: torch.Tensor | None = None
    logits: torch.Tensor = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


class Embeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c.vocab_size, c.hidden_size, padding_idx=c.pad_token_id)
        self.position_embeddings = nn.Embedding(c.max_position, c.hidden_size)
        self.LayerNorm = nn.LayerNorm(c.hidden_size, eps=1e-12)
        self.register_buffer(
            "position_ids", torch.arange(c.max_position).unsqueeze(0), persistent=False
        )

    def forward(self, ids):
        pos = self.position_ids[:, : ids.size(1)]
        return self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings(pos))


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.h, self.d = c.num_heads, c.hidden_size // c.num_heads
        self.query = nn.Linear(c.hidden_size, c.hidden_size)
        self.key = nn.Linear(c.hidden_size, c.hidden_size)
        self.value = nn.Linear(c.hidden_size, c.hidden_size)
        self.dense = nn.Linear(c.hidden_size, c.hidden_size)
        self.LayerNorm = nn.LayerNorm(c.hidden_size)

    def split(self, t):
        return t.view(t.size(0), -1, self.h, self.d).transpose(1, 2)

    def forward(self, x, mask):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        a = (q @ k.transpose(-1, -2)) / math.sqrt(self.d) + mask
        o = (a.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return self.LayerNorm(x + self.dense(o))


class PreTrained(nn.Module):
    config_class = Config

    def __init__(self, config):
        super().__init__()
        self.config = config

    def post_init(self):
        self.apply(self._init_weights)

    def _init_weights(self, m):
        if isinstance(m, nn.Linear):
            m.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if m.bias is not None:
                m.bias.data.zero_()
        elif isinstance(m, nn.Embedding):
            m.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if m.padding_idx is not None:
                m.weight.data[m.padding_idx].zero_()


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layer = nn.ModuleList(
            [
                nn.ModuleDict(
                    {
                        "attention": SelfAttention(c),
                        "mlp": nn.Sequential(
                            nn.Linear(c.hidden_size, 32), nn.GELU(), nn.Linear(32, c.hidden_size)
                        ),
                    }
                )
                for _ in range(c.num_layers)
            ]
        )

    def forward(self, x, mask):
        states = ()
        for block in self.layer:
            states += (x,)
            x = block["attention"](x, mask)
            x = x + block["mlp"](x)
        return x, states


class ForClassification(PreTrained):
    def __init__(self, config):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, len(config.labels))
        self.post_init()

    def forward(self, input_ids, attention_mask=None, labels=None):
        mask = (1.0 - attention_mask[:, None, None, :].float()) * -1e4
        x, states = self.encoder(self.embeddings(input_ids), mask)
        logits = self.classifier(torch.tanh(self.pooler(x[:, 0])))
        loss = F.cross_entropy(logits, labels) if labels is not None else None
        return Output(loss, logits, states)


def build():
    return ForClassification(Config())


def optimizer(model):
    no_decay = ("bias", "LayerNorm.weight")
    named = list(model.named_parameters())
    groups = [
        {
            "params": [p for n, p in named if not any(k in n for k in no_decay)],
            "weight_decay": 0.01,
        },
        {"params": [p for n, p in named if any(k in n for k in no_decay)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-3)


def batch():
    ids = torch.randint(1, 50, (4, 10))
    ids[:, 8:] = 0
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}, torch.randint(0, 2, (4,))


def loss(model, x, y):
    return model(**x, labels=y).loss
