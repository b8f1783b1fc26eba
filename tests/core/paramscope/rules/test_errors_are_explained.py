"""Errors that name no place: the finding has the path, the line and the cause, on both engines."""

import pytest

from paramscope.rules.examples import document

BLOCK = """\
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)
{init}

    def forward(self, x):
{forward}


class Net"""
STEP = """\
def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
{lines}
    optimizer.step()
    return value"""


def nested(init: str, forward: str = "return self.lin(x)", held: str = "Block()") -> str:
    """Return a document whose model holds a Module with these lines as ``block``."""
    source = document(f"self.block = {held}", "h = torch.tanh(self.block(self.inner(x)))")
    head = BLOCK.format(
        init="\n".join(f"        {line}" for line in init.splitlines()),
        forward="\n".join(f"        {line}" for line in forward.splitlines()),
    )
    return source.replace("class Net", head, 1)


def stepping(lines: str, **parts: str) -> str:
    """Return a document with a ``train_step`` of these lines."""
    body = "\n".join(f"    {line}" for line in lines.splitlines())
    return document(tail=STEP.format(lines=body), **parts)


FROZEN = "model = Net()\nmodel.requires_grad_(False)\nreturn model"
CARRIED = "h = torch.tanh(self.lin(x) + self.kept)\nself.kept = h\nreturn h"
EXPLAINED = [
    # REG08
    ("REG08", "block.gate", "self.gate = torch.sigmoid", nested(
        "self.gate = nn.Parameter(torch.zeros(4))",
        "self.gate = torch.sigmoid(self.gate)\nreturn self.lin(x) * self.gate",
    )),
    ("REG08", "block.gate", "self.gate = self.gate * 2", nested(
        "self.gate = nn.Parameter(torch.zeros(4))\nself.gate = self.gate * 2",
    )),
    ("REG08", "block", "self.gate = self.gate * 2", nested(
        "self.gate = nn.Parameter(torch.zeros(4))\nself.gate = self.gate * 2",
        held="nn.ModuleList([Block() for _ in range(2)])",
    )),
    ("REG08", "block.1.gate", "self.gate = self.gate * 2", nested(
        "self.gate = nn.Parameter(torch.zeros(4))\nself.gate = self.gate * 2",
        held="nn.Sequential(nn.ReLU(), Block())",
    )),
    ("REG08", "inner", "self.inner = self.inner(x)", document(
        forward="h = self.inner = self.inner(x)"
    )),
    ("REG08", "inner.weight", "inner.weight = ", document(
        build="model = Net()\nmodel.inner.weight = torch.zeros(4, 4)\nreturn model"
    )),
    # OPT04
    ("OPT04", "optimizer", "second = ", document(optimizer=(
        "given = model.parameters()\nfirst = torch.optim.SGD(given, lr=0.1)\n"
        "second = torch.optim.SGD(given, lr=0.1)\nreturn [first, second]"
    ))),
    ("OPT04", "optimizer", "torch.optim", document(
        build=FROZEN,
        optimizer="return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)",
    )),
    # FRZ03
    ("FRZ03", "model", "requires_grad_(False)", document(build=FROZEN)),
    ("GRA02", "model", ".detach()", document(loss="((model(x).detach() - y) ** 2).mean()")),
    # INP01
    ("INP01", "block.scale", "self.scale.clamp_", nested(
        "self.scale = nn.Parameter(torch.ones(4))",
        "self.scale.clamp_(min=0.1)\nreturn self.lin(x) * self.scale",
    )),
    ("INP01", "block.lin.weight", "self.lin.weight[0]", nested("self.lin.weight[0] = 0")),
    ("INP01", "out.bias", "model.out.bias -= ", stepping(
        "value = loss(model, x, y)\nvalue.backward()\nmodel.out.bias -= 0.1"
    )),
    ("INP01", "train_step", "p -= ", stepping(
        "value = loss(model, x, y)\nvalue.backward()\n"
        "for p in model.parameters():\n    p -= 0.1 * p.grad"
    )),
    # INP02
    ("INP02", "block", "h.mul_(0.5)", nested(
        "pass", "h = torch.exp(self.lin(x))\nh.mul_(0.5)\nreturn h"
    )),
    ("INP02", "forward", "h[:, 0] = 0", document(
        forward="h = torch.softmax(self.inner(x), dim=-1)\nh[:, 0] = 0"
    )),
    ("INP02", "mean", "self.mean += 1.0", document(
        'self.register_buffer("mean", torch.ones(16, 4))',
        "h = self.inner(x) * self.mean\nself.mean += 1.0",
    )),
    # STA03
    ("STA03", "block.kept", "self.kept = h", nested("self.kept = torch.zeros(16, 4)", CARRIED)),
    ("STA03", "kept", "self.kept.append(h)", document(
        "self.kept = []", "h = torch.tanh(self.inner(x))\nself.kept.append(h)\nh = sum(self.kept)"
    )),
    ("STA03", "train_step", "other.backward()", stepping(
        "out = torch.tanh(model(x))\nvalue, other = (out - y).abs().mean(), (out**2).mean()\n"
        "value.backward()\nother.backward()"
    )),
    ("STA03", "loss", "return total", document(
        loss="add((model(x) - y).pow(2).mean())",
        tail="def add(value):\n    global total\n    total = total + value\n    return total\n\n\n"
        "total = 0.0",
    )),
    # STA04
    ("STA04", "block.scale", "nn.Parameter(torch.ones(4)) * 2", nested(
        "self.scale = nn.Parameter(torch.ones(4)) * 2",
    ).replace("self.block = Block()", "self.block = Block()\n        copy.deepcopy(self.block)")
        .replace("import torch\n", "import copy\n\nimport torch\n", 1)),
    # DTY01
    ("DTY01", "block.pos", "self.pos = ", nested("self.pos = nn.Parameter(torch.arange(4))")),
    ("DTY01", "pos", "register_parameter", document(
        'self.register_parameter("pos", nn.Parameter(torch.arange(4)))'
    )),
    # REG09
    ("REG09", "block.lin", "self.lin = ", nested("pass").replace(
        "        super().__init__()\n        self.lin", "        self.lin"
    )),
    # LAZ01
    ("LAZ01", "wide.weight", "self.wide.weight", document(
        "self.wide = nn.LazyLinear(4)\nnn.init.xavier_uniform_(self.wide.weight)"
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "where", "line", "source"),
    EXPLAINED,
    ids=[f"{e[0]}-{e[1]}-{n}" for n, e in enumerate(EXPLAINED)],
)
def test_error_is_explained_with_path_and_line(
    rule: str, where: str, line: str, source: str, judge
) -> None:
    found = judge(source)
    assert [(finding.rule, finding.where) for finding in found] == [(rule, where)]
    assert line in source.splitlines()[found[0].line - 1]


def test_misspelt_init_is_the_reason_of_an_empty_optimizer(judge) -> None:
    found = judge(document().replace("def __init__", "def _init_"))
    assert [finding.rule for finding in found] == ["OPT04"]
    assert "has a method `_init_`, which nobody calls" in found[0].message


def test_filter_that_picks_nothing_is_told_from_an_iterator_that_is_used_up(judge) -> None:
    source = document(
        optimizer='head = [p for n, p in model.named_parameters() if "head" in n]\n'
        "return torch.optim.SGD(head, lr=0.1)"
    )
    assert "picks none of them" in judge(source)[0].message


def test_both_lines_of_an_overwritten_value_are_named(judge) -> None:
    source = document(forward="h = torch.tanh(self.inner(x))\nh += 1.0")
    lines = source.splitlines()
    message = judge(source)[0].message
    wrote = 1 + next(n for n, line in enumerate(lines) if "h += 1.0" in line)
    needed = 1 + next(n for n, line in enumerate(lines) if "torch.tanh" in line)
    assert f"in line {wrote}" in message
    assert f"in line {needed}" in message


def test_finding_of_an_error_goes_when_the_source_is_mended(judge) -> None:
    broken = document(build=FROZEN)
    assert judge(broken)
    assert judge(document()) == []
