"""What each edit does to the text, before anything is run: the right place, and nothing else."""

import pytest

from paramscope.check.mend import mends_of
from paramscope.rules.finding import Finding

HEAD = "import torch\nfrom torch import nn\n\n\n"


def in_init(*lines: str) -> str:
    body = "".join(f"        {line}\n" for line in lines)
    return f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n{body}"


def in_forward(*lines: str) -> str:
    body = "".join(f"        {line}\n" for line in lines)
    return f"{HEAD}class Net(nn.Module):\n    def forward(self, x):\n{body}"


def in_step(*lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"{HEAD}def train_step(model, opt, x, y):\n{body}"


CASES = [
    ("REG03", "w", in_init("self.w = [a, b]"), in_init("self.w = nn.ParameterList([a, b])")),
    ("REG04", "w", in_init("self.w = a, b"), in_init("self.w = nn.ModuleList((a, b))")),
    ("REG04", "w", in_init("self.w = {'a': a}"), in_init("self.w = nn.ModuleDict({'a': a})")),
    (
        "REG05",
        "w",
        in_init("self.w = nn.Parameter(a + b) * 2  # twice"),
        in_init("self.w = nn.Parameter((a + b) * 2)  # twice"),
    ),
    (
        "REG05",
        "w",
        in_init("self.w = torch.randn(4, requires_grad=True) / 4**0.5  # scaled"),
        in_init("self.w = nn.Parameter(torch.randn(4) / 4**0.5)  # scaled"),
    ),
    (
        "REG05",
        "w",
        in_init("self.w = 0.1 * torch.randn(4).requires_grad_()"),
        in_init("self.w = nn.Parameter(0.1 * torch.randn(4))"),
    ),
    (
        "REG08",
        "mix",
        in_forward("self.mix = torch.softmax(self.mix, 0)", "return self.mix * x"),
        in_forward("mix = torch.softmax(self.mix, 0)", "return mix * x"),
    ),
    (
        "REG09",
        "model",
        in_init("self.a = nn.Linear(1, 1)", "super().__init__()"),
        in_init("super().__init__()", "self.a = nn.Linear(1, 1)"),
    ),
    (
        "REG09",
        "model",
        in_init("self.a = nn.Linear(1, 1)", "super().__init__()  # first"),
        in_init("super().__init__()  # first", "self.a = nn.Linear(1, 1)"),
    ),
    (
        "REG01",
        "w",
        in_init("setattr(self, 'w', torch.ones(2, requires_grad=True))"),
        in_init("setattr(self, 'w', nn.Parameter(torch.ones(2, requires_grad=True)))"),
    ),
    (
        "REG08",
        "a.weight",
        in_init("self.a.weight = torch.ones(2, 2)"),
        in_init("with torch.no_grad():", "    self.a.weight.copy_(torch.ones(2, 2))"),
    ),
    ("OPT04", "optimizer", in_init("pass").replace("__init__", "_init_"), in_init("pass")),
    (
        "OPT10",
        "train_step",
        in_step("y.backward()", "for p in model.parameters():", "    p.grad = None  # all"),
        in_step("for p in model.parameters():", "    p.grad = None  # all", "y.backward()"),
    ),
    (
        "FRZ01",
        "a",
        in_init("setattr(self.a, 'require_grad', False)"),
        in_init('setattr(self.a, "requires_grad", False)'),
    ),
    (
        "FRZ02",
        "a",
        in_init("setattr(self.a, 'requires_grad', False)"),
        in_init("self.a.requires_grad_(False)"),
    ),
    (
        "STA01",
        "mean",
        in_init("self.register_buffer('mean', torch.ones(2), False)"),
        in_init("self.register_buffer('mean', torch.ones(2))"),
    ),
    (
        "STA03",
        "state",
        in_forward("self.state = self.state + x"),
        in_forward("self.state = (self.state + x).detach()"),
    ),
    (
        "STA04",
        "seen",
        in_forward("self.seen.append(x)"),
        in_forward("self.seen.append(x.detach())"),
    ),
    (
        "REG13",
        "blocks",
        in_init("self.blocks = nn.ModuleList(a for _ in range(3))"),
        "import copy\n"
        + in_init("self.blocks = nn.ModuleList(copy.deepcopy(a) for _ in range(3))"),
    ),
    (
        "GRA07",
        "a",
        in_forward("with torch.set_grad_enabled(x):", "    x = self.a(x)"),
        in_forward("with torch.set_grad_enabled(True):", "    x = self.a(x)"),
    ),
    (
        "REG11",
        "mean",
        in_init("super().__init__()", "self.mean = torch.zeros(3)"),
        in_init("super().__init__()", 'self.register_buffer("mean", torch.zeros(3))'),
    ),
    (
        "REG12",
        "w",
        in_init("super().__init__()", "self.register_buffer('w', torch.ones(3))"),
        in_init("super().__init__()", "self.w = nn.Parameter(torch.ones(3))"),
    ),
    (
        "REG13",
        "w",
        in_init("self.w = nn.ModuleList([nn.Linear(1, 1)] * count)"),
        in_init("self.w = nn.ModuleList([nn.Linear(1, 1) for _ in range(count)])"),
    ),
    (
        "REG14",
        "b.weight",
        in_init("self.b.weight.data = self.a.weight.data.clone()"),
        in_init("self.b.weight = self.a.weight"),
    ),
    (
        "STA01",
        "mean",
        in_init("self.register_buffer('mean', torch.zeros(3), persistent=False)"),
        in_init("self.register_buffer('mean', torch.zeros(3))"),
    ),
    (
        "STA03",
        "state",
        in_forward("self.state = h + x", "return h"),
        in_forward("self.state = (h + x).detach()", "return h"),
    ),
    ("INP01", "w", in_forward("self.w *= 0.9"), None),
    ("INP02", "w", in_forward("x += a - b"), in_forward("x = x + (a - b)")),
    (
        "DTY01",
        "w",
        in_init("self.w = nn.Parameter(torch.arange(3))"),
        in_init("self.w = nn.Parameter(torch.arange(3, dtype=torch.float32))"),
    ),
    (
        "GRA07",
        "w",
        in_forward("with torch.no_grad():", "    # a note", "    h = self.w(x)", "return h"),
        in_forward("# a note", "h = self.w(x)", "return h"),
    ),
    ("FRZ02", "w", in_init("a.w.requires_grad = False"), in_init("a.w.requires_grad_(False)")),
    (
        "MOD01",
        "model",
        in_forward("return nn.functional.dropout(x, 0.5)"),
        in_forward("return nn.functional.dropout(x, 0.5, training=self.training)"),
    ),
    ("MOD02", "model", in_step("pass"), in_step("model.train()", "pass")),
    (
        "OPT10",
        "train_step",
        in_step("value.backward()", "opt.zero_grad()", "opt.step()"),
        in_step("opt.zero_grad()", "value.backward()", "opt.step()"),
    ),
    (
        "LOS01",
        "loss",
        in_forward("return torch.softmax(self.out(x), dim=1)"),
        in_forward("return self.out(x)"),
    ),
    (
        "LOS01",
        "loss",
        in_forward("return self.out(x).softmax(1)"),
        in_forward("return self.out(x)"),
    ),
    (
        "LOS04",
        "loss",
        in_forward("return torch.softmax(x, 1)"),
        in_forward("return torch.log_softmax(x, 1)"),
    ),
]


@pytest.mark.parametrize(
    ("rule", "where", "before", "after"),
    CASES,
    ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)],
)
def test_edit_changes_its_place_alone(
    rule: str, where: str, before: str, after: str | None
) -> None:
    offered = []
    for line in range(5, before.count("\n") + 1):
        finding = Finding(rule, where, "E", "", line=line)
        offered += [mend.source for mend in mends_of(finding, before)]
    if after is None:
        after = in_forward("with torch.no_grad():", "    self.w *= 0.9")
    assert after in offered


def test_edit_with_an_import_of_its_own_finds_its_line_again() -> None:
    source = "import torch\n\n\nclass Net(torch.nn.Module):\n    def __init__(self):\n"
    source += "        self.w = [a]\n"
    finding = Finding("REG04", "w", "E", "", line=6)
    assert next(mends_of(finding, source)).source == source.replace(
        "[a]", "torch.nn.ModuleList([a])"
    )


def test_optimizer_is_given_what_it_lacks() -> None:
    source = "def optimizer(model):\n    return SGD(model.a.parameters(), lr=0.1)\n"
    finding = Finding("OPT01", "blocks.0.w", "E", "", line=1)
    first = next(mends_of(finding, source)).source
    assert "SGD([*model.a.parameters(), model.blocks[0].w], lr=0.1)" in first


def test_optimizer_with_groups_gets_a_group() -> None:
    source = 'def optimizer(model):\n    return SGD([{"params": [a]}], lr=0.1)\n'
    finding = Finding("OPT01", "w", "E", "", line=1)
    first = next(mends_of(finding, source)).source
    assert 'SGD([{"params": [a]}, {"params": [model.w]}], lr=0.1)' in first
