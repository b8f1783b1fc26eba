"""OPT03: a Parameter that was made after the optimizer, and is in none."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import (
    has_moved,
    lines_of,
    lost_shapes,
    rolled_up,
    stepped_ids,
    values_in,
)
from paramscope.rules.strangers import born_in_steps

BAD = document(
    "self.late = None",
    "if self.late is None:\n    self.late = nn.Linear(4, 4)\n"
    "h = torch.tanh(self.late(self.inner(x)))",
)
GOOD = BAD.replace("    return torch.optim", "    model(torch.zeros(1, 4))\n    return torch.optim")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what gets gradients and came when the optimizer was there already."""
    if not evidence.optimizers or not evidence.traced_steps:
        return
    stepped = stepped_ids(evidence)
    lost = lost_shapes(evidence)
    faulty = []
    for found in born_in_steps(evidence):
        use = evidence.summary(found.tensor)
        gets_gradient = found.tensor.grad is not None or (use is not None and use.had_gradient)
        if id(found.tensor) in stepped or not gets_gradient or has_moved(found, evidence):
            continue
        if evidence.view.shape(found.tensor) not in lost:
            faulty.append(found)
    for path, items in rolled_up(faulty, evidence):
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` ({values_in(items)}) was made after the optimizer, which does not "
                "know it: it gets gradients and never learns."
            ),
            cause="Run one batch before the optimizer is made, or call add_param_group.",
            line=lines_of(items, evidence),
        )


RULE = Rule(
    id="OPT03",
    severity=ERROR,
    title="Parameter made after the optimizer",
    help=(
        "An optimizer knows the Parameters that were there when it was made. A layer that is made "
        "at the first batch comes too late, and has to be added with add_param_group."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
