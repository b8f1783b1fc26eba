"""GRA12: ``loss.requires_grad = True``: the error is hidden, and nothing is trained."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    with torch.no_grad():
        value = loss(model, x, y)
    value.requires_grad = True
    value.backward()
    optimizer.step()
    return value"""
)
GOOD = BAD.replace(
    "    with torch.no_grad():\n        value = loss(model, x, y)\n    value.requires_grad = True",
    "    value = loss(model, x, y)",
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report a loss that ``backward`` was called on, and that depends on nothing."""
    if evidence.last_step is None or not evidence.last_step.has_leaf_loss:
        return
    cuts = [cut for use in evidence.last_step.uses.values() for cut in use.cuts if cut.span]
    first = min(cuts, key=lambda cut: cut.span.line if cut.span else 0, default=None)
    at = (
        f" It was cut off by `{first.operation}` in line {first.span.line}."
        if first and first.span
        else ""
    )
    lines = evidence.source
    yield RULE.finding(
        where="loss",
        message=(
            "The loss was made to require a gradient, which hides an error: it does not depend "
            f"on any Parameter, and nothing is trained.{at}"
        ),
        cause="Remove that line, and find where the loss loses its way to the Parameters.",
        line=lines.attribute_lines.get("requires_grad")
        or lines.function_lines.get("train_step")
        or lines.function_lines.get("loss"),
    )


RULE = Rule(
    id="GRA12",
    severity=ERROR,
    title="Loss forced to require a gradient",
    help=(
        "backward() fails on a loss that no Parameter has a part in. Setting requires_grad on it "
        "silences the error, and the step then changes nothing."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
