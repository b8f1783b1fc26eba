"""FRZ01: ``p.require_grad = False`` makes a new attribute, and freezes nothing."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor, Place, attributes_of
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import rolled_up

RIGHT = "requires_grad"
LIKENESS = 0.8

BAD = document(
    build="model = Net()\nfor p in model.inner.parameters():\n    p.require_grad = False\n"
    "return model"
)
GOOD = BAD.replace("p.require_grad", "p.requires_grad")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report Parameters with an attribute that is nearly called ``requires_grad``."""
    misspelt: dict[str, list[FoundTensor]] = {}
    for found in evidence.walk.tensors:
        if found.place is not Place.PARAMETER or not found.tensor.requires_grad:
            continue
        for name, value in attributes_of(found.tensor):
            if isinstance(value, bool) and is_near(name):
                misspelt.setdefault(name, []).append(found)
    for name, items in misspelt.items():
        for path, _ in rolled_up(items, evidence):
            yield RULE.finding(
                where=path,
                message=(
                    f"`{path}` has an attribute `{name}`, which means nothing: it is not frozen, "
                    "and goes on training."
                ),
                cause=f"The attribute is called `{RIGHT}`.",
                line=evidence.source.attribute_lines.get(name),
            )


@cache
def is_near(name: str) -> bool:
    """Tell whether a name is the right one misspelt.

    >>> [is_near(name) for name in ("require_grad", "required_grad", "grad_fn", "is_shared")]
    [True, True, False, False]
    """
    return name != RIGHT and SequenceMatcher(None, name.lower(), RIGHT).ratio() >= LIKENESS


RULE = Rule(
    id="FRZ01",
    severity=ERROR,
    title="Misspelt requires_grad",
    help=(
        "Python lets any attribute be set on a tensor, so a misspelt requires_grad is no error. "
        "The tensor keeps its gradient and is trained on."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
