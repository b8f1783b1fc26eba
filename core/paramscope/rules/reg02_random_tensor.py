"""REG02: a plain random tensor, made in ``__init__`` and used in ``forward`` like a weight."""

from collections.abc import Iterator

from paramscope.census.census import line_of
from paramscope.census.evidence import Evidence
from paramscope.census.states import is_untrained_weight
from paramscope.census.walk import FoundTensor
from paramscope.rules.finding import WARNING, Finding, OfferedEdit
from paramscope.rules.rule import Rule

BAD = """\
import torch
from torch import nn


class Memory(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(4, 8)
        self.keys = torch.randn(6, 8) * 0.1
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        return self.out(torch.softmax(self.query(x) @ self.keys.t(), dim=-1))


def build():
    return Memory()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    return torch.randn(16, 4), torch.randint(0, 2, (16,))


def loss(model, x, y):
    return nn.functional.cross_entropy(model(x), y)
"""

GOOD = BAD.replace("torch.randn(6, 8) * 0.1", "nn.Parameter(torch.randn(6, 8) * 0.1)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each random plain tensor that ``forward`` reads and nothing ever changes."""
    seen = set()
    for found in evidence.walk.tensors:
        if id(found.tensor) not in seen and is_untrained_weight(found, evidence):
            seen.add(id(found.tensor))
            yield _finding(found, evidence)


def _finding(found: FoundTensor, evidence: Evidence) -> Finding:
    count = found.tensor.numel()
    values = "1 random value" if count == 1 else f"{count} random values"
    return RULE.finding(
        where=found.path,
        message=(
            f"`{found.path}` holds {values} from `__init__`, and `forward` uses them like a "
            "weight. A plain tensor never learns, and state_dict() does not save it."
        ),
        cause="Only an nn.Parameter is registered when it is assigned to an attribute.",
        line=line_of(found, evidence),
        edits=_edits(found, evidence),
    )


def _edits(found: FoundTensor, evidence: Evidence) -> tuple[OfferedEdit, ...]:
    made = evidence.source.assignment(type(found.owner).__mro__, found.attribute)
    if made is None:
        return ()
    place = (made.class_name, made.attribute, made.line)
    return (
        OfferedEdit("Register as Parameter", "register", *place),
        OfferedEdit("Register as buffer", "register_buffer", *place),
    )


RULE = Rule(
    id="REG02",
    severity=WARNING,
    title="Random tensor used like a weight",
    help=(
        "A random tensor that forward reads acts as a weight, but a plain attribute neither "
        "learns nor is saved. If it is to learn, wrap it in nn.Parameter. If it is a constant, "
        "make it a buffer with register_buffer, so that it is saved and moves with the model."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
