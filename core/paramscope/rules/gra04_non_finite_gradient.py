"""GRA04: a gradient is NaN or infinite although the loss is a number."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of, parameters, rolled_up

BAD = document(
    forward="h = torch.tanh(self.inner(x))\nh = h + torch.sqrt((h * 0.0).sum(dim=1, keepdim=True))",
    tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    for p in model.parameters():
        p.grad = torch.nan_to_num(p.grad)
    optimizer.step()
    return value""",
)
GOOD = BAD.replace("keepdim=True))", "keepdim=True) + 1e-6)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the largest part of the model that such a gradient has reached, once."""
    for record in evidence.steps:
        faulty = [
            found
            for found in parameters(evidence)
            if (use := record.uses.get(id(found.tensor))) is not None
            and use.gradient is not None
            and use.gradient.non_finite
        ]
        gathered = rolled_up(faulty, evidence)
        if not gathered:
            continue
        path, items = gathered[-1]  # the nearest to the loss, from which it has spread
        source = record.non_finite_from
        span = source.span if source is not None else None
        at = f" It comes from `{source.operation}`" if source is not None else ""
        at += f" in line {span.line}." if span is not None else "." if at else ""
        yield RULE.finding(
            where=path,
            message=(
                f"The gradient of `{path}` was NaN or infinite in step {record.number}, though "
                f"the loss was finite.{at}"
            ),
            cause=(
                "The slope of sqrt, norm, log or a division is infinite at 0: add a small number "
                "inside, or keep such values out before the operation."
            ),
            line=span.line if span is not None else lines_of(items, evidence),
        )
        return


RULE = Rule(
    id="GRA04",
    severity=ERROR,
    title="Gradient that is no number",
    help=(
        "A function may have a value where it has no slope: sqrt at 0, or a branch that "
        "torch.where does not choose. One NaN in a gradient spoils all Parameters before it, and "
        "the next loss."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
