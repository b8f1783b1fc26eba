"""GRA02: the value goes on and the gradient does not: ``detach``, ``.data``, ``.item()``, NumPy."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.cuts import LEADING_OUT, findings_by_cut
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(forward="h = torch.tanh(self.inner(x)).detach()")
GOOD = BAD.replace(".detach()", "")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what is read, gets no gradient, and is first led out of autograd."""
    yield from findings_by_cut(
        evidence,
        RULE,
        lambda operation: operation in LEADING_OUT,
        "`{path}` ({values}) is used, but {cut} cuts it off from the loss: it gets no gradient.",
        "Drop that call. To make a new tensor of several, use torch.stack or torch.cat.",
    )


RULE = Rule(
    id="GRA02",
    severity=ERROR,
    title="Gradient cut off on the way",
    help=(
        "detach(), .data, .item(), .numpy() and torch.tensor() give the value without its history. "
        "What lies before them gets no gradient, unless it reaches the loss by another path."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
