"""What looks like a mistake and is none: models that must leave the rules silent."""

import pytest

MODEL = """\
import math
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self{arguments}):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 1)
{init}

    def forward(self, x):
{forward}
        return self.b(h)


def build():
    return Net({given})


def optimizer(model):
    return torch.optim.SGD([{optimized}], lr=0.001)


def batch():
    x = torch.randn(8, 4)
    return x, x.sum(dim=1, keepdim=True)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""


def document(
    init: str = "pass",
    forward: str = "h = torch.tanh(self.a(x))",
    arguments: str = "",
    given: str = "",
    optimized: str = "*model.parameters()",
) -> str:
    pad = " " * 8
    return MODEL.format(
        init="\n".join(pad + line for line in init.splitlines()),
        forward="\n".join(pad + line for line in forward.splitlines()),
        arguments=arguments,
        given=given,
        optimized=optimized,
    )


TRAPS = {
    "registered buffer of random features": document(
        'self.register_buffer("features", torch.randn(4, 4))',
        "h = torch.cos(self.a(x) @ self.features)",
    ),
    "deterministic table": document(
        "self.table = torch.sin(torch.arange(4).float() / math.pi)", "h = self.a(x) + self.table"
    ),
    "constant normalisation": document(
        "self.mean = torch.tensor([0.1, 0.2, 0.3, 0.4])", "h = self.a(x - self.mean)"
    ),
    "random integers as an index": document(
        "self.order = torch.randperm(4)", "h = self.a(x[:, self.order])"
    ),
    "random mask": document(
        "self.mask = (torch.rand(4) > 0.5).float()", "h = self.a(x) * self.mask"
    ),
    "random tensor that is never read": document("self.spare = torch.randn(4)"),
    "data that was handed in": document(
        "self.points = points",
        "h = torch.cdist(self.a(x), self.points) if hasattr(torch, 'cdist') else self.a(x)\n"
        "h = h[:, :4]",
        ", points",
        "torch.randn(4, 4)",
    ),
    "hidden state that starts at random": document(
        "self.state = torch.randn(8, 4)",
        "h = torch.tanh(self.a(x) + self.state)\nself.state = h.detach()",
    ),
    "memory that is written in place": document(
        "self.memory = torch.randn(4)",
        "h = self.a(x) + self.memory\n"
        "with torch.no_grad():\n"
        "    self.memory.mul_(0.9).add_(h.mean(0), alpha=0.1)",
    ),
    "input that is asked for its gradient": document(
        "pass", "self.seen = x.clone().requires_grad_(True)\nh = torch.tanh(self.a(self.seen))"
    ),
    "parameters listed again": document("self.weights = [self.a.weight, self.b.weight]"),
    "frozen teacher in a list": document(
        "teacher = nn.Linear(4, 4)\nteacher.requires_grad_(False)\nself.teacher = [teacher]",
        "h = torch.tanh(self.a(x)) + self.teacher[0](x)",
    ),
    "tied weights": document("self.c = nn.Linear(4, 4)\nself.c.weight = self.a.weight"),
    "dropout and noise made in forward": document(
        "self.drop = nn.Dropout(0.2)", "h = self.drop(self.a(x) + 0.1 * torch.randn(8, 4))"
    ),
}


@pytest.mark.parametrize("source", TRAPS.values(), ids=TRAPS.keys())
def test_trap_is_silent(judge, source) -> None:
    assert [finding for finding in judge(source) if finding.rule.startswith("REG")] == []


def test_plain_tensor_that_is_optimised_itself_is_a_hint(judge) -> None:
    source = document(
        "self.style = torch.zeros(4, requires_grad=True)",
        "h = torch.tanh(self.a(x + self.style))",
        optimized="*model.parameters(), model.style",
    )
    findings = [f for f in judge(source) if f.rule == "REG01"]
    assert [finding.severity for finding in findings] == ["H"]


@pytest.mark.parametrize(
    "expression",
    [
        "torch.randn(4)",
        "0.02 * torch.randn(4)",
        "torch.rand(4) * 2 - 1",
        "torch.empty(4).normal_()",
        "nn.init.uniform_(torch.empty(4), -1, 1)",
        "torch.normal(0.0, 1.0, (4,))",
        "torch.randn(2, 2).view(4)",
        "torch.randn(4).clone().detach()",
        "torch.randn_like(self.a.bias)",
    ],
)
def test_random_start_is_followed_through_arithmetic(judge, expression) -> None:
    findings = judge(document(f"self.w = {expression}", "h = self.a(x) * self.w"))
    assert [(f.rule, f.where, f.line) for f in findings] == [("REG02", "w", 12)]
    assert [edit.label for edit in findings[0].edits] == [
        "Register as Parameter",
        "Register as buffer",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "self.w = torch.ones(4, requires_grad=True)",
        "self.w = torch.ones(4).requires_grad_()",
        "self.w: torch.Tensor = torch.tensor([1.0, 1.0, 1.0, 1.0], requires_grad=True)",
        "self.w, self.n = torch.ones(4, requires_grad=True), 3",
        "self.w = torch.ones(4)\nself.w.requires_grad = True",
    ],
)
def test_plain_tensor_that_asks_for_gradients_is_found(judge, statement) -> None:
    findings = judge(document(statement, "h = self.a(x) * self.w"))
    assert [(f.rule, f.severity, f.where, f.line) for f in findings] == [("REG01", "E", "w", 12)]
    edit = findings[0].edits[0]
    assert (edit.action, edit.class_name, edit.attribute) == ("register", "Net", "w")


def test_verdict_stands_before_the_first_step(judge) -> None:
    source = document("self.w = torch.ones(4, requires_grad=True)", "h = self.a(x) * self.w")
    assert [finding.rule for finding in judge(source, steps=0)] == ["REG01"]


def test_findings_of_submodules_have_their_whole_path(judge) -> None:
    inner = document("self.w = torch.ones(4, requires_grad=True)", "h = self.a(x) * self.w")
    outer = inner.replace("return Net()", "return nn.Sequential(nn.Identity(), Net())")
    findings = judge(outer)
    assert [(finding.where, finding.line) for finding in findings] == [("1.w", 12)]
