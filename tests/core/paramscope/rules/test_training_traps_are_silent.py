"""Ways to train that look odd and are right: every rule must leave them alone."""

import pytest

from paramscope.rules.examples import document

TWO_OPTIMIZERS = document(
    optimizer="return [torch.optim.SGD(model.inner.parameters(), lr=0.01),\n"
    "        torch.optim.Adam(model.out.parameters(), lr=0.01)]"
)
ACCUMULATION = document(
    tail="""calls = []


def train_step(model, optimizer, x, y):
    calls.append(1)
    value = loss(model, x, y)
    (value / 2).backward()
    if len(calls) % 2 == 0:
        optimizer.step()
        optimizer.zero_grad()
    return value"""
)
CRITIC_AND_MAKER = document(
    optimizer="return [torch.optim.SGD(model.inner.parameters(), lr=0.01),\n"
    "        torch.optim.SGD(model.out.parameters(), lr=0.01)]",
    tail="""def train_step(model, optimizers, x, y):
    maker, critic = optimizers
    critic.zero_grad()
    value = ((model.out(torch.tanh(model.inner(x)).detach()) - y) ** 2).mean()
    value.backward()
    critic.step()
    maker.zero_grad()
    loss(model, x, y).backward()
    maker.step()
    return value""",
)
MANUAL_UPDATE = document(
    optimizer="return torch.optim.SGD(model.out.parameters(), lr=0.01)",
    tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    for p in model.inner.parameters():
        p.grad = None
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    with torch.no_grad():
        for p in model.inner.parameters():
            p -= 0.01 * p.grad
    return value""",
)
MOVING_AVERAGE = document(
    "self.average = nn.Linear(4, 4)",
    "h = torch.tanh(self.inner(x))\n"
    "with torch.no_grad():\n"
    "    self.average.weight.lerp_(self.inner.weight, 0.1)\n"
    "h = h + self.average(x).detach()",
    optimizer="trained = [*model.inner.parameters(), *model.out.parameters()]\n"
    "return torch.optim.SGD(trained, lr=0.01)",
)
SILENT = {
    "one optimizer a part": TWO_OPTIMIZERS,
    "gradients added up over two batches": ACCUMULATION,
    "detached for one of two optimizers": CRITIC_AND_MAKER,
    "update by hand": MANUAL_UPDATE,
    "moving average of the weights": MOVING_AVERAGE,
    "frozen part in no_grad, left in the optimizer": document(
        "self.inner.requires_grad_(False)",
        "with torch.no_grad():\n    h = torch.tanh(self.inner(x))",
    ),
    "straight-through rounding": document(
        forward="h = self.inner(x)\nh = h + (torch.round(h) - h).detach()"
    ),
    "value looked at on the way": document(
        forward="h = torch.tanh(self.inner(x))\nself.mean = h.mean().item()\nself.last = h.detach()"
    ),
    "factor that starts at zero": document(
        "self.gate = nn.Parameter(torch.zeros(4))",
        "h = x + self.gate * torch.tanh(self.inner(x))",
    ),
    "bias before a normalisation": document(
        "self.norm = nn.LayerNorm(4)", "h = torch.tanh(self.norm(self.inner(x)))"
    ),
    "normalisation that trains": document(
        "self.norm = nn.BatchNorm1d(4)", "h = torch.tanh(self.norm(self.inner(x)))"
    ),
    "frozen normalisation in eval mode": document(
        "self.norm = nn.BatchNorm1d(4).requires_grad_(False).eval()",
        "h = torch.tanh(self.norm(self.inner(x)))",
    ),
    "input of its own that is optimised": document(
        "self.register_buffer('one', torch.ones(4))",
        "h = torch.tanh(self.inner(x)) * self.one",
        optimizer="model.extra = None\n"
        "extra = torch.zeros(2, requires_grad=True)\n"
        "return torch.optim.SGD([*model.parameters(), extra], lr=0.01)",
    ),
    "weights made with empty and filled": document(
        "self.scale = nn.Parameter(torch.empty(4))\nnn.init.ones_(self.scale)",
        "h = torch.tanh(self.inner(x)) * self.scale",
    ),
    "one weight under two names": document(
        "self.again = nn.Linear(4, 4)\nself.again.weight = self.inner.weight",
        "h = torch.tanh(self.again(torch.tanh(self.inner(x))))",
    ),
    "differences of all pairs on purpose": document(
        loss="((model(x)[:, None] - y[None]) ** 2).mean()"
    ),
    "softmax within the model": document(
        forward="h = torch.softmax(self.inner(x), dim=1)",
        loss="F.cross_entropy(model(x), y)",
        target="torch.randint(0, 3, (16,))",
        width=3,
    ),
    "log-softmax before nll_loss": document(
        loss="F.nll_loss(F.log_softmax(model(x), dim=1), y)",
        target="torch.randint(0, 3, (16,))",
        width=3,
    ),
    "probabilities as targets": document(
        loss="F.cross_entropy(model(x), y)",
        target="torch.softmax(torch.randn(16, 3), dim=1)",
        width=3,
    ),
    "model without an optimizer": document(optimizer="return None"),
}


@pytest.mark.parametrize("source", SILENT.values(), ids=SILENT.keys())
def test_training_trap_is_silent(judge, source) -> None:
    assert judge(source, steps=6) == []


def test_fault_of_a_whole_module_is_told_once(judge) -> None:
    source = document(
        "self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))",
    )
    assert [(f.rule, f.where) for f in judge(source)] == [("GRA01", "block")]


def test_result_that_is_thrown_away_is_told_so(judge) -> None:
    source = document("self.norm = nn.LayerNorm(4)", "h = torch.tanh(self.inner(x))\nself.norm(h)")
    findings = judge(source)
    assert [(f.rule, f.where) for f in findings] == [("GRA01", "norm")]
    assert "the result has no part in the loss" in findings[0].message


def test_cut_names_its_line(judge) -> None:
    source = document(forward="h = torch.tanh(self.inner(x))\nh = torch.tensor(h.tolist())")
    findings = judge(source)
    assert [(f.rule, f.where, f.line) for f in findings] == [("GRA02", "inner", 14)]
