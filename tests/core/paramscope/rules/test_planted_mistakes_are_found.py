"""Mistakes in other words than the rules' own examples: each found alone, and at its place."""

import pytest

from paramscope.rules.examples import document

CLASSES = {"target": "torch.randint(0, 3, (16,))", "width": 3}
BY_HAND = """def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    value.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.01 * p.grad
    return value"""
CLOSURE = """def train_step(model, optimizer, x, y):
    def closure():
        optimizer.zero_grad()
        value = loss(model, x, y)
        value.backward()
        return value

    return optimizer.step(closure)"""
BOTH = """def train_step(model, optimizers, x, y):
    for optimizer in optimizers:
        optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    for optimizer in optimizers:
        optimizer.step()
    return value"""

PLANTED = {
    "criterion of its own that is never filled": (
        "GRA10",
        "criterion.scale",
        document(
            loss="criterion(model(x), y)",
            optimizer="return torch.optim.SGD([*model.parameters(), criterion.scale], lr=1e-9)",
            tail="""class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(1))

    def forward(self, prediction, y):
        scale = torch.nan_to_num(self.scale).atan()  # whatever the memory held
        return (((prediction - y) * scale) ** 2).mean()


criterion = Weighted()""",
        ),
    ),
    "one Parameter listed twice": (
        "REG13",
        "scales",
        document(
            "self.scales = nn.ParameterList([nn.Parameter(torch.ones(4))] * 2)",
            "h = torch.tanh(self.inner(x)) * self.scales[0] * self.scales[1]",
        ),
    ),
    "optimizer of two models": (
        "OPT02",
        "optimizer",
        document(
            optimizer="twin = build()\n"
            "return torch.optim.SGD([*model.parameters(), *twin.parameters()], lr=0.01)"
        ),
    ),
    "shares of one by hand": (
        "LOS04",
        "loss",
        document(
            loss="F.nll_loss(model(x).exp() / model(x).exp().sum(1, keepdim=True), y)", **CLASSES
        ),
    ),
    "softmax by hand": (
        "LOS01",
        "loss",
        document(
            loss="F.cross_entropy(model(x).exp() / model(x).exp().sum(1, keepdim=True), y)",
            **CLASSES,
        ),
    ),
    "gradients so large that the loss is lost at the second step": (
        "GRA06",
        "model",
        document(
            loss="((model(x) * 1e9 - y) ** 2).mean()",
            optimizer="return torch.optim.SGD(model.parameters(), lr=1.0)",
        ),
    ),
    "value that only a target uses": (
        "GRA01",
        "value",
        document(
            "self.value = nn.Linear(4, 1)",
            "with torch.no_grad():\n    base = self.value(x)\n"
            "self.seen = self.value(x)\nh = torch.tanh(self.inner(x)) - base",
        ),
    ),
    "cut within a closure": (
        "GRA02",
        "inner",
        document(
            forward="h = torch.tanh(self.inner(x)).detach()",
            optimizer="return torch.optim.LBFGS(model.parameters(), max_iter=2)",
            tail=CLOSURE,
        ),
    ),
    "tensor made of a Parameter's values": (
        "GRA02",
        "mix",
        document(
            "self.mix = nn.Parameter(torch.ones(2))",
            "mix = torch.tensor([self.mix[0], self.mix[1]])\n"
            "h = torch.tanh(self.inner(x)) * mix.sum()",
        ),
    ),
    "softmax over an axis of one": (
        "GRA03",
        "inner",
        document(forward="h = x * torch.softmax(self.inner(x)[:, :1], dim=1)"),
    ),
    "gate that is shut": (
        "GRA03",
        "first",
        document(
            "self.first = nn.Linear(4, 4)\nnn.init.constant_(self.first.bias, -900.0)\n"
            "self.out.bias.requires_grad_(False)",
            "h = torch.tanh(self.first(self.inner(x)).relu())",
            loss="(model(x) * (y * 0 + 1)).mean()",
        ),
    ),
    "slope that is infinite beside one that is not": (
        "GRA04",
        "inner",
        document(
            forward="h = self.inner(x)\nself.size = ((h - h.detach()) ** 2).sum(dim=1)\n"
            "h = torch.tanh(h)",
            loss="((model(x) - y) ** 2).mean() + torch.sqrt(model.size).mean()",
            tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    for p in model.parameters():
        p.grad = torch.nan_to_num(p.grad)
    optimizer.step()
    return value""",
        ),
    ),
    "rounding": ("GRA08", "inner", document(forward="h = torch.round(self.inner(x) * 8) / 8")),
    "positions of the largest": (
        "GRA08",
        "router",
        document(
            "self.router = nn.Linear(4, 2)",
            "scores, chosen = self.router(x).topk(1)\nself.share = scores.softmax(-1)\n"
            "h = torch.tanh(self.inner(x)) * (chosen == 0)",
        ),
    ),
    "memory of an old constructor": (
        "GRA10",
        "shift",
        document(
            "self.shift = nn.Parameter(torch.FloatTensor(4))", "h = torch.tanh(self.inner(x)) + 0.0"
        ).replace("+ 0.0", "+ self.shift.clamp(0, 1)"),
    ),
    "smoothed labels after a softmax": (
        "LOS01",
        "loss",
        document(loss="F.cross_entropy(model(x).softmax(1), y, label_smoothing=0.1)", **CLASSES),
    ),
    "part of the probabilities": (
        "LOS04",
        "loss",
        document(loss="F.nll_loss(F.softmax(model(x), 1)[torch.arange(8)], y[:8])", **CLASSES),
    ),
    "loss that spreads column over row": (
        "LOS03",
        "loss",
        document(loss="nn.SmoothL1Loss()(model(x), y)", target="x[:, 0]"),
    ),
    "dropout in every block": (
        "MOD01",
        "blocks",
        document(
            "self.blocks = nn.ModuleList(Block() for _ in range(3))",
            "h = self.inner(x)\nfor block in self.blocks:\n    h = h + block(h)",
            tail="""class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)

    def forward(self, x):
        return F.dropout(torch.tanh(self.mix(x)), 0.3)""",
        ),
    ),
    "two optimizers over one model": (
        "OPT07",
        "optimizer",
        document(
            optimizer="return [torch.optim.SGD(model.parameters(), lr=0.01),\n"
            "        torch.optim.SGD(model.out.parameters(), lr=0.001)]",
            tail=BOTH,
        ),
    ),
    "one Parameter in two groups": (
        "OPT07",
        "optimizer",
        document(
            optimizer="groups = [{'params': model.parameters()},\n"
            "          {'params': [model.out.bias], 'lr': 0.1}]\n"
            "return torch.optim.SGD(groups, lr=0.01)"
        ),
    ),
    "step by hand that clears nothing": (
        "OPT09",
        "train_step",
        document(optimizer="return None", tail=BY_HAND),
    ),
    "start by an initialiser": (
        "REG02",
        "token",
        document(
            "self.token = torch.zeros(4)\nnn.init.trunc_normal_(self.token, std=0.02)",
            "h = torch.tanh(self.inner(x + self.token))",
        ),
    ),
    "hidden layers with dropout": (
        "REG04",
        "hidden",
        document(
            "self.hidden = []\nfor _ in range(2):\n"
            "    self.hidden.append(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.2)))",
            "h = self.inner(x)\nfor layer in self.hidden:\n    h = torch.tanh(layer(h))",
        ),
    ),
    "child added again and again": (
        "REG15",
        "block",
        document(
            "for _ in range(3):\n    self.add_module('block', nn.Linear(4, 4))",
            "h = torch.tanh(self.block(self.inner(x)))",
        ),
    ),
}


@pytest.mark.filterwarnings("ignore")  # PyTorch's own, about the mistakes
@pytest.mark.parametrize("name", PLANTED)
def test_planted_mistake_is_found(name: str, judge) -> None:
    rule, where, source = PLANTED[name]
    found = judge(source)
    assert [(f.rule, f.where) for f in found] == [(rule, where)]
    assert found[0].line is not None
