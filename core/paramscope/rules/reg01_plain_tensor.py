"""REG01: a plain tensor with ``requires_grad=True`` as an attribute: its gradients go nowhere."""

from collections.abc import Iterator

from paramscope.census.census import line_of, optimizer_groups
from paramscope.census.evidence import Evidence
from paramscope.census.states import is_forgotten_leaf
from paramscope.census.walk import FoundTensor, Place
from paramscope.rules.finding import ERROR, HINT, Finding, OfferedEdit
from paramscope.rules.rule import Rule

BAD = """\
import torch
from torch import nn


class Gain(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = torch.ones(3, requires_grad=True)

    def forward(self, x):
        return self.linear(x) * self.scale


def build():
    return Gain()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    x = torch.randn(16, 3)
    return x, 2 * x


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
"""

GOOD = BAD.replace("torch.ones(3, requires_grad=True)", "nn.Parameter(torch.ones(3))")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each plain leaf attribute that requires a gradient, once, at its first path."""
    stepped = {
        id(tensor)
        for optimizer in evidence.optimizers
        for group in optimizer_groups(optimizer)
        for tensor in group.get("params", ())
    }
    seen = set()
    for found in evidence.walk.tensors:
        key = id(found.tensor)
        if key in seen or found.place not in (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE):
            continue
        if is_forgotten_leaf(found, evidence):
            seen.add(key)
            yield _finding(found, evidence, is_stepped=key in stepped)


def _finding(found: FoundTensor, evidence: Evidence, is_stepped: bool) -> Finding:
    count = found.tensor.numel()
    values = "1 value" if count == 1 else f"{count} values"
    what = f"`{found.path}` is a plain tensor of {values} with requires_grad=True"
    line = line_of(found, evidence)
    if is_stepped:
        return RULE.finding(
            where=found.path,
            severity=HINT,
            message=f"{what}: an optimizer steps it, but it is not part of the model.",
            cause="state_dict(), .to() and parameters() skip what is not registered.",
            line=line,
            edits=_edits(found, evidence),
        )
    arrives = "gets gradients" if found.tensor.grad is not None else "asks for gradients"
    return RULE.finding(
        where=found.path,
        message=f"{what}: it {arrives}, and no optimizer steps it. It never learns.",
        cause="Only an nn.Parameter is registered when it is assigned to an attribute.",
        line=line,
        edits=_edits(found, evidence),
    )


def _edits(found: FoundTensor, evidence: Evidence) -> tuple[OfferedEdit, ...]:
    made = evidence.source.assignment(type(found.owner).__mro__, found.attribute)
    if made is None:
        return ()
    return (
        OfferedEdit(
            "Register as Parameter", "register", made.class_name, made.attribute, made.line
        ),
    )


RULE = Rule(
    id="REG01",
    severity=ERROR,
    title="Plain tensor that requires a gradient",
    help=(
        "A tensor with requires_grad=True receives a gradient at each backward(), but a plain "
        "attribute is not registered: parameters() does not list it, so no optimizer moves it, "
        "and state_dict() does not save it. Wrap it in nn.Parameter."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
