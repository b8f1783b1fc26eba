"""GRA08: a choice that has no gradient: ``argmax``, ``round``, a comparison."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.cuts import CHOICES, findings_by_cut
from paramscope.rules.examples import document
from paramscope.rules.finding import Finding
from paramscope.rules.registry import ERROR, Rule

BAD = document(forward="h = (self.inner(x) > 0).float()")
GOOD = BAD.replace("(self.inner(x) > 0).float()", "torch.sigmoid(self.inner(x))")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what is read, gets no gradient, and is first turned into a choice."""
    yield from findings_by_cut(
        evidence,
        RULE,
        lambda operation: operation in CHOICES,
        "`{path}` ({values}) only decides a choice ({cut}), and a choice has no gradient.",
        "Use weights that are soft (softmax, sigmoid), or a straight-through estimator.",
    )


RULE = Rule(
    id="GRA08",
    severity=ERROR,
    title="Choice without a gradient",
    help=(
        "argmax, comparisons and rounding jump: their slope is zero where there is one. What "
        "decides them gets no gradient, unless it reaches the loss by another path."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
