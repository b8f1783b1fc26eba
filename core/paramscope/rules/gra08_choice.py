"""GRA08: a choice that has no gradient: ``argmax``, ``round``, a comparison."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor
from paramscope.rules.cuts import CHOICES, findings_by_cut
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, lines_of, parameters, rolled_up, values_in

BAD = document(forward="h = (self.inner(x) > 0).float()")
GOOD = BAD.replace("(self.inner(x) > 0).float()", "torch.sigmoid(self.inner(x))")
TRAPS = (
    document(forward="h = torch.sigmoid(self.inner(x))\nh = h + (torch.round(h) - h).detach()"),
    document(forward="h = torch.tanh(self.inner(x))\nh = h * torch.sign(h)"),
)
_CURE = "Use weights that are soft (softmax, sigmoid), or a straight-through estimator."


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what is read, gets no gradient, and is first turned into a choice."""
    yield from findings_by_cut(
        evidence,
        RULE,
        lambda operation: operation in CHOICES,
        "`{path}` ({values}) only decides a choice ({cut}), and a choice has no gradient.",
        _CURE,
    )
    yield from _flattened(evidence)


def _flattened(evidence: Evidence) -> Iterator[Finding]:
    """Report what goes through a step (``round``), whose slope is zero everywhere."""
    faulty = [found for found in parameters(evidence) if is_flattened(found, evidence)]
    for path, items in rolled_up(faulty, evidence):
        cut = evidence.summaries[id(items[0].tensor)].flats[0]
        at = f" in line {cut.span.line}" if cut.span is not None else ""
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` ({values_in(items)}) goes through `{cut.operation}`{at}, whose slope "
                "is zero everywhere: its gradient is zero, and it never learns."
            ),
            cause=_CURE,
            line=cut.span.line if cut.span is not None else lines_of(items, evidence),
        )


def is_flattened(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether a gradient is zero in every step, behind an operation that makes it so."""
    use = evidence.summary(found.tensor)
    if use is None or not use.flats or evidence.traced_steps < ENOUGH_STEPS:
        return False
    return use.had_gradient and use.gradient_always_zero


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
    traps=TRAPS,
    explains_errors=True,
)
