"""OPT10: gradients are cleared between ``backward`` and ``step``: the step does nothing."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, line_of_step

BAD = document(
    tail="""def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    value.backward()
    optimizer.zero_grad()
    optimizer.step()
    return value"""
)
GOOD = BAD.replace(
    "    optimizer.zero_grad()\n    optimizer.step()",
    "    optimizer.step()\n    optimizer.zero_grad()",
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the step if an optimizer has found nothing to use in each of the last ones."""
    if len(evidence.steps) < ENOUGH_STEPS:
        return
    wiped = set.intersection(*(record.wiped for record in evidence.steps))
    if not wiped:
        return
    yield RULE.finding(
        where="train_step",
        message=(
            "The gradients are cleared after backward() and before step(): the optimizer finds "
            "none, and nothing moves."
        ),
        cause="Call `zero_grad()` before `backward()`, or after `step()`.",
        line=line_of_step(evidence),
    )


RULE = Rule(
    id="OPT10",
    severity=ERROR,
    title="Gradients cleared before the step",
    help=(
        "zero_grad() throws away what backward() has just calculated. The order is zero_grad, "
        "backward, step."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
