"""GRA07: ``no_grad`` around code that is to be trained."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.cuts import CHOICES, LEADING_OUT, findings_by_cut
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(forward="with torch.no_grad():\n    h = torch.tanh(self.inner(x))")
GOOD = document(
    "self.inner.requires_grad_(False)",
    "with torch.no_grad():\n    h = torch.tanh(self.inner(x))",
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what is read, gets no gradient, and is first met by an ordinary operation."""
    yield from findings_by_cut(
        evidence,
        RULE,
        lambda operation: operation not in LEADING_OUT and operation not in CHOICES,
        "`{path}` ({values}) is used without gradients ({cut}): it is trained by nothing.",
        "Remove `no_grad` there, or freeze it with requires_grad_(False) if that is meant.",
    )


RULE = Rule(
    id="GRA07",
    severity=ERROR,
    title="no_grad around what is to be trained",
    help=(
        "Inside no_grad nothing is recorded, so backward() finds no way to the Parameters that "
        "were used there. A frozen part may run in it; a trained one may not."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
