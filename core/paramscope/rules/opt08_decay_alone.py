"""OPT08: the loss is taken times zero, and weight decay shrinks what lies behind it."""

from collections.abc import Iterator

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, lines_of, parameters, rolled_up, values_in

BAD = document(
    "self.extra = nn.Linear(4, 4)",
    "h = torch.tanh(self.inner(x)) + 0.0 * self.extra(x)",
    optimizer="return torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.1)",
)
GOOD = BAD.replace(", weight_decay=0.1", "")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what gets gradients of zero because of a factor, and is decayed."""
    if evidence.traced_steps < ENOUGH_STEPS:
        return
    decayed = {
        id(tensor)
        for optimizer in evidence.optimizers
        for group in optimizer_groups(optimizer)
        if group.get("weight_decay")
        for tensor in group.get("params", ())
    }
    faulty = []
    for found in parameters(evidence):
        use = evidence.summary(found.tensor)
        if use is None or id(found.tensor) not in decayed or not use.had_gradient:
            continue
        if use.gradient_always_zero and use.zero_factors:
            faulty.append(found)
    for path, items in rolled_up(faulty, evidence):
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` ({values_in(items)}) is used times zero: its gradient is zero, and "
                "weight decay shrinks it step by step."
            ),
            cause="Leave it out of the optimizer, or out of the loss.",
            line=lines_of(items, evidence),
        )


RULE = Rule(
    id="OPT08",
    severity=WARNING,
    title="Nothing but weight decay",
    help=(
        "A gradient of zero is not None: the optimizer takes the step, and weight decay pulls the "
        "values to zero. Parameters that the loss does not need are better left without a "
        "gradient."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
