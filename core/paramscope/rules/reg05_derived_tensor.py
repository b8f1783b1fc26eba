"""REG05: a tensor calculated from a Parameter in ``__init__``: it is made once, and no leaf."""

from collections.abc import Iterator

from paramscope.census.census import line_of
from paramscope.census.evidence import Evidence
from paramscope.census.states import is_as_built
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.shift = nn.Parameter(torch.zeros(4)) + 1.0",
    "h = torch.tanh(self.inner(x))\nif not torch.is_grad_enabled():\n    h = h + self.shift",
)
GOOD = BAD.replace("nn.Parameter(torch.zeros(4)) + 1.0", "nn.Parameter(torch.zeros(4) + 1.0)")
GOOD = GOOD.replace(
    "\n        if not torch.is_grad_enabled():\n            h = h + self.shift", " + self.shift"
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each attribute that has held the same calculated tensor since the build."""
    if not evidence.build.is_complete:
        return
    seen = set()
    for found in evidence.walk.tensors:
        tensor = found.tensor
        if found.place not in (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE) or id(tensor) in seen:
            continue
        if tensor.requires_grad and not tensor.is_leaf and is_as_built(found, evidence):
            seen.add(id(tensor))
            yield RULE.finding(
                where=found.path,
                message=(
                    f"`{found.path}` is the result of a calculation with a Parameter. It was made "
                    "once, is no Parameter itself, and the Parameter in it belongs to nobody."
                ),
                cause="Move the calculation into nn.Parameter(...), or into forward.",
                line=line_of(found, evidence),
            )


RULE = Rule(
    id="REG05",
    severity=ERROR,
    title="Tensor calculated from a Parameter in __init__",
    help=(
        "nn.Parameter(x) * 0.02 is a plain tensor that remembers where it came from. It is not "
        "registered, its value never changes, and the second backward() may fail on its history. "
        "Put the calculation inside: nn.Parameter(x * 0.02)."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
