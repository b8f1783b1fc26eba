"""Models that other tools trip over run as they would without anybody looking."""

import pytest

from paramscope.census.rows import Kind, Stepping
from paramscope.engine.session import Session

HEAD = """\
import collections
import torch
import torch.nn.functional as F
from torch import nn

"""
TAIL = """

def batch():
    x = torch.randn(8, 4)
    return x, x.sum(dim=1, keepdim=True)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""
MODELS = {
    "rows of an embedding zeroed in place": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(6, 4, padding_idx=0)
        self.out = nn.Linear(4, 1)
    def forward(self, x):
        return self.out(self.embed((x > 0).long()[:, 0]))
""",
    "recurrent layers": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(2, 3, num_layers=2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(6, 1)
        self.lengths = collections.deque(maxlen=4)
    def forward(self, x):
        h, _ = self.rnn(x.view(8, 2, 2))
        self.lengths.append(h.shape[1])
        return self.out(h.mean(1))
""",
    "attention": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.out = nn.Linear(4, 1)
    def forward(self, x):
        h, self.map = self.attention(x[:, None], x[:, None], x[:, None])
        return self.out(h[:, 0])
""",
    "parameters of several dtypes, and none": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 1)
        self.wide = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.narrow = nn.Parameter(torch.ones(1, dtype=torch.float16))
        self.register_parameter("nothing", None)
        self.register_buffer("empty", None)
        self.count = torch.zeros((), dtype=torch.int64)
        self.names = ["a"] * 20_000
        self.function = lambda x: x
    def forward(self, x):
        self.count += 1
        return self.function(self.out(x)) * self.wide.float() * self.narrow.float()
""",
    "no parameters of its own": """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 1))
""",
    "a function of its own with its own gradient": """
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w
    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, (g * x).sum(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(4))
        self.out = nn.Linear(4, 1)
    def forward(self, x):
        return self.out(Double.apply(x, self.gain))
""",
    "a gradient within the loss": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    def forward(self, x):
        z = x.clone().requires_grad_(True)
        s = self.out(z)
        (g,) = torch.autograd.grad(s.sum(), z, create_graph=True)
        return s + (g ** 2).sum(1, keepdim=True)
""",
}
BUILD = """

def build():
    return Net()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.001)
"""


def steps(adapter, source: str, count: int, observed: bool) -> Session:
    session = Session(adapter, observed=observed)
    assert session.load(source, "<document>"), session.failure.text
    for _ in range(count):
        assert session.run_step(), session.failure.text
    session.look()
    return session


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_odd_model_trains_the_same_watched_and_unwatched(adapter, model) -> None:
    source = HEAD + model + BUILD + TAIL
    watched = steps(adapter, source, 5, observed=True)
    unwatched = steps(adapter, source, 5, observed=False)
    assert watched.take_news().losses == unwatched.take_news().losses
    assert watched.findings == ()
    rows = {row.path: row for row in steps(adapter, source, 4, observed=True).take_news().rows}
    trained = [row for row in rows.values() if row.kind is Kind.PARAMETER]
    assert {row.stepping for row in trained} == {Stepping.IN_OPTIMIZER}


def test_lazy_layer_gets_its_shape_in_the_first_step(adapter) -> None:
    source = HEAD + (
        "def build():\n    return nn.Sequential(nn.LazyLinear(3), nn.Tanh(), nn.Linear(3, 1))\n\n\n"
        "def optimizer(model):\n    return None\n"
    )
    session = Session(adapter)
    assert session.load(source + TAIL, "<document>"), session.failure.text
    before = {row.path: row.kind for row in session.take_news().rows}
    assert before["0.weight"] is Kind.UNINITIALIZED
    for _ in range(3):
        assert session.run_step(), session.failure.text
    after = {row.path: row for row in session.take_news().rows}
    assert (after["0.weight"].kind, after["0.weight"].shape) == (Kind.PARAMETER, (3, 4))


def test_closure_of_an_optimizer_is_followed(adapter) -> None:
    source = HEAD + (
        "def build():\n    return nn.Linear(4, 1)\n\n\n"
        "def optimizer(model):\n    return torch.optim.LBFGS(model.parameters(), max_iter=8)\n\n\n"
        "def train_step(model, optimizer, x, y):\n"
        "    def closure():\n"
        "        optimizer.zero_grad()\n"
        "        value = loss(model, x, y)\n"
        "        value.backward()\n"
        "        return value\n"
        "    return optimizer.step(closure)\n"
    )
    session = steps(adapter, source + TAIL, 4, observed=True)
    assert [loss for _, loss in session.take_news().losses][-1] < 0.05
    assert session.findings == ()
