"""OPT09: gradients are never cleared; each step is made with the sum of all before."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.opt07_twice_in_an_optimizer import stepped_by_two
from paramscope.rules.opt11_never_steps import never_stepping
from paramscope.rules.rule import Rule
from paramscope.rules.scope import line_of_step

BAD = document(
    tail="""def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value"""
)
GOOD = BAD.replace("    value.backward()", "    optimizer.zero_grad()\n    value.backward()")
TRAPS = (
    document(
        optimizer="return None",
        tail="""def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    value.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.01 * p.grad
            p.grad = None
    return value""",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the step if tensors are stepped again and again with gradients used already."""
    # What two optimizers step is stepped with one gradient twice: a consequence.
    both = stepped_by_two(evidence)
    stale = [key for key, n in evidence.uncleared.items() if n >= 2 and key not in both]
    # One that is stepped in another's place uses its own gradients again: a consequence.
    if not stale or never_stepping(evidence):
        return
    yield RULE.finding(
        where="train_step",
        message=(
            f"Gradients of {len(stale)} tensors are not cleared between two steps: each step "
            "uses the sum of all gradients so far."
        ),
        cause="Call `optimizer.zero_grad()` once for each `optimizer.step()`.",
        line=line_of_step(evidence),
    )


RULE = Rule(
    id="OPT09",
    severity=ERROR,
    title="Gradients are never cleared",
    help=(
        "backward() adds to the gradients that are there. Without zero_grad() the old ones stay "
        "in the sum for ever. Adding several backward() calls up before one step is fine."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
